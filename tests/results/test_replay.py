"""Recorded answers, from outside: files in, answers for documents out, and a line number for whatever is wrong."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.cli import main
from evalkit.comparison import compare
from evalkit.errors import AskedWrong, ConfigError, UsageError
from evalkit.results import Run, RunWriter, find, slug
from evalkit.results.recorded import Recording
from evalkit.types import Answer, Generated, Request, Row, Scored
from tests.helpers.runfolders import commit, manifest_of, results_of


@dataclass(frozen=True)
class Asked:
    doc_id: int
    doc_hash: str
    requests: tuple[Request, ...]


def generates(count: int, repeats: int = 1) -> list[Asked]:
    return [Asked(i, f"hash{i}", (Request("generate", f"q{i}", repeats=repeats),)) for i in range(count)]


def chooses(count: int, choices: int = 4) -> list[Asked]:
    return [Asked(i, f"hash{i}", (Request("score", f"q{i}", " x"),) * choices) for i in range(count)]


def write(path: Path, rows: Sequence[Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = (row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def texts(found: dict[int, Any]) -> dict[int, list[list[str]]]:
    return {i: [[a.text for a in group] for group in item.answers] for i, item in found.items()}


# ── evalkit's own format ─────────────────────────────────────────────────────


def test_outputs_are_matched_to_documents_and_nothing_is_filled_in(tmp_path: Path) -> None:
    rows = [{"task": "t", "doc_id": 2, "output": "답"}, {"task": "t", "doc_id": 0, "output": " raw \n"}]
    recording = Recording.load(write(tmp_path / "my-model.jsonl", rows))
    assert (recording.label, recording.tasks) == ("my-model", ("t",))
    found = recording.of("t", generates(4))
    assert texts(found) == {2: [["답"]], 0: [[" raw \n"]]}
    assert found[2].prompt_hash is None
    assert found[2].place.endswith("my-model.jsonl:1")


def test_several_samples_of_one_document(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [{"task": "t", "doc_id": 0, "outputs": ["a", "b", "c"]}])
    assert texts(Recording.load(path).of("t", generates(1, 3))) == {0: [["a", "b", "c"]]}


def test_log_probabilities_of_choices(tmp_path: Path) -> None:
    row = {"task": "t", "doc_id": 0, "choice_logprobs": [-1.5, -2, -0.25, -9.0], "prompt_hash": "p"}
    found = Recording.load(write(tmp_path / "a.jsonl", [row])).of("t", chooses(1))
    assert [[(a.logprob, a.is_greedy) for a in group] for group in found[0].answers] == [  # type: ignore[union-attr]
        [(-1.5, False)],
        [(-2.0, False)],
        [(-0.25, False)],
        [(-9.0, False)],
    ]
    assert found[0].prompt_hash == "p"


def test_greediness_is_asked_for_where_a_metric_looks_at_it(tmp_path: Path) -> None:
    row = {"task": "t", "doc_id": 0, "choice_logprobs": [-1.5, -2.0]}
    path = write(tmp_path / "a.jsonl", [row])
    with pytest.raises(ConfigError, match="choice_greedy"):
        Recording.load(path).of("t", chooses(1, 2), needs_greedy=True)
    write(path, [{**row, "choice_greedy": [False, True]}])
    found = Recording.load(path).of("t", chooses(1, 2), needs_greedy=True)[0].answers
    assert [group[0].is_greedy for group in found] == [False, True]  # type: ignore[union-attr]
    write(path, [{**row, "choice_greedy": [True]}])
    with pytest.raises(ConfigError, match="choice_greedy"):
        Recording.load(path).of("t", chooses(1, 2))


def test_a_null_output_is_no_answer(tmp_path: Path) -> None:
    rows = [{"task": "t", "doc_id": 0, "output": None}, {"task": "t", "doc_id": 1, "output": ""}]
    assert texts(Recording.load(write(tmp_path / "a.jsonl", rows)).of("t", generates(2))) == {1: [[""]]}


def test_a_limit_leaves_the_rest_of_the_recording_alone(tmp_path: Path) -> None:
    rows = [{"task": "t", "doc_id": i, "output": str(i), "doc_hash": f"hash{i}"} for i in range(10)]
    found = Recording.load(write(tmp_path / "a.jsonl", rows)).of("t", generates(10)[:3], size=10)
    assert sorted(found) == [0, 1, 2]


GOOD = {"task": "t", "doc_id": 0, "output": "a"}


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("{", "not JSON"),
        ("[1]", "list"),
        ({"doc_id": 0, "output": "a"}, "names no task"),
        ({"task": "t", "output": "a"}, "doc_id"),
        ({"task": "t", "doc_id": "0", "output": "a"}, "doc_id"),
        ({"task": "t", "doc_id": True, "output": "a"}, "doc_id"),
        ({"task": "t", "doc_id": -1, "output": "a"}, "doc_id"),
        ({"task": "t", "doc_id": 1}, "output, outputs and choice_logprobs"),
        ({"task": "t", "doc_id": 1, "output": "a", "outputs": ["a"]}, "both output and outputs"),
        ({"task": "t", "doc_id": 1, "output": 3}, "not text"),
        ({"task": "t", "doc_id": 1, "outputs": []}, "list of texts"),
        ({"task": "t", "doc_id": 1, "outputs": "ab"}, "list of texts"),
        ({"task": "t", "doc_id": 1, "choice_logprobs": ["-1"]}, "list of log-probabilities"),
        ('{"task": "t", "doc_id": 1, "choice_logprobs": [NaN]}', "list of log-probabilities"),
        ({"task": "t", "doc_id": 1, "output": "a", "doc_hash": 5}, "doc_hash"),
        (GOOD, "already"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, row: Any, says: str) -> None:
    path = write(tmp_path / "a.jsonl", [GOOD, "", row])
    with pytest.raises(ConfigError, match=says) as caught:
        Recording.load(path)
    assert f"{path}:3" in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("row", "documents", "says"),
    [
        ({**GOOD, "doc_id": 5}, generates(5), "5 documents"),
        ({**GOOD, "doc_hash": "other"}, generates(5), "other data"),
        (GOOD, chooses(5), "choice_logprobs"),
        ({"task": "t", "doc_id": 0, "choice_logprobs": [-1.0]}, generates(5), "output"),
        ({"task": "t", "doc_id": 0, "choice_logprobs": [-1.0, -2.0]}, chooses(5, 4), "2 answers.*4 choices"),
        ({"task": "t", "doc_id": 0, "resps": [["a"], ["b"]]}, generates(5), "2 answers.*1 requests"),
        ({"task": "t", "doc_id": 0, "resps": [["a"]] * 4}, chooses(5, 4), "log-probability"),
    ],
)
def test_a_line_that_does_not_fit_its_document_is_named(
    tmp_path: Path, row: Any, documents: list[Asked], says: str
) -> None:
    path = write(tmp_path / "a.jsonl", [row])
    with pytest.raises(ConfigError, match=says) as caught:
        Recording.load(path).of("t", documents)
    assert f"{path}:1" in str(caught.value)


def test_rows_are_matched_by_content_where_they_say_it(tmp_path: Path) -> None:
    rows = [{"task": "t", "doc_id": 0, "output": "b", "doc_hash": "hash1"}]
    recording = Recording.load(write(tmp_path / "a.jsonl", rows))
    assert texts(recording.of("t", generates(3))) == {1: [["b"]]}
    assert "doc_hash" in recording.notes[0]


def test_equal_documents_keep_their_own_answers(tmp_path: Path) -> None:
    documents = [Asked(i, "same", (Request("generate", "q"),)) for i in range(3)]
    rows = [{"task": "t", "doc_id": i, "output": str(i), "doc_hash": "same"} for i in (2, 0, 1)]
    found = Recording.load(write(tmp_path / "a.jsonl", rows)).of("t", documents)
    assert texts(found) == {0: [["0"]], 1: [["1"]], 2: [["2"]]}


def test_a_document_recorded_twice_under_two_descriptions_is_named(tmp_path: Path) -> None:
    rows = [GOOD, {**GOOD, "doc_hash": "hash0"}]
    with pytest.raises(ConfigError, match=r"a\.jsonl:2.*a\.jsonl:1 as well"):
        Recording.load(write(tmp_path / "a.jsonl", rows)).of("t", generates(1))


@pytest.mark.parametrize("name", ["nowhere.jsonl", "nowhere"])
def test_a_file_that_is_not_there(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=name):
        Recording.load(tmp_path / name)


def test_an_empty_file_and_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no recorded answer"):
        Recording.load(write(tmp_path / "a.jsonl", []))
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=r"samples_\*\.jsonl"):
        Recording.load(tmp_path / "empty")


def test_a_byte_order_mark_is_no_part_of_the_first_line(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b"\xef\xbb\xbf" + json.dumps(GOOD).encode())
    assert Recording.load(tmp_path / "a.jsonl").tasks == ("t",)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)

any_rows = st.fixed_dictionaries(
    {"task": st.just("t") | json_values, "doc_id": st.integers(-1, 3) | json_values},
    optional=dict.fromkeys(("finish", "filter", "doc_hash", "choice_greedy", "cut_tokens"), json_values),
)
any_answers = st.tuples(
    st.sampled_from(["output", "outputs", "choice_logprobs", "resps"]),
    json_values | st.lists(st.lists(st.lists(json_values, max_size=2), max_size=2), max_size=4),
)


@given(
    st.lists(st.tuples(any_rows, any_answers), max_size=3), st.sampled_from([generates(3), chooses(3), chooses(3, 1)])
)
def test_whatever_a_file_holds_it_is_read_or_refused_in_words(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Any], documents: list[Asked]
) -> None:
    path = write(tmp_path_factory.mktemp("any") / "a.jsonl", [{**row, key: value} for row, (key, value) in rows])
    message = "a.jsonl"
    try:
        recording = Recording.load(path)
        for task in recording.tasks:
            recording.of(task, documents)
    except AskedWrong as refused:
        message = str(refused)
    assert "a.jsonl" in message


# ── lm-eval's samples ────────────────────────────────────────────────────────


def sample(doc_id: int, resps: Any, **more: Any) -> dict[str, Any]:
    """A line as lm-eval writes it: numbers and truths as text."""
    base = {"doc_id": doc_id, "doc": {"q": "?"}, "target": "x", "arguments": {}, "resps": resps, "filtered_resps": []}
    return {**base, "filter": "none", "doc_hash": f"hash{doc_id}", "prompt_hash": f"p{doc_id}", **more}


def test_lm_evals_samples_of_choices(tmp_path: Path) -> None:
    resps = [[["-1.25", "False"]], [["-0.5", "True"]]]
    path = write(tmp_path / "samples_arc_easy_2026-01-02T03-04-05.678901.jsonl", [sample(0, resps)])
    recording = Recording.load(path)
    assert recording.tasks == ("arc_easy",)
    found = recording.of("arc_easy", chooses(1, 2), needs_greedy=True)
    assert found[0].answers == [[Scored(0, -1.25, False)], [Scored(0, -0.5, True)]]
    assert found[0].prompt_hash == "p0"


def test_lm_evals_samples_have_a_line_for_each_filter(tmp_path: Path) -> None:
    rows = [sample(0, [["a"]], filter="strict-match"), sample(0, [["a"]], filter="flexible-extract")]
    path = write(tmp_path / "samples_gsm8k_2026-01-02T03-04-05.678901.jsonl", rows)
    assert texts(Recording.load(path).of("gsm8k", generates(1))) == {0: [["a"]]}
    write(path, [rows[0], {**rows[1], "resps": [["b"]]}])
    with pytest.raises(ConfigError, match="other answers"):
        Recording.load(path)


def test_lm_evals_rolling_samples(tmp_path: Path) -> None:
    path = write(tmp_path / "samples_wikitext.jsonl", [sample(0, [["-123.5"]])])
    documents = [Asked(0, "hash0", (Request("rolling", "text"),))]
    assert Recording.load(path).of("wikitext", documents)[0].answers == [[Scored(0, -123.5, False)]]


def test_a_folder_of_lm_eval_gives_the_newest_file_of_each_task(tmp_path: Path) -> None:
    folder = tmp_path / "out" / "org__model"
    write(folder / "samples_a_2026-01-01T00-00-00.000001.jsonl", [sample(0, [["old"]])])
    write(folder / "samples_a_2026-01-02T00-00-00.000001.jsonl", [sample(0, [["new"]])])
    write(folder / "samples_b_2026-01-01T00-00-00.000001.jsonl", [sample(0, [["b"]])])
    (folder / "results_2026-01-01T00-00-00.000001.json").write_text("{}")
    for asked in (folder, tmp_path / "out"):
        recording = Recording.load(asked)
        assert recording.tasks == ("a", "b")
        assert texts(recording.of("a", generates(1))) == {0: [["new"]]}
        assert "1 older" in recording.notes[0]


# ── a run's own rows ─────────────────────────────────────────────────────────


def run_of(root: Path, task: str, samples: list[dict[str, Any]]) -> Run:
    with RunWriter(root, "nano", "r1") as writer:
        writer.rows(task, [Row(task, s["doc_id"], s["doc_hash"], None, "none", s, {"acc": 1.0}) for s in samples])
        figures = {"tasks": {task: {"n": len(samples)}}, "status": "complete"}
        return commit(writer, {"model": {"typed": "nano"}}, figures)


def test_a_runs_own_rows_come_back_to_the_bit(tmp_path: Path) -> None:
    logprobs = [-0.1 - 0.2, -1e-300, -math.inf, -3.141592653589793]
    resps = [[(value, index == 1)] for index, value in enumerate(logprobs)]
    run = run_of(tmp_path, "한국어/task", [sample(0, resps, cut_tokens=7)])
    names = {run.rows_path(task).stem: task for task in results_of(run)["tasks"]}
    assert names == {slug("한국어/task"): "한국어/task"}
    [found] = Recording.load(run.path, names).of("한국어/task", chooses(1)).values()
    expected: list[list[Answer]] = [[Scored(0, value, index == 1)] for index, value in enumerate(logprobs)]
    assert found.answers == expected
    assert found.cut_tokens == 7


def test_how_each_answer_ended_is_kept(tmp_path: Path) -> None:
    rows = [sample(0, [["a", "b"]], finish=["stop", "length"]), sample(1, []), sample(2, [["c"]])]
    run = run_of(tmp_path, "t", rows)
    found = Recording.load(run.path).of("t", generates(3, 2))
    assert found[0].answers == [[Generated(0, "a", "stop", 0), Generated(0, "b", "length", 0)]]
    assert sorted(found) == [0, 2], "a row that holds no answer gives none"


@pytest.mark.parametrize("asked", ["chat", "plain"])
def test_scoring_a_run_again_gives_its_own_rows(asked: str, tiny_chat_model: Path, tmp_path: Path) -> None:
    chat = ["--apply-chat-template", "--system-instruction", "Be brief.", "--fewshot-as-multiturn", "false"]
    run = ["run", "--model", str(tiny_chat_model), "--engine", "hf", "--limit", "4"]
    run += ["--tasks", "mini_arithmetic,mini_knowledge"]
    run += ["--gen-kwargs", "max_gen_toks=8", "--num-fewshot", "2", *(chat if asked == "chat" else [])]
    for argv in ([*run, "--name", "first"], ["score", "first", "--name", "again"]):
        with pytest.raises(SystemExit) as stop:
            main([*argv, "--quiet", "--output-path", str(tmp_path)])
        assert not stop.value.code
    first, again = find("first", tmp_path), find("again", tmp_path)
    assert set(results_of(again)["tasks"]) == {"mini_arithmetic", "mini_knowledge"}
    for task in results_of(first)["tasks"]:
        assert list(again.rows(task)) == list(first.rows(task))
        assert results_of(again)["tasks"][task]["metrics"] == results_of(first)["tasks"][task]["metrics"]
        assert manifest_of(again)["tasks"][task] == manifest_of(first)["tasks"][task]
    assert manifest_of(again)["chat_template"] == manifest_of(first)["chat_template"]
    assert manifest_of(first)["chat_template"]["applied"] is (asked == "chat")
    assert compare(first, [again]).against[0].notes == ("first is limited", "again is limited")


def test_lm_evals_way_of_writing_what_was_asked(tmp_path: Path) -> None:
    row = {"doc_id": 0, "resps": [["a"]], "filter": "none", "arguments": {"gen_args_0": {"arg_0": "Q:", "arg_1": {}}}}
    recording = Recording.load(write(tmp_path / "samples_t_2026-11-21T10-00-00.jsonl", [row]))
    assert recording.of("t", generates(1))[0].arguments == [["Q:", {}]]
