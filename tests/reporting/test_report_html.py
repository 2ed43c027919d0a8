"""The report's page: what it holds, and what a real browser makes of it without a network."""

from __future__ import annotations

import base64
import json
import re
import threading
import unicodedata
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from evalkit.cli import cli, main
from evalkit.comparison import compare
from evalkit.policy import Policy
from evalkit.reporting.html import as_html
from evalkit.reporting.html.tidy import in_script, shortened, tidy
from evalkit.reporting.overview import overview
from evalkit.results import Run, slug
from evalkit.scrub import Scrubber
from tests.helpers.browser import NoBrowser, launched
from tests.helpers.runfolders import TaskRows, write_run

if TYPE_CHECKING:
    from playwright.sync_api import Browser
    from playwright.sync_api import Page as Tab

ATTACK = "</script><script>window.pwned=1</script><img src=x onerror='window.pwned=2'>"
KOREAN = "한국의 수도는 어디입니까?"
PHONE = {"width": 360, "height": 740}
DESK = {"width": 1280, "height": 900}


# ── runs and pages ───────────────────────────────────────────────────────────


def row(doc_id: int, answer: str, question: str = "", prompt: str = "", **more: Any) -> dict[str, Any]:
    asked = question or f"question {doc_id}"
    return {
        "doc_id": doc_id,
        "doc": {"question": asked},
        "target": f"target {doc_id}",
        "arguments": [[prompt or f"Q: {asked}\nA:", {"until": ["\n"]}]],
        "resps": [[answer]],
        "filtered_resps": [f"read {answer}"],
        "filter": "strict-match",
        "finish": ["stop"],
        "cut_tokens": 0,
        "unparsed": False,
        "error": None,
        **more,
    }


def choice_row(doc_id: int, scores: Sequence[float], target: int, texts: Sequence[str]) -> dict[str, Any]:
    return {
        "doc_id": doc_id,
        "doc": {"question": f"which {doc_id}"},
        "target": target,
        "arguments": [[f"Which is {doc_id}?", f" {text}"] for text in texts],
        "resps": [[[score, False]] for score in scores],
        "filtered_resps": [[score, False] for score in scores],
        "filter": "none",
    }


def write_rows(folder: Path, task: str, rows: Sequence[Mapping[str, Any]]) -> None:
    (folder / "samples").mkdir(exist_ok=True)
    path = folder / "samples" / f"{slug(task)}.jsonl"
    path.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in rows), encoding="utf-8")


def pair_of_runs(root: Path, n: int = 60, seed: int = 0, **more: Any) -> tuple[Path, Path]:
    """Two runs over two tasks and a group; some documents change, some are in trouble."""
    luck = np.random.default_rng(seed)
    folders = []
    subjects = ("school_art", "school_law", "school_한국사")
    base = {name: (luck.random(n) < 0.6).astype(float) for name in ("sums", *subjects)}
    for side, name in enumerate(("base", "cand")):
        values = {key: np.where(luck.random(n) < 0.2 * side, 1 - value, value) for key, value in base.items()}
        tasks = {
            key: TaskRows(value, metric="acc,none" if key in subjects else "exact_match,strict-match")
            for key, value in values.items()
        }
        tasks["sums"].flags = {3: "unparsed", 5: "unfinished"} if side else {3: "unparsed"}
        tasks["sums"].entry = {"unparsed": 1, "unfinished": side, "truncated_prompts": 0, "errors": 0}
        folder = write_run(
            root,
            name,
            tasks,
            model=f"model-{name}",
            groups={"school": subjects},
            requested=["sums", "school"],
            results={**_group(values, subjects)},
            **more,
        )
        write_rows(folder, "sums", [row(i, f"{name} wrote {i}", question=KOREAN if i == 7 else "") for i in range(n)])
        for subject in subjects:
            scores = [[-1.0, -2.0 + side, -3.0, -4.0 - i / n] for i in range(n)]
            write_rows(
                folder, subject, [choice_row(i, scores[i], i % 4, ["ant", "bee", "cat", "dog"]) for i in range(n)]
            )
        folders.append(folder)
    return folders[0], folders[1]


