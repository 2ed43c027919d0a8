"""The documents of the report's page in a real browser: filters, texts, the keyboard, a phone."""

from __future__ import annotations

import json
import re
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from click.testing import CliRunner

from evalkit.cli import cli
from evalkit.comparison import compare
from evalkit.results import Run
from tests.helpers.pages import (
    KOREAN,
    PHONE,
    Opened,
    page_of,
    pair_of_runs,
    row,
    stopped_early,
    write_rows,
)
from tests.helpers.runfolders import TaskRows, write_run

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.mark.browser
def test_filters_by_outcome_task_trouble_and_text(tmp_path: Path, open_page: Any) -> None:
    base, cand = pair_of_runs(tmp_path)
    page = open_page(page_of(base, cand))
    tasks = compare(Run.open(base), [Run.open(cand)]).against[0].tasks
    lost, gained = sum(task.lost for task in tasks), sum(task.gained for task in tasks)
    assert (page.chip("lost"), page.chip("gained"), page.count_shown()) == (lost, gained, lost + gained)
    page.tab.click(".chip[data-outcome='gained']")
    assert page.count_shown() == lost
    page.tab.select_option("#doc-task", label="sums")
    assert page.count_shown() == tasks[0].lost
    page.every_outcome()
    assert page.count_shown() == 60
    page.tab.select_option("#doc-task", label="law")
    assert page.count_shown() == 60
    page.tab.select_option("#doc-task", label="all tasks")
    assert page.count_shown() == 240
    page.tab.select_option("#doc-trouble", label="unparsed")
    assert page.count_shown() == 1
    page.tab.select_option("#doc-trouble", label="with any trouble")
    assert page.count_shown() == 2
    page.tab.select_option("#doc-trouble", value="0")
    for asked, found in (("BASE wrote 41", 1), ("target 7", 1), ("bee", 180), ("no such words", 0), ("", 240)):
        page.tab.fill("#doc-search", asked)
        assert page.count_shown() == found, asked


@pytest.mark.browser
def test_korean_is_found_however_it_is_typed(tmp_path: Path, open_page: Any) -> None:
    page = open_page(page_of(*pair_of_runs(tmp_path)))
    page.every_outcome()
    for form in ("NFC", "NFD"):
        page.tab.fill("#doc-search", unicodedata.normalize(form, "수도는 어디"))
        assert page.count_shown() == 1
        assert KOREAN in page.text(".item >> nth=0")
    page.tab.fill("#doc-search", "한국사")
    assert page.count_shown() == 60


@pytest.mark.browser
def test_a_document_shows_both_answers_beside_each_other(tmp_path: Path, open_page: Any) -> None:
    page = open_page(page_of(*pair_of_runs(tmp_path)))
    page.every_outcome()
    page.tab.select_option("#doc-task", label="sums")
    page.tab.fill("#doc-search", "wrote 23")
    assert page.count_shown() == 1
    page.tab.wait_for_selector(".beside")
    one, other = page.tab.locator(".beside .side").all()
    assert "model-base" in one.inner_text()
    assert "base wrote 23" in one.inner_text()
    assert "cand wrote 23" in other.inner_text()
    left, right = one.bounding_box(), other.bounding_box()
    assert left["y"] == right["y"]
    assert left["x"] + left["width"] <= right["x"]
    assert page.text(".detail .prompt") == "Q: question 23\nA:"
    assert "target 23" in page.text(".detail")
    assert page.tab.locator(".detail mark").first.inner_text() == "wrote 23"
    page.tab.fill("#doc-search", "")
    page.tab.select_option("#doc-task", label="art")
    page.tab.wait_for_selector(".choices")
    assert page.tab.locator(".choices tbody tr").count() == 4
    assert page.tab.locator(".choices .wanted").count() == 1
    assert page.tab.locator(".choices .taken").count() == 2


