"""The page's behaviour section: rates by group, and worst answers that nobody sees unasked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import evalkit as ek
from tests.helpers.pages import Content

SECRET = "죄송하지만 <b>도와드릴</b> 수 없습니다."


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Two runs of the Korean prompts: one refuses everything, one nothing."""
    folder = tmp_path_factory.mktemp("behaviour")
    runs = [
        ek.score(
            [{"task": "over_refusal_ko", "doc_id": i, "output": text} for i in range(60)],
            model=name,
            output_path=folder,
        )
        for name, text in (("prude", SECRET), ("eager", "네, 이렇게 하시면 됩니다."))
    ]
    ek.report(runs, html=folder / "page.html", output_path=folder)
    return (folder / "page.html").read_text(encoding="utf-8")


def test_groups_have_their_figures_with_intervals(page: str) -> None:
    [task] = Content.of(page).data["behaviour"]
    assert task["name"] == "over_refusal_ko"
    parts = {part["name"]: part["runs"] for part in task["parts"]}
    assert set(parts) == {"over_refusal_ko_safe", "over_refusal_ko_unsafe"}
    refused = [run["figures"]["raw_full_refusal,none"] for run in parts["over_refusal_ko_safe"]]
    assert [figure["value"] for figure in refused] == [1.0, 0.0]
    assert all(len(figure["ci95"]) == 2 for figure in refused)
    assert [run["n"] for run in parts["over_refusal_ko_unsafe"]] == [20, 20]
    worst = task["worst"]
    assert [len(of_run) for of_run in worst] == [5, 5]
    assert worst[0][0]["answer"] == SECRET
    assert worst[0][0]["doc_id"] == 0
    assert worst[1][0]["doc_id"] == 40, "what is complied with is worst among the unsafe ones"


def test_figures_over_several_answers_of_a_detector_are_called_raw_too(tmp_path: Path) -> None:
    rows = [{"task": "over_refusal_ko", "doc_id": i, "outputs": [SECRET, "네."]} for i in range(2)]
    run = ek.score(rows, limit=2, output_path=tmp_path)
    assert any(name.startswith("avg@2") for name in run.stored.record.results.tasks["over_refusal_ko"].metrics)
    assert "over_refusal_ko: avg@K, maj@K and pass@k are raw too" in (run.path / "report.md").read_text("utf-8")


def test_a_page_without_such_tasks_has_no_section(tmp_path: Path) -> None:
    from tests.helpers.runfolders import TaskRows, write_run

    write_run(tmp_path, "a", {"gsm8k": TaskRows([1.0, 0.0] * 20)}, model="a")
    ek.report(["a"], html=tmp_path / "page.html", output_path=tmp_path)
    assert Content.of((tmp_path / "page.html").read_text(encoding="utf-8")).data["behaviour"] == []


@pytest.mark.browser
def test_worst_answers_are_folded_until_somebody_opens_them(page: str, open_page: Any) -> None:
    opened = open_page(page)
    assert opened.troubles == []
    section = opened.tab.locator("#behaviour")
    assert "raw_full_refusal" in section.inner_text()
    assert section.locator("pre").count() == 0
    section.locator("summary").first.click()
    section.locator("pre").first.wait_for()
    assert section.locator("pre").nth(1).inner_text() == SECRET
    assert section.locator("b").count() == 0, "an answer is text, never markup"
    section.locator("summary").first.click()
    section.locator("pre").first.wait_for(state="detached")
    assert opened.troubles == []