def _group(values: Mapping[str, np.ndarray], members: Sequence[str]) -> dict[str, Any]:
    mean = float(np.mean([values[member].mean() for member in members]))
    figure = {"value": mean, "stderr": 0.02, "ci95": [mean - 0.04, mean + 0.04], "higher_is_better": True}
    n = sum(values[member].size for member in members)
    return {"groups": {"school": {"n": n, "metrics": {"acc,none": figure}, "members": list(members)}}}


def page_of(*folders: Path, room: int = 10_000_000, **asked: Any) -> str:
    return as_html(overview([Run.open(folder) for folder in folders], **asked), room=room)


@dataclass
class Content:
    """What a page holds, read without a browser."""

    data: dict[str, Any]
    rows: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def of(cls, html: str) -> Content:
        data, blocks = re.findall(r'<script type="application/json" id="\w+">(.*?)</script>', html, re.DOTALL)
        rows = []
        for block in json.loads(blocks):
            content = json.loads(zlib.decompress(base64.b64decode(block)))
            rows += [{**one, "prefix": content["prefix"]} for one in content["rows"]]
        return cls(json.loads(data), rows)

    def outcomes(self, view: int = 0) -> list[str]:
        return [self.data["documents"]["outcomes"][code] for code in self.data["documents"]["views"][view]["out"]]

    def texts(self, view: int = 0) -> list[dict[str, Any] | None]:
        return [None if place < 0 else self.rows[place] for place in self.data["documents"]["views"][view]["text"]]


# ── without a browser ────────────────────────────────────────────────────────


def test_changed_documents_are_those_that_compare_counts(tmp_path: Path) -> None:
    base, cand = pair_of_runs(tmp_path)
    content = Content.of(page_of(base, cand))
    told = {task.name: task for task in compare(Run.open(base), [Run.open(cand)]).against[0].tasks}
    names = content.data["documents"]["names"]
    columns = content.data["documents"]["views"][0]
    for name, task in told.items():
        mine = [out for out, code in zip(content.outcomes(), columns["name"], strict=True) if names[code] == name]
        assert (mine.count("lost"), mine.count("gained")) == (task.lost, task.gained)
        [entry] = [entry for entry in content.data["views"][0]["tasks"] if entry["name"] == name]
        assert (entry["delta"], entry["ci95"]) == (task.delta, [task.ci95.low, task.ci95.high] if task.ci95 else None)
        assert [part["name"] for part in entry["parts"]] == [member.name for member in task.members]
    assert told["sums"].lost
    assert told["school"].gained


def test_a_metric_that_is_better_when_lower_loses_when_it_rises(tmp_path: Path) -> None:
    one = write_run(tmp_path, "a", {"t": TaskRows([0.0, 1.0, 0.0, 1.0], metric="wer,none", higher_is_better=False)})
    other = write_run(tmp_path, "b", {"t": TaskRows([1.0, 1.0, 0.0, 0.0], metric="wer,none", higher_is_better=False)})
    assert Content.of(page_of(one, other)).outcomes() == ["lost", "wrong", "right", "gained"]


def test_documents_without_an_answer_are_no_flips(tmp_path: Path) -> None:
    one = write_run(tmp_path, "a", {"t": TaskRows([1.0, 1.0, 0.0, np.nan])})
    other = write_run(tmp_path, "b", {"t": TaskRows([1.0, np.nan, 1.0, np.nan])})
    assert Content.of(page_of(one, other)).outcomes() == ["right", "unanswered", "gained", "unanswered"]