@pytest.mark.browser
def test_the_list_is_worked_by_keyboard(tmp_path: Path, open_page: Any) -> None:
    page = open_page(page_of(*pair_of_runs(tmp_path)))
    page.every_outcome()
    page.tab.focus(".list")
    for key, place in (("ArrowDown", 1), ("ArrowDown", 2), ("ArrowUp", 1), ("End", 239), ("Home", 0)):
        page.tab.keyboard.press(key)
        active = page.tab.get_attribute(".list", "aria-activedescendant")
        assert active == f"item-{place}"
        assert page.tab.get_attribute(f"#{active}", "aria-selected") == "true"
        assert page.text(".detail-bar").startswith(f"{place + 1} of 240")
    unnamed = page.tab.evaluate(
        """[...document.querySelectorAll('button, select, input, a, [role=img], [role=listbox], [role=region]')]
           .filter((node) => !(node.ariaLabel || node.textContent.trim() || node.labels?.[0]?.textContent.trim()))
           .map((node) => node.outerHTML)"""
    )
    assert unnamed == []
    ids = page.tab.evaluate("[...document.querySelectorAll('[id]')].map((node) => node.id)")
    assert len(ids) == len(set(ids))


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_needs_no_sideways_scroll(tmp_path: Path, open_page: Any, scheme: str) -> None:
    base, cand = pair_of_runs(tmp_path, manifest={"model": {"typed": "org/a-model-with-a-very-long-name-" + "x" * 80}})
    page = open_page(page_of(base, cand), PHONE, scheme)
    assert page.tab.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page.tab.locator(".item").first.click()
    page.tab.wait_for_selector(".detail.open .part")
    box = page.tab.locator(".detail").bounding_box()
    assert (box["x"], box["y"], box["width"], box["height"]) == (0, 0, PHONE["width"], PHONE["height"])
    assert page.tab.evaluate("document.querySelector('.detail-body').scrollWidth") <= PHONE["width"]
    page.tab.keyboard.press("Escape")
    assert not page.tab.locator(".detail").is_visible()
    assert page.tab.evaluate("document.activeElement.className").startswith("list")


@pytest.mark.browser
def test_long_names_of_tasks_break_behind_underlines_alone(tmp_path: Path, open_page: Any) -> None:
    """`초등학교_수학_문장제` and `mmlu_high_school_…` may take several lines, and no word of them may be cut in two."""
    names = ("mmlu_high_school_government_and_politics" * 2, "초등학교_수학_문장제_풀이_과정_확인" * 3)
    folders = [
        write_run(tmp_path, side, {name: TaskRows([1.0, 0.0] * 20) for name in names}, model=side) for side in "ab"
    ]
    page = open_page(page_of(*folders), PHONE)
    broken = page.tab.evaluate(
        """() => {
          const ends = [];
          for (const name of document.querySelectorAll('#differences .name b')) {
            const walker = document.createTreeWalker(name, NodeFilter.SHOW_TEXT);
            let before = null;
            for (let node = walker.nextNode(); node; node = walker.nextNode())
              for (let at = 0; at < node.length; at++) {
                const range = document.createRange();
                range.setStart(node, at);
                range.setEnd(node, at + 1);
                const top = range.getBoundingClientRect().top;
                if (before && top > before.top + 2) ends.push(before.letter);
                before = { top, letter: node.data[at] };
              }
          }
          return ends;
        }"""
    )
    assert broken, "the window is narrow enough for a name to take two lines"
    assert set(broken) == {"_"}


@pytest.mark.browser
def test_dark_where_the_system_is_dark(tmp_path: Path, open_page: Any) -> None:
    html = page_of(*pair_of_runs(tmp_path))

    def brightness(page: Opened, property: str) -> float:
        colour = page.tab.evaluate(f"getComputedStyle(document.body)['{property}']")
        return sum(map(float, re.findall(r"[\d.]+", colour)[:3])) / 765

    light, dark = open_page(html), open_page(html, scheme="dark")
    assert brightness(light, "backgroundColor") > 0.9 > 0.2 > brightness(light, "color")
    assert brightness(dark, "backgroundColor") < 0.15 < 0.8 < brightness(dark, "color")
    dark.tab.emulate_media(media="print", color_scheme="dark")
    assert brightness(dark, "backgroundColor") > 0.9 > 0.2 > brightness(dark, "color"), "paper is white"


@pytest.mark.browser
def test_stamps_and_reasons_stand_on_the_page(tmp_path: Path, open_page: Any) -> None:
    tasks = {"sums": TaskRows([1.0, 0.0, np.nan] * 20)}
    one = write_run(tmp_path, "a", tasks, status="partial", model="half")
    tasks["other"] = TaskRows([1.0], figure={"value": None, "reason": "no scorer here", "higher_is_better": True})
    other = write_run(tmp_path, "b", tasks, status="limited", model="short")
    page = open_page(page_of(one, other))
    assert "PARTIAL" in page.text("#runs")
    assert "LIMITED" in page.text("#runs")
    assert "PARTIAL" in page.text("#leaderboard table")
    assert "no scorer here" in page.text("#leaderboard table")
    assert page.tab.locator("#troubles button", has_text="20").count() == 2


@pytest.mark.browser
def test_a_verdict_says_what_it_is_without(tmp_path: Path, open_page: Any) -> None:
    tasks = {"sums": TaskRows([1.0, 0.0] * 40), "odd": TaskRows([1.0, 0.0, 1.0])}
    one = write_run(tmp_path, "a", tasks)
    tasks["odd"].figure = {"value": None, "reason": "the scorer raised", "higher_is_better": True}
    page = open_page(page_of(one, write_run(tmp_path, "b", tasks)))
    assert "Without odd: see below why." in page.text(".banner")
    assert "the scorer raised" in page.text("#differences .note.bad")


