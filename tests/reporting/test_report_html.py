"""The report's page: what it holds, read without a browser."""

from __future__ import annotations

import json
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
from evalkit.reporting.html.tidy import in_script, shortened, tidy
from evalkit.results import Run
from evalkit.scrub import Scrubber
from tests.helpers.pages import (
    KOREAN,
    Content,
    page_of,
    pair_of_runs,
    row,
    stopped_early,
)
from tests.helpers.runfolders import TaskRows, write_run

if TYPE_CHECKING:
    pass


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