def test_prompts_targets_and_both_answers_come_whole(tmp_path: Path) -> None:
    base, cand = pair_of_runs(tmp_path)
    content = Content.of(page_of(base, cand))
    columns = content.data["documents"]["views"][0]
    texts = content.texts()
    for place, doc_id in enumerate(columns["id"]):
        text = texts[place]
        assert text is not None
        if content.data["documents"]["leaves"][columns["leaf"][place]] != "sums":
            assert text["c"] == ["ant", "bee", "cat", "dog"]
            assert text["a"]["1"]["k"] == (0 if text["a"]["1"]["l"][0] >= text["a"]["1"]["l"][1] else 1)
            continue
        question = KOREAN if doc_id == 7 else f"question {doc_id}"
        assert (text["q"], text["t"]) == (question, f"target {doc_id}")
        assert text["prefix"] + text["p"] == f"Q: {question}\nA:"
        assert [text["a"][side]["o"] for side in "01"] == [[f"base wrote {doc_id}"], [f"cand wrote {doc_id}"]]
        assert text["a"]["1"]["x"] == f"read cand wrote {doc_id}"


def test_few_shot_examples_that_prompts_share_stand_once(tmp_path: Path) -> None:
    shots = "Q: one\nA: 1\n\n" * 50
    rows = [row(i, "x", prompt=f"{shots}Q: number {i}\nA:") for i in range(4)]
    folder = write_run(tmp_path, "a", {"sums": TaskRows([1.0, 0.0, 1.0, 0.0])}, samples={"sums": rows})
    content = Content.of(page_of(folder))
    assert {one["prefix"] for one in content.rows} == {shots}
    assert [one["p"] for one in content.rows] == [f"Q: number {i}\nA:" for i in range(4)]


def test_long_texts_keep_head_and_tail_and_say_how_much_is_left_out(tmp_path: Path) -> None:
    answer = "a" * 10_000 + "b" * 10_000
    folder = write_run(tmp_path, "a", {"sums": TaskRows([1.0])}, samples={"sums": [row(0, answer)]})
    [text] = Content.of(page_of(folder)).rows
    [[head, left_out, tail]] = text["a"]["0"]["o"]
    assert len(head) + left_out + len(tail) == 20_000
    assert answer.startswith(head)
    assert answer.endswith(tail)


def test_where_room_is_short_changed_documents_come_first_and_the_page_says_so(tmp_path: Path) -> None:
    n = 4000
    values = np.ones(n)
    changed = values.copy()
    changed[n - 5 :] = 0.0
    folders = [
        write_run(
            tmp_path, name, {"sums": TaskRows(column)}, samples={"sums": [row(i, "word " * 60) for i in range(n)]}
        )
        for name, column in (("a", values), ("b", changed))
    ]
    content = Content.of(page_of(*folders, room=100_000))
    texts = content.texts()
    assert all(texts[place] for place in range(n - 5, n))
    without = sum(text is None for text in texts)
    assert 0 < without < n - 5
    assert content.data["texts"]["no_room"] == without


def test_a_run_without_rows_keeps_its_flips_and_says_what_it_lacks(tmp_path: Path) -> None:
    base, cand = pair_of_runs(tmp_path)
    for path in (base / "samples").iterdir():
        path.unlink()
    content = Content.of(page_of(base, cand))
    assert content.data["texts"]["not_kept"]["0"] == ["sums", "school_art", "school_law", "school_한국사"]
    assert content.outcomes().count("lost")
    text = next(text for text in content.texts() if text)
    assert list(text["a"]) == ["1"]


def test_keys_never_reach_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANARY_API_KEY", "canary-0123456789")
    rows = [row(0, "my key is canary-0123456789")]
    folder = write_run(
        tmp_path,
        "a",
        {"sums": TaskRows([1.0])},
        samples={"sums": rows},
        manifest={"sampling": {"x": "canary-0123456789"}},
    )
    content = Content.of(page_of(folder))
    assert "canary-0123456789" not in json.dumps([content.data, content.rows])
    assert "[CANARY_API_KEY]" in content.rows[0]["a"]["0"]["o"][0]


