"""A log of inspect_ai as it is really written, beside runs of other tools: no hash and no metric's name in common."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evalkit.comparison import compare
from evalkit.errors import NotComparable
from evalkit.gating import GateResult, gate
from evalkit.policy import Policy
from evalkit.reporting.views import look
from evalkit.results import Run, find
from tests.helpers.runfolders import TaskRows, write_run

N = 300
METRIC = "exact_match,strict-match"


def question(i: int) -> str:
    return f"What is {i} + 2?"


def texts(right: int) -> list[str]:
    """The first `right` answers are right."""
    return [f"The answer is {i + 2}" if i < right else "I do not know" for i in range(N)]


def value(i: int, text: str) -> float:
    return float(text.endswith(f" {i + 2}"))


def rows(answers: Sequence[str], values: Sequence[float]) -> list[dict[str, Any]]:
    return [
        {
            "doc_id": i,
            "doc": {"question": question(i), "answer": f"#### {i + 2}"},
            "target": f"#### {i + 2}",
            "arguments": [[f"Question: {question(i)}\nAnswer:", {}]],
            "resps": [[text]],
            "filtered_resps": [text],
            "filter": "strict-match",
            "metrics": ["exact_match"],
            "doc_hash": f"h{i}",
            "exact_match": one,
        }
        for i, (text, one) in enumerate(zip(answers, values, strict=True))
    ]


def own(root: Path, answers: Sequence[str], scored: Callable[[int, str], float] = value) -> Run:
    values = [scored(i, text) for i, text in enumerate(answers)]
    found = TaskRows(np.array(values), METRIC, hashes=[f"h{i}" for i in range(N)])
    return Run.open(write_run(root, "own", {"sums": found}, samples={"sums": rows(answers, values)}))


def lmeval(root: Path, answers: Sequence[str]) -> Run:
    folder = root / "lm"
    folder.mkdir(parents=True)
    date = "2026-11-20T10-00-00.000000"
    values = [value(i, text) for i, text in enumerate(answers)]
    lines = [json.dumps(row) + "\n" for row in rows(answers, values)]
    (folder / f"samples_sums_{date}.jsonl").write_text("".join(lines))
    content = {
        "results": {"sums": {METRIC: float(np.mean(values))}},
        "configs": {"sums": {"output_type": "generate_until"}},
        "n-samples": {"sums": {"original": N, "effective": N}},
        "higher_is_better": {"sums": {"exact_match": True}},
        "model_name": "m",
        "date": 1.79e9,
    }
    (folder / f"results_{date}.json").write_text(json.dumps(content))
    return find(str(folder))


def inspect(
    root: Path,
    answers: Sequence[str],
    scored: Callable[[int, str], float] = value,
    asked: Callable[[int], Any] = question,
    task: str = "inspect_evals/sums",
) -> Run:
    """Numbered from 1 in another order than the data's, scored by its own match()."""
    order = sorted(range(len(answers)), key=lambda i: (i * 7) % len(answers))
    values = {i: scored(i, answers[i]) for i in order}
    samples = [
        {
            "id": place,
            "epoch": 1,
            "input": asked(i),
            "target": str(i + 2),
            "output": {"completion": answers[i], "choices": [{"stop_reason": "stop"}]},
            "scores": {"match": {"value": "C" if values[i] else "I", "answer": answers[i]}},
        }
        for place, i in enumerate(order, 1)
    ]
    metrics = {"accuracy": {"name": "inspect_ai/accuracy", "value": float(np.mean(list(values.values())))}}
    content = {
        "version": 2,
        "status": "success",
        "eval": {"task": task, "task_version": 2, "model": "m", "created": "2026-11-20T10:00:00+00:00"},
        "plan": {"steps": [{"solver": "generate", "params": {}}]},
        "results": {"scores": [{"name": "match", "scorer": "match", "metrics": metrics}]},
        "samples": samples,
    }
    path = root / "log.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return find(str(path))


def verdict(a: Run, b: Run, policy: dict[str, Any] | None = None) -> GateResult:
    return gate(a, b, Policy.parse({"tasks": policy or {"sums": {"max_drop": 0.02}}}))


@pytest.mark.parametrize("other", [own, lmeval])
def test_equal_answers_pass_and_a_drop_of_20_points_is_a_regression(tmp_path: Path, other: Any) -> None:
    good, bad = texts(200), texts(140)
    log, worse_log = inspect(tmp_path / "good", good), inspect(tmp_path / "bad", bad)
    run, worse_run = other(tmp_path / "good", good), other(tmp_path / "bad", bad)
    for a, b in ((run, log), (log, run)):
        result = verdict(a, b)
        assert (result.verdict, result.tasks[0].n, result.tasks[0].delta) == ("pass", N, 0)
        assert result.tasks[0].metric == METRIC
        assert any(
            "300 of 300 documents" in note and f"accuracy,match there stands for {METRIC}" in note
            for note in result.notes
        )
    for a, b in ((run, worse_log), (log, worse_run)):
        result = verdict(a, b)
        assert result.verdict == "regression"
        assert result.tasks[0].delta == pytest.approx(-0.2)


