"""How a verdict is printed: JSON, markdown, JUnit, terminal."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from evalkit.reporting import gate_view as report
from tests.helpers.gates import GSM8K, both, changed, several, values
from tests.helpers.runfolders import TaskRows


def test_json_is_what_the_contract_says(tmp_path: Path) -> None:
    found = json.loads(report.as_json(several(tmp_path)))
    assert found["verdict"] == "regression"
    assert {name: task["verdict"] for name, task in found["tasks"].items()} == {
        "gsm8k": "regression", "mmlu": "pass", "humaneval": "cannot_tell",
    }  # fmt: skip
    task = found["tasks"]["gsm8k"]
    needed = {"verdict", "metric", "baseline", "candidate", "delta", "ci95", "p", "p_holm", "n", "flips", "needed_n"}
    assert needed <= set(task)
    assert task["baseline"] == 600 / GSM8K
    assert task["delta"] == task["candidate"] - task["baseline"]
    assert (task["flips"]["lost"], task["flips"]["gained"]) == (99, 33)
    assert found["tasks"]["humaneval"]["needed_n"] == 299
    assert found["tasks"]["mmlu"]["max_drop"] == "5%"
    assert task["lower"]["level"] == pytest.approx(0.95)
    assert task["upper"]["level"] == pytest.approx(0.975)


def test_markdown_leads_with_the_verdict(tmp_path: Path) -> None:
    text = report.as_markdown(several(tmp_path))
    assert text.startswith("## ❌ REGRESSION: gsm8k\n")
    assert "worse by at least" in text
    assert "(97.5%)" in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len(rows) == 5
    assert len({row.replace("\\|", "").count("|") for row in rows}) == 1


def test_junit_has_a_case_for_every_task(tmp_path: Path) -> None:
    suite = ElementTree.fromstring(report.as_junit(several(tmp_path))).find("testsuite")
    assert suite is not None
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors"), suite.get("skipped")) == (
        "3",
        "1",
        "0",
        "1",
    )
    cases = {case.get("name"): [child.tag for child in case] for case in suite}
    assert cases == {"gsm8k": ["failure"], "mmlu": ["system-out"], "humaneval": ["skipped"]}


def test_names_from_outside_break_no_rendering(tmp_path: Path) -> None:
    base = values(GSM8K, 600)
    name = "evil|task\n<script>\x07@everyone`"
    result = both(tmp_path, {name: TaskRows(base)}, {name: TaskRows(changed(base, 99, 33))})
    ElementTree.fromstring(report.as_junit(result))
    text = report.as_markdown(result)
    assert "<script>" not in text
    assert "@everyone" not in text
    assert len([line for line in text.splitlines() if line.startswith("|")]) == 3
    assert json.loads(report.as_json(result))["tasks"][name]["verdict"] == "regression"


@pytest.mark.parametrize("terminal", [True, False])
def test_the_verdict_is_shown_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, terminal: bool
) -> None:
    if terminal:
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("COLUMNS", "200")
    report.show(several(tmp_path))
    shown = capsys.readouterr().out
    assert ("━" in shown or "─" in shown) == terminal
    assert ("| task |" in shown) != terminal
    assert "REGRESSION: gsm8k" in shown.lstrip().split("\n")[0]
    assert "worse by at least" in shown


@pytest.mark.parametrize("columns", [60, 80, 100, 200])
def test_no_figure_is_cut_short_in_a_narrow_window(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", str(columns))
    result = several(tmp_path)
    report.show(result)
    shown = capsys.readouterr().out
    low, high = (f"{end * 100:+.2f}" for end in result.tasks[0].ci95 or ())
    assert all(figure in shown for figure in ("45.49", "40.49", low, high))
    assert f"{low} to {high}" in shown or columns < 80