def test_a_name_that_cannot_be_compared_is_left_out_with_its_reason(tmp_path: Path) -> None:
    tasks = {"sums": TaskRows([1.0, 0.0, 1.0]), "odd": TaskRows([1.0, 0.0, 1.0])}
    one = write_run(tmp_path, "a", tasks)
    tasks["odd"].figure = {"value": None, "reason": "the scorer raised", "higher_is_better": True}
    other = write_run(tmp_path, "b", tasks)
    [view] = Content.of(page_of(one, other)).data["views"]
    assert [task["name"] for task in view["tasks"]] == ["sums"]
    assert "the scorer raised" in view["refused"]["odd"]
    assert view["gate"]["verdict"] in ("pass", "cannot_tell", "regression")
    assert view["gate"]["policy"].startswith("by the default policy")


def test_runs_that_measured_different_things_stand_alone_with_the_reason(tmp_path: Path) -> None:
    one = write_run(tmp_path, "a", {"t": TaskRows([1.0, 0.0])})
    other = write_run(tmp_path, "b", {"t": TaskRows([1.0, 0.0], settings={"num_fewshot": 0})})
    alone, refused = Content.of(page_of(one, other)).data["views"]
    assert alone["baseline"] is refused["baseline"] is None
    assert "--allow shots" in refused["reason"]
    [meant] = Content.of(page_of(one, other, allow=["shots"])).data["views"]
    assert meant["baseline"] == 0
    assert any("shots" in note for note in meant["notes"])


def test_the_verdict_is_the_gates_under_the_policy_given(tmp_path: Path) -> None:
    base, cand = pair_of_runs(tmp_path, n=400)
    lax = Policy.parse({"tasks": {"sums": {"max_drop": 0.5}, "school": {"max_drop": 0.5, "tier": "supporting"}}})
    [view] = Content.of(page_of(base, cand, policy=lax)).data["views"]
    assert view["gate"]["verdict"] == "pass"
    assert view["tasks"][1]["gate"]["tier"] == "supporting"
    strict = Policy.parse({"tasks": {"sums": {"max_drop": 0.0001}}})
    [view] = Content.of(page_of(base, cand, policy=strict)).data["views"]
    assert view["gate"]["verdict"] != "pass"
    assert view["tasks"][1]["gate"] is None


def test_a_policy_may_hold_a_task_to_another_metric_under_a_label(tmp_path: Path) -> None:
    folders = []
    for name in "ab":
        folder = write_run(tmp_path, name, {"t": TaskRows([1.0, 0.0] * 40, metric="acc,none")})
        table = pq.read_table(folder / "scores.parquet")
        place = table.schema.get_field_index("metric")
        other = table.set_column(place, "metric", pa.array(["acc_norm"] * 80))
        pq.write_table(pa.concat_tables([table, other]), folder / "scores.parquet")
        results = json.loads((folder / "results.json").read_text())
        results["tasks"]["t"]["metrics"]["acc_norm,none"] = {"value": 0.5, "higher_is_better": True}
        results["tasks"]["t"]["headline"] = "acc,none"
        (folder / "results.json").write_text(json.dumps(results))
        folders.append(folder)
    policy = Policy.parse({"tasks": {"by length": {"task": "t", "metric": "acc_norm", "tier": "advisory"}}})
    [view] = Content.of(page_of(*folders, policy=policy)).data["views"]
    assert view["tasks"][0]["gate"] is None
    assert [(task["name"], task["metric"], task["gate"]["tier"]) for task in view["others"]] == [
        ("by length", "acc_norm,none", "advisory")
    ]