@pytest.mark.parametrize(
    "asked",
    [
        lambda i: f"Solve this.\n\nQuestion: {question(i)}\nAnswer:",
        lambda i: [{"role": "system", "content": "Be brief."}, {"role": "user", "content": f"  {question(i)}\n"}],
        lambda i: f"Q: {question(i)}",
    ],
    ids=["prompt", "messages", "label"],
)
def test_the_question_is_found_in_what_the_log_asked(tmp_path: Path, asked: Callable[[int], Any]) -> None:
    log = inspect(tmp_path, texts(200), asked=asked)
    assert verdict(own(tmp_path, texts(200)), log).tasks[0].n == N


def test_an_equal_answer_is_no_change_however_two_scorers_judge_it(tmp_path: Path) -> None:
    """The log's scorer finds nothing right in any answer."""
    blind = inspect(tmp_path / "a", texts(200), scored=lambda i, text: 0.0)
    run = own(tmp_path / "a", texts(200))
    for a, b in ((run, blind), (blind, run)):
        result = verdict(a, b)
        assert result.verdict == "pass"
        assert any("score 200 of 300 equal answers differently" in note for note in result.notes)
    changed = inspect(tmp_path / "b", [f"{text}." for text in texts(200)], scored=lambda i, text: 0.0)
    assert verdict(run, changed).verdict == "regression"  # nothing says that the scorers disagree
    half = [text if i % 2 else f"{text}." for i, text in enumerate(texts(200))]
    result = verdict(run, inspect(tmp_path / "c", half, scored=lambda i, text: 0.0))
    assert result.verdict == "cannot_tell"
    assert any("100 other documents whose score differs count as not known" in note for note in result.notes)


def test_a_policy_may_use_the_logs_own_names(tmp_path: Path) -> None:
    run, log = own(tmp_path, texts(200)), inspect(tmp_path, texts(140))
    result = verdict(run, log, {"inspect_evals/sums": {"max_drop": 0.02, "metric": "accuracy"}})
    assert result.verdict == "regression"


def test_compare_and_report_pair_them_too(tmp_path: Path) -> None:
    run, log = own(tmp_path, texts(200)), inspect(tmp_path, texts(140))
    (against,) = compare(run, [log], flips=2).against
    (task,) = against.tasks
    assert (task.n, task.lost, task.gained) == (N, 60, 0)
    flip = task.flips[0]
    assert (flip.question, flip.baseline, flip.candidate) == (question(140), "The answer is 142", "I do not know")
    (view,) = look([run, log])
    assert view.reason is None
    assert len(view.parts) == 1


def test_documents_that_a_log_lacks_are_not_its_losses(tmp_path: Path) -> None:
    log = inspect(tmp_path, texts(200)[:200])
    result = verdict(own(tmp_path, texts(200)), log)
    assert result.tasks[0].n == 200
    assert result.verdict == "cannot_tell"


def test_other_questions_are_refused_with_the_reason(tmp_path: Path) -> None:
    log = inspect(tmp_path, texts(200), asked=lambda i: f"Name a country of {i} letters.")
    with pytest.raises(NotComparable, match=r"fewer than half of the questions of log stand in own"):
        verdict(own(tmp_path, texts(200)), log)
    bare = write_run(tmp_path / "bare", "bare", {"sums": TaskRows(np.ones(N), METRIC)})
    with pytest.raises(NotComparable, match=r"bare has no rows \(samples/\)"):
        verdict(Run.open(bare), log)


def test_questions_that_stand_twice_are_told_apart_by_their_choices(tmp_path: Path) -> None:
    from evalkit.comparison.questions import same_questions

    ours = [{"doc": {"query": "Which?", "choices": {"text": [a, "z"]}}} for a in ("x", "y", "w")]
    samples = [{"doc": {"input": "Which?", "choices": [a, "z"]}} for a in ("y", "x")]
    assert same_questions(ours, samples) == {0: 1, 1: 0}
    plain_ones = [{"doc": {"input": "Which?"}}]
    assert same_questions(ours, plain_ones) == {}
    assert same_questions([{"doc": {"task_id": "HumanEval/3"}}], [{"doc": {"id": "HumanEval/3", "input": "def"}}])