@pytest.mark.browser
def test_an_early_verdict_stands_on_the_page_with_its_stamp(tmp_path: Path, open_page: Any) -> None:
    page = open_page(page_of(*stopped_early(tmp_path)))
    assert page.troubles == []
    assert "PASS" in page.text(".verdict")
    assert "PARTIAL" in page.text(".banner")
    assert "20" in page.text("#troubles td:nth-last-child(2) >> nth=1")


@pytest.mark.browser
def test_settings_hold_no_verdicts_and_name_once_the_tasks_of_one_run(tmp_path: Path, open_page: Any) -> None:
    few, more = {"t": TaskRows([1.0, 0.0])}, {"t": TaskRows([1.0, 0.0]), "u": TaskRows([1.0])}
    verdicts = {"early_stopping": {"verdict": "pass", "tasks": {"t": {"tier": "critical"}}}}
    page = open_page(page_of(write_run(tmp_path, "a", more), write_run(tmp_path, "b", few, manifest=verdicts)))
    keys = page.tab.locator(".settings tbody th").all_text_contents()
    assert "tasks" in keys
    assert not [key for key in keys if key.startswith(("early_stopping", "tasks.u"))]
    page.tab.click("#settings button:has-text('all')")
    assert "tasks.u.version" in page.tab.locator(".settings tbody th").all_text_contents()


@pytest.mark.browser
def test_a_verdicts_tier_stays_in_its_card(tmp_path: Path, open_page: Any) -> None:
    one, other = stopped_early(tmp_path)
    results = json.loads((other / "results.json").read_text())
    results["early_stopping"]["tasks"]["t"] |= {"tier": "supporting", "verdict": "regression"}
    (other / "results.json").write_text(json.dumps(results))
    page = open_page(page_of(one, other), {"width": 1280, "height": 900})
    ends = page.tab.evaluate(
        "['.forest', '.forest .word'].map((s) => document.querySelector(s).getBoundingClientRect().right)"
    )
    reach = page.tab.evaluate(
        "Math.max(...[...document.querySelectorAll('.forest .word *')].map((n) => n.getBoundingClientRect().right))"
    )
    assert "supporting" in page.text(".forest .word")
    assert reach <= ends[0], "nothing stands over the card's edge"


@pytest.mark.browser
def test_checks_and_earlier_turns_stand_with_the_answer(tmp_path: Path, open_page: Any) -> None:
    more = {
        "doc": {
            "messages": [{"role": "user", "content": "Remember 731."}, {"role": "user", "content": "Which number?"}]
        },
        "arguments": [["Remember 731.", {}], ["Remember 731. OK Which number?", {}]],
        "resps": [["OK"], ["732"]],
        "conversation": [{"role": "user", "content": "Remember 731."}, {"role": "assistant", "content": "OK"}],
        "checks": [{"kind": "number", "strict": False, "reason": "732 is not 731"}, {"kind": "short", "strict": True}],
    }
    rows = [{**row(0, "732"), **more}]
    page = open_page(page_of(write_run(tmp_path, "a", {"sums": TaskRows([0.0])}, samples={"sums": rows})))
    page.tab.wait_for_selector(".side .answer")
    assert page.text(".part >> nth=0").endswith("Which number?")
    assert page.tab.locator(".side .turn").all_inner_texts() == ["Remember 731.", "OK"]
    assert page.tab.locator(".side .answer").all_inner_texts() == ["732"]
    assert page.tab.locator(".check-line").all_inner_texts() == ["✕ number 732 is not 731", "✓ short"]


@pytest.mark.browser
def test_flips_without_texts_say_why(tmp_path: Path, open_page: Any) -> None:
    base, cand = pair_of_runs(tmp_path)
    for folder in (base, cand):
        for path in (folder / "samples").iterdir():
            path.unlink()
    page = open_page(page_of(base, cand))
    assert page.count_shown() > 0
    page.tab.wait_for_selector(".detail .note")
    assert "holds no rows" in page.text(".detail")
    assert "base holds no rows" in page.text("#documents")
    assert page.troubles == []


@pytest.mark.browser
def test_one_run_alone_and_several_to_choose_from(tmp_path: Path, open_page: Any) -> None:
    base, cand = pair_of_runs(tmp_path)
    page = open_page(page_of(base))
    page.every_outcome()
    assert page.count_shown() == 240
    assert page.tab.locator(".beside .side, .choices").count() == 1
    assert page.troubles == []
    third = write_run(tmp_path, "third", {"sums": TaskRows(np.zeros(60))}, model="model-third")
    page = open_page(page_of(base, cand, third))
    page.tab.click("button:has-text('model-third')")
    told = compare(Run.open(base), [Run.open(third)]).against[0].tasks[0]
    assert (page.chip("lost"), page.chip("gained")) == (told.lost, told.gained)
    assert page.troubles == []