def test_another_tools_run_without_rows_stands_on_the_leaderboard_alone(tmp_path: Path) -> None:
    one = write_run(tmp_path, "a", {"t": TaskRows([1.0, 0.0], metric="acc,none")})
    folder = tmp_path / "theirs" / "their-model"
    folder.mkdir(parents=True)
    said = {
        "results": {"t": {"alias": "t", "acc,none": 0.5, "acc_stderr,none": 0.1}},
        "configs": {"t": {"task": "t", "output_type": "multiple_choice", "num_fewshot": 5}},
        "versions": {"t": 1.0},
        "n-shot": {"t": 5},
        "higher_is_better": {"t": {"acc": True}},
        "n-samples": {"t": {"original": 2, "effective": 2}},
        "config": {"model": "hf", "model_args": "pretrained=their-model", "limit": None},
        "model_name": "their-model",
        "lm_eval_version": "0.4.13",
        "date": 1_760_000_000.0,
    }
    (folder / "results_2026-11-20T10-00-00.000000.json").write_text(json.dumps(said))
    done = CliRunner().invoke(cli, ["report", str(one), str(folder), "--html", "-"], catch_exceptions=False)
    assert done.exit_code == 0
    assert "nothing can be paired" in done.stderr
    content = Content.of(done.stdout)
    assert {row["model"] for row in content.data["board"]["rows"]} == {"model", "their-model"}
    assert "nothing can be paired" in content.data["views"][1]["reason"]


def stopped_early(root: Path) -> tuple[Path, Path]:
    one = write_run(root, "a", {"t": TaskRows([1.0, 0.0] * 40)})
    own = {
        "verdict": "pass", "n": 60, "of": 80, "not_run": 20, "tier": "critical", "metric": "exact_match,strict-match",
        "higher_is_better": True, "baseline": 0.5, "candidate": 0.5, "delta": 0.0, "max_drop": 0.01, "tolerance": 0.01,
        "p": 0.5, "flips": {"lost": 0, "gained": 0}, "reasons": ["worse by at most 0.4 points"],
    }  # fmt: skip
    other = write_run(
        root,
        "b",
        {"t": TaskRows([1.0, 0.0] * 30, entry={"not_run": 20})},
        status="partial",
        manifest={"against": {"run_id": "a"}},
        results={"early_stopping": {"verdict": "pass", "tasks": {"t": own}}},
    )
    return one, other


def test_a_run_that_stopped_early_shows_its_own_verdict(tmp_path: Path) -> None:
    content = Content.of(page_of(*stopped_early(tmp_path)))
    [view] = content.data["views"]
    assert view["gate"]["verdict"] == "pass"
    assert "60 of 80 documents" in view["gate"]["headline"]
    assert "while it ran" in view["gate"]["policy"]
    assert view["tasks"][0]["gate"]["reasons"] == ["worse by at most 0.4 points"]
    assert [row["run_id"] for row in content.data["board"]["rows"]] == ["a"]


@given(
    st.recursive(st.none() | st.floats() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))
)
def test_any_value_becomes_json_that_cannot_leave_its_script_element(value: Any) -> None:
    clean = tidy(value, Scrubber({}))
    text = in_script(clean)
    assert not set(text) & set("<>&")
    assert json.loads(text) == clean
    text.encode()


@given(st.text(max_size=400), st.integers(1, 60), st.integers(1, 60))
def test_shortening_loses_nothing_but_what_it_counts(text: str, head: int, tail: int) -> None:
    found = shortened(text, head, tail)
    if isinstance(found, str):
        assert found == text
        return
    first, left_out, last = found
    assert text == f"{first}{text[len(str(first)) : len(text) - len(str(last))]}{last}"
    assert len(str(first)) + int(left_out) + len(str(last)) == len(text)


# ── the verb ─────────────────────────────────────────────────────────────────


def test_the_verb_writes_page_and_markdown(tmp_path: Path) -> None:
    pair_of_runs(tmp_path / "results")
    page, text = tmp_path / "out.html", tmp_path / "out.md"
    args = ["report", "base", "cand", "--output-path", str(tmp_path / "results")]
    done = CliRunner().invoke(cli, [*args, "--html", str(page), "--markdown", str(text)], catch_exceptions=False)
    assert done.exit_code == 0
    assert Content.of(page.read_text(encoding="utf-8")).data["runs"][1]["run_id"] == "cand"
    assert "model-cand" in text.read_text(encoding="utf-8")
    to_stdout = CliRunner().invoke(cli, [*args, "--html", "-"], catch_exceptions=False)
    assert to_stdout.stdout.startswith("<!doctype html>")
    assert to_stdout.stdout.rstrip().endswith("</html>")


