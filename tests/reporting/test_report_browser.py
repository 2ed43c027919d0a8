"""The report's page in a real browser, without a network: what it shows, and that nothing in it runs."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.helpers.pages import (
    ATTACK,
    PHONE,
    page_of,
    pair_of_runs,
    row,
    write_rows,
)
from tests.helpers.runfolders import TaskRows, write_run

if TYPE_CHECKING:
    pass


@dataclass
class Listener:
    """A server that only remembers who called."""

    url: str
    heard: list[str] = field(default_factory=list)


@pytest.fixture
def listener() -> Iterator[Listener]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.heard.append(self.path)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found = Listener(f"http://127.0.0.1:{server.server_port}/leak")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield found
    server.shutdown()
    server.server_close()


@pytest.mark.browser
def test_it_opens_offline_and_asks_for_nothing(tmp_path: Path, open_page: Any) -> None:
    page = open_page(page_of(*pair_of_runs(tmp_path)))
    page.tab.wait_for_timeout(300)
    assert [url for url in page.requests if not url.startswith("file:")] == []
    assert len(page.requests) == 1
    assert page.troubles == []
    for section in ("differences", "leaderboard", "parts", "documents", "troubles", "settings"):
        assert page.tab.locator(f"#{section} h2").count() == 1
    assert page.tab.locator("#differences .strip[role=img]").count() == 2
    assert page.tab.locator("#leaderboard figure .strip[role=img]").count() == 4
    assert page.tab.locator("#parts .strip[role=img]").count() == 3


@pytest.mark.browser
def test_what_models_wrote_is_text_wherever_it_stands(tmp_path: Path, open_page: Any) -> None:
    folders = []
    for side in "ab":
        name = f"run{side}"
        values = [1.0, 0.0, 1.0] if side == "a" else [0.0, 1.0, np.nan]
        tasks = {ATTACK: TaskRows(values, metric=f"{ATTACK.replace(',', '')},none", stratum=ATTACK)}
        folder = write_run(
            tmp_path,
            name,
            tasks,
            manifest={"model": {"typed": ATTACK + side}, "engine": {"name": ATTACK}, "command": [ATTACK]},
            results={"notes": [ATTACK]},
        )
        rows = [row(i, ATTACK + side, question=ATTACK, prompt=ATTACK, filter="none", error=ATTACK) for i in range(3)]
        write_rows(folder, ATTACK, [{**one, "target": ATTACK, "filtered_resps": [ATTACK]} for one in rows])
        folders.append(folder)
    html = page_of(*folders)
    # Three scripts and no other: two of data, and the page's own, whose hash the policy names.
    assert len(re.findall(r"<script\b", html)) == len(re.findall(r"</script>", html)) == 3
    page = open_page(html)
    page.every_outcome()
    assert page.count_shown() == 3
    page.tab.locator(".item").first.click()
    page.tab.wait_for_selector(".detail .answer")
    assert page.tab.evaluate("window.pwned") is None
    assert page.troubles == []
    assert page.tab.locator("img").count() == 0
    assert page.tab.title().startswith(ATTACK)
    for place in (
        "#title",
        "#runs",
        "#differences",
        "#leaderboard",
        "#documents .item >> nth=0",
        "#settings",
        "#troubles",
    ):
        assert ATTACK in page.text(place), place
    assert page.tab.locator(".detail .answer").all_inner_texts() == [f"{ATTACK}a", f"{ATTACK}b"]
    assert page.text(".detail .prompt") == ATTACK
    assert page.tab.evaluate("document.scripts.length") == 3


@pytest.mark.browser
def test_a_name_turns_no_other_words_and_breaks_no_figure(tmp_path: Path, open_page: Any) -> None:
    odd = "a_name_without_any_place_to_break_it_" * 3 + "\u202e"
    values = {"a": [1.0, 0.0] * 30, "b": [0.0, 1.0] * 30}
    tasks = {side: {"t": TaskRows(column, metric="acc,none")} for side, column in values.items()}
    page = open_page(
        page_of(*(write_run(tmp_path, s, tasks[s], manifest={"model": {"typed": s + odd}}) for s in values))
    )
    leftmost = """(node, word) => {
        const texts = [...node.childNodes].filter((one) => one.nodeType === 3 && one.data.includes(word));
        const place = texts[0].data.indexOf(word);
        const at = (from) => {
            const range = document.createRange();
            range.setStart(texts[0], from);
            range.setEnd(texts[0], from + 1);
            return range.getBoundingClientRect();
        };
        return [at(place), at(place + word.length - 1)].map((box) => box.y * 10000 + box.x);
    }"""
    first, last = page.tab.locator(".banner p.small").evaluate(leftmost, "against")
    assert first < last, "the words after a name still run from left to right"
    heights = page.tab.locator("#leaderboard .label .num").evaluate_all("all => all.map((one) => one.offsetHeight)")
    assert len(heights) == 2
    assert max(heights) < 30, "a figure stands on one line however long the name beside it"
    axis = page.tab.locator("#leaderboard figure .axis text").all_text_contents()
    assert (axis[0], axis[-1]) == ("0", "1"), "a share ends at 1"
    shown = page.text("body")
    assert "\u202e" not in shown, "sentences made around a name would be turned too"
    assert "\\u202e" in shown


@pytest.mark.browser
def test_without_any_rows_no_empty_list_is_shown(tmp_path: Path, open_page: Any) -> None:
    figures = {"t": TaskRows([], metric="word_perplexity,none", figure={"value": 12.5, "higher_is_better": False})}
    page = open_page(page_of(write_run(tmp_path, "a", figures)))
    assert "none of the figures here come with rows" in page.text("#documents")
    assert page.tab.locator("#documents .list").count() == 0


@pytest.mark.browser
def test_what_a_run_does_not_count_is_not_said_to_be_nothing(tmp_path: Path, open_page: Any) -> None:
    counted = {"unparsed": 0, "unfinished": 0, "truncated_prompts": 0, "errors": 0, "not_run": 0}
    silent = write_run(tmp_path, "silent", {"t": TaskRows([1.0, 0.0])})
    said = write_run(tmp_path, "said", {"t": TaskRows([1.0, 0.0], entry=counted)})
    assert "No trouble that the runs speak of" in open_page(page_of(silent)).text("#troubles")
    assert "Nothing was cut, unreadable, unanswered or in error" in open_page(page_of(said)).text("#troubles")


@pytest.mark.browser
def test_a_phone_shows_what_went_wrong_beside_the_names(tmp_path: Path, open_page: Any) -> None:
    page = open_page(page_of(*pair_of_runs(tmp_path)), PHONE)
    count = page.tab.locator("#troubles tbody td.num").first.bounding_box()
    assert count["x"] + count["width"] <= PHONE["width"], "a count is seen before anybody scrolls"
    assert page.tab.locator("#troubles tbody th").all_text_contents() == ["sums"]
    assert "Nothing of the kind in school" in page.text("#troubles")


@pytest.mark.browser
def test_its_policy_stops_a_script_that_got_in_all_the_same(tmp_path: Path, open_page: Any, listener: Listener) -> None:
    html = page_of(*pair_of_runs(tmp_path))
    [policy] = re.findall(r'Content-Security-Policy" content="([^"]*)"', html)
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    inside = (
        "<script>window.pwned=1</script><img src='x' onerror='window.pwned=2'><style>body{color:red}</style>"
        f"<img src='{listener.url}'><iframe src='{listener.url}'></iframe><p style='color:red' id='red'>red?</p>"
    )
    attacked = html.replace("<footer", inside + "<footer")
    # Without the policy all of it works, so what follows shows the policy and nothing else.
    naked = open_page(attacked.replace("Content-Security-Policy", "X-None"), offline=False)
    naked.tab.wait_for_timeout(300)
    assert naked.tab.evaluate("window.pwned") is not None
    assert listener.heard
    listener.heard.clear()
    page = open_page(attacked, offline=False)
    page.tab.wait_for_timeout(300)
    assert page.tab.evaluate("window.pwned") is None
    assert page.tab.evaluate("getComputedStyle(document.getElementById('red')).color") != "rgb(255, 0, 0)"
    assert page.tab.evaluate(f"fetch('{listener.url}').then(() => 'went', () => 'stopped')") == "stopped"
    with pytest.raises(Exception, match="TrustedHTML"):
        page.tab.evaluate("document.body.innerHTML = '<b>markup</b>'")
    assert listener.heard == []