@pytest.mark.browser
def test_fifty_thousand_documents_keep_the_page_small(tmp_path: Path, open_page: Any) -> None:
    n = 50_000
    luck = np.random.default_rng(1)
    values = (luck.random(n) < 0.6).astype(float)
    changed = np.where(luck.random(n) < 0.1, 1 - values, values)
    folders = [
        write_run(tmp_path, name, {"sums": TaskRows(column)}) for name, column in (("a", values), ("b", changed))
    ]
    for folder in folders:
        write_rows(folder, "sums", [row(i, f"answer {i} of {folder.name}") for i in range(n)])
    page = open_page(page_of(*folders, room=24_000_000))
    page.every_outcome()
    assert page.count_shown() == n
    assert page.tab.locator(".item").count() < 60
    page.tab.focus(".list")
    page.tab.keyboard.press("End")
    page.tab.wait_for_selector(f"#item-{n - 1}")
    assert page.tab.locator(".item").count() < 60
    page.tab.click(".chip[data-outcome='right']")
    page.tab.click(".chip[data-outcome='wrong']")
    assert page.count_shown() == int((values != changed).sum())
    place = int(np.flatnonzero(values != changed)[-1])
    page.tab.fill("#doc-search", f"answer {place} of a")
    assert page.count_shown() == 1


@pytest.mark.browser
def test_figures_lead_to_their_documents(tmp_path: Path, open_page: Any) -> None:
    base, cand = pair_of_runs(tmp_path)
    page = open_page(page_of(base, cand))
    told = {task.name: task for task in compare(Run.open(base), [Run.open(cand)]).against[0].tasks}
    page.tab.click("#differences button[aria-label*='documents of school']")
    assert page.count_shown() == told["school"].lost + told["school"].gained
    page.tab.locator("#troubles button", has_text="1").first.click()
    assert page.count_shown() == 1


@pytest.mark.browser
def test_a_run_that_evalkit_made_itself(tmp_path: Path, open_page: Any) -> None:
    """Recorded answers of a shipped task, scored and reported by the verbs."""
    root = tmp_path / "results"
    for name, scores in (("one", [-1.0, -2.0, -3.0, -4.0]), ("two", [-4.0, -3.0, -2.0, -1.0])):
        answers = tmp_path / f"{name}.jsonl"
        rows = [{"task": "mini_endings", "doc_id": i, "choice_logprobs": scores} for i in range(200)]
        answers.write_text("".join(json.dumps(one) + "\n" for one in rows))
        scored = CliRunner().invoke(cli, ["score", str(answers), "--name", name, "-q", "--output-path", str(root)])
        assert scored.exit_code == 0, scored.output
    out = tmp_path / "out.html"
    done = CliRunner().invoke(cli, ["report", "one", "two", "--html", str(out), "--output-path", str(root)])
    assert done.exit_code == 0, done.output
    page = open_page(out.read_text(encoding="utf-8"))
    one, two = (Run.open(next(root.glob(f"*/{name}"))) for name in ("one", "two"))
    [told] = compare(one, [two]).against[0].tasks
    assert told.lost > 0
    assert (page.chip("lost"), page.chip("gained")) == (told.lost, told.gained)
    assert page.tab.locator(".choices tbody tr").count() == 4
    assert page.troubles == []


@pytest.mark.browser
def test_a_search_without_hits_names_no_place(tmp_path: Path, open_page: Any) -> None:
    page = open_page(page_of(*pair_of_runs(tmp_path)))
    assert " of " in page.text(".detail-bar")
    page.tab.fill("#doc-search", "no such words")
    assert page.count_shown() == 0
    assert " of " not in page.text(".detail-bar")


@pytest.mark.browser
def test_a_document_has_an_address(tmp_path: Path, open_page: Any) -> None:
    base, cand = pair_of_runs(tmp_path)
    page = open_page(page_of(base, cand))
    page.tab.evaluate("location.hash = '#doc=cand/school_law/13'")
    page.tab.wait_for_selector(".doc-head:has-text('school_law document 13')")
    page.tab.reload()
    page.tab.wait_for_selector("body[data-ready]")
    assert "school_law document 13" in page.text(".doc-head")
    page.tab.locator(".item").nth(3).click()
    assert page.tab.evaluate("location.hash").startswith("#doc=cand/school_law/")
    assert page.troubles == []


@pytest.mark.browser
def test_without_scripts_verdict_and_tables_are_seen(tmp_path: Path, browser: Browser) -> None:
    path = tmp_path / "page.html"
    path.write_text(page_of(*pair_of_runs(tmp_path)), encoding="utf-8")
    context = browser.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto(path.as_uri())
    shown = tab.inner_text("body")
    context.close()
    assert "Leaderboard" in shown
    assert "Allow scripts" in shown
    assert "sums" in shown
