"""Equal answers kept by four tools: what one tool does not write down is never held against the other run."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evalkit.errors import ConfigError
from evalkit.gating import GateResult, gate
from evalkit.policy import Policy
from evalkit.reporting import gate_view
from evalkit.results import Run, find
from evalkit.results.foreign.inspect_samples import id_hash
from tests.helpers.runfolders import TaskRows, write_run

N = 300
METRIC = "accuracy,match"
TOOLS = ("own", "lm-eval", "inspect_ai", "recorded")
HASHES = [id_hash(i) for i in range(N)]


def values(right: int) -> np.ndarray:
    return (np.arange(N) < right).astype(float)


def own(root: Path, name: str, right: int) -> Run:
    """evalkit saw that every answer was cut off and that nothing was found in it."""
    counts = {"truncated_prompts": N, "unfinished": N, "unparsed": N}
    rows = TaskRows(
        values(right),
        METRIC,
        hashes=HASHES,
        prompts=None,
        flags=dict.fromkeys(range(N), "cut,unfinished,unparsed"),
        entry=counts,
        settings={"version": None, "num_fewshot": None, "prompts_hash": None, "data_hash": None},
    )
    return Run.open(write_run(root, name, {"sums": rows}))


def recorded(root: Path, name: str, right: int) -> Run:
    """Scored from answers that came without their end and without what was cut of the prompt; all were unreadable."""
    unknown = {"value": None, "reason": "300 recorded answers do not say it"}
    rows = TaskRows(
        values(right),
        METRIC,
        hashes=HASHES,
        prompts=None,
        flags=dict.fromkeys(range(N), "unparsed"),
        entry={"truncated_prompts": unknown, "unfinished": unknown, "unparsed": N},
        settings={"version": None, "num_fewshot": None, "prompts_hash": None, "data_hash": None},
    )
    return Run.open(write_run(root, name, {"sums": rows}, manifest={"engine": {"name": "replay"}}))


def lmeval(root: Path, name: str, right: int) -> Run:
    folder = root / f"lm-{name}"
    folder.mkdir(parents=True)
    date = "2026-11-20T10-00-00.000000"
    rows = [
        {"doc_id": i, "doc_hash": HASHES[i], "filter": "match", "metrics": ["accuracy"], "accuracy": float(value)}
        for i, value in enumerate(values(right))
    ]
    (folder / f"samples_sums_{date}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    content = {
        "results": {"sums": {METRIC: right / N, "accuracy_stderr,match": 0.02}},
        "configs": {"sums": {"output_type": "generate_until"}},
        "n-samples": {"sums": {"original": N, "effective": N}},
        "higher_is_better": {"sums": {"accuracy": True}},
        "model_name": "m",
        "date": 1.79e9,
    }
    (folder / f"results_{date}.json").write_text(json.dumps(content))
    return find(str(folder))


def inspect(root: Path, name: str, right: int) -> Run:
    samples = [
        {"id": i, "epoch": 1, "input": "?", "target": "x", "scores": {"match": {"value": "C" if v else "I"}}}
        for i, v in enumerate(values(right))
    ]
    metrics = {"accuracy": {"name": "accuracy", "value": right / N}}
    content = {
        "version": 2,
        "status": "success",
        "eval": {"task": "sums", "model": "m", "created": "2026-11-20T10:00:00+00:00"},
        "results": {"scores": [{"name": "match", "scorer": "match", "metrics": metrics}]},
        "samples": samples,
    }
    path = root / f"inspect-{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return find(str(path))


MAKERS: dict[str, Any] = {"own": own, "lm-eval": lmeval, "inspect_ai": inspect, "recorded": recorded}
# inspect_ai's runs state an output type and hashes of their own, which no other tool's can equal.
ALLOWED = ["version", "prompts"]


def judged(root: Path, baseline: str, candidate: str, rights: tuple[int, int], policy: Any = None) -> GateResult:
    a = MAKERS[baseline](root / "a", "a", rights[0])
    b = MAKERS[candidate](root / "b", "b", rights[1])
    tolerant = policy or {"sums": {"max_drop": 0.02}}
    return gate(a, b, Policy.parse({"tasks": tolerant}), allow=ALLOWED)


PAIRS = list(itertools.product(TOOLS, TOOLS))


@pytest.mark.parametrize(("baseline", "candidate"), PAIRS, ids=lambda name: name)
def test_equal_answers_are_no_regression_whoever_kept_them(tmp_path: Path, baseline: str, candidate: str) -> None:
    result = judged(tmp_path, baseline, candidate, (200, 200))
    assert result.verdict == "pass", result.tasks[0].reasons
    assert result.tasks[0].delta == 0


@pytest.mark.parametrize(("baseline", "candidate"), PAIRS, ids=lambda name: name)
def test_a_drop_of_20_points_is_a_regression_whoever_kept_it(tmp_path: Path, baseline: str, candidate: str) -> None:
    result = judged(tmp_path, baseline, candidate, (200, 140))
    assert result.verdict == "regression"
    assert result.tasks[0].metric_verdict == "regression"


def test_what_is_not_compared_is_said_with_its_reason(tmp_path: Path) -> None:
    result = judged(tmp_path, "lm-eval", "own", (200, 200))
    flags = {flag.kind: flag for flag in result.tasks[0].flags}
    assert {kind for kind, flag in flags.items() if flag.verdict is None} == {"cut", "unfinished", "unparsed"}
    assert flags["unfinished"].baseline is None
    assert "lm-eval does not write how an answer ended" in (flags["unfinished"].reason or "")
    assert any("not compared: unfinished answers" in reason for reason in result.tasks[0].reasons)
    entry = gate_view.as_dict(result)["tasks"]["sums"]["flags"]["unfinished"]
    assert (entry["verdict"], entry["baseline"], entry["rise"]) == (None, None, None)
    assert "lm-eval" in entry["reason"]
    assert "not compared" in gate_view.as_markdown(result)


def test_what_both_know_is_still_compared(tmp_path: Path) -> None:
    """Recorded answers are read by evalkit's own filters, so that unreadable ones are known."""
    clean = TaskRows(
        values(200), METRIC, hashes=HASHES, prompts=None, entry={"truncated_prompts": 0, "unfinished": 0, "unparsed": 0}
    )
    a = Run.open(write_run(tmp_path / "a", "a", {"sums": clean}))
    result = gate(a, recorded(tmp_path / "b", "b", 200), allow=ALLOWED)
    assert result.verdict == "regression"
    (task,) = result.tasks
    assert (task.metric_verdict, task.because) == ("pass", "unparsed 0 → 300")