def test_the_baseline_may_be_named_apart(tmp_path: Path) -> None:
    pair_of_runs(tmp_path)
    args = ["report", "cand", "base", "--baseline", "base", "--output-path", str(tmp_path), "--html", "-"]
    content = Content.of(CliRunner().invoke(cli, args, catch_exceptions=False).stdout)
    assert [run["run_id"] for run in content.data["runs"]] == ["base", "cand"]
    assert [(view["baseline"], view["run"]) for view in content.data["views"]] == [(0, 1)]


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (["nowhere", "--html", "-"], 2, "nowhere"),
        (["base", "base", "--html", "-"], 2, "twice"),
        (["base", "cand", "--allow", "everything", "--html", "-"], 2, "everything"),
        (["base", "cand", "--tasks", "schol", "--html", "-"], 2, "school"),
        (["base", "cand", "--html", "/proc/no/such/out.html"], 4, "cannot be written"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], args: list[str], code: int, said: str
) -> None:
    pair_of_runs(tmp_path)
    with pytest.raises(SystemExit) as stop:
        main(["report", *args, "--output-path", str(tmp_path)])
    assert stop.value.code == code
    error = capsys.readouterr().err
    assert said in error
    assert "Traceback" not in error


def test_a_broken_run_folder_is_an_error_and_not_a_blank(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base, _ = pair_of_runs(tmp_path)
    (base / "scores.parquet").write_bytes(b"PAR1 cut short")
    with pytest.raises(SystemExit) as stop:
        main(["report", "base", "cand", "--output-path", str(tmp_path), "--html", "-"])
    assert stop.value.code == 4
    assert "scores.parquet" in capsys.readouterr().err


# ── in a real browser, without a network ─────────────────────────────────────


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    try:
        with launched() as found:
            yield found
    except NoBrowser as why:
        pytest.skip(str(why))


@dataclass
class Opened:
    tab: Tab
    requests: list[str]
    troubles: list[str]

    def text(self, selector: str = "body") -> str:
        return str(self.tab.locator(selector).inner_text())

    def count_shown(self) -> int:
        self.tab.wait_for_selector(".list:not([aria-busy])")
        found = re.match(r"([\d,]+) documents?", self.text("#doc-count"))
        return int(found.group(1).replace(",", "")) if found else 0

    def chip(self, outcome: str) -> int:
        return int(self.text(f".chip[data-outcome='{outcome}'] .count").replace(",", ""))

    def every_outcome(self) -> None:
        for outcome in self.tab.locator(".chip[aria-pressed='false']").evaluate_all(
            "all => all.map(c => c.dataset.outcome)"
        ):
            self.tab.click(f".chip[data-outcome='{outcome}']")


@pytest.fixture
def open_page(browser: Browser, tmp_path: Path) -> Iterator[Any]:
    contexts = []

    def opened(html: str, viewport: Mapping[str, int] = DESK, scheme: str = "light", offline: bool = True) -> Opened:
        path = tmp_path / f"page-{len(contexts)}.html"
        path.write_text(html, encoding="utf-8")
        context = browser.new_context(offline=offline, viewport=dict(viewport), color_scheme=scheme)  # type: ignore[arg-type]
        contexts.append(context)
        tab = context.new_page()
        found = Opened(tab, [], [])
        tab.on("request", lambda request: found.requests.append(request.url))
        tab.on("console", lambda message: found.troubles.append(message.text) if message.type == "error" else None)
        tab.on("pageerror", lambda error: found.troubles.append(str(error)))
        tab.on("dialog", lambda dialog: (found.troubles.append(f"dialog {dialog.message}"), dialog.dismiss()))
        tab.goto(path.as_uri())
        tab.wait_for_selector("body[data-ready]")
        return found

    yield opened
    for context in contexts:
        context.close()


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