def test_a_row_that_fails_for_its_answers_says_so_itself(tmp_path: Path) -> None:
    flagged = TaskRows(values(200), flags=dict.fromkeys(range(N), "unparsed"))
    a = Run.open(write_run(tmp_path, "a", {"sums": TaskRows(values(200))}))
    b = Run.open(write_run(tmp_path, "b", {"sums": flagged}))
    result = gate(a, b, Policy.parse({"tasks": {"sums": {"max_drop": 0.02}}}))
    row = next(line for line in gate_view.as_markdown(result).splitlines() if line.startswith("| sums"))
    assert "REGRESSION (unparsed 0 → 300)" in row
    assert "+0.00" in row


def test_the_first_reason_is_the_one_that_the_verdict_rests_on(tmp_path: Path) -> None:
    """One unfinished answer of twelve is no evidence; twelve unreadable ones are."""
    flags = {**dict.fromkeys(range(12), "unparsed"), 0: "unfinished,unparsed"}
    a = Run.open(write_run(tmp_path, "a", {"sums": TaskRows([1.0] * 12)}))
    b = Run.open(write_run(tmp_path, "b", {"sums": TaskRows([1.0] * 12, flags=flags)}))
    (task,) = gate(a, b).tasks
    assert task.verdict == "regression"
    assert task.reasons[0].startswith("unparsed answers: 0 → 12 of 12")


def test_a_rise_of_one_means_that_flags_are_not_judged(tmp_path: Path) -> None:
    flagged = TaskRows(values(200), flags=dict.fromkeys(range(N), "unparsed,unfinished"))
    a = Run.open(write_run(tmp_path, "a", {"sums": TaskRows(values(200))}))
    b = Run.open(write_run(tmp_path, "b", {"sums": flagged}))
    policy = Policy.parse({"tasks": {"sums": {"max_drop": 0.02, "max_rise": 1.0}}})
    assert gate(a, b, policy).verdict == "pass"
    with pytest.raises(ConfigError, match="from 0 to 1"):
        Policy.parse({"tasks": {"sums": {"max_rise": 1.01}}})
