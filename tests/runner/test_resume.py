"""Killed at any moment, a run goes on where it stopped, and ends as if nothing had happened."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path

from evalkit.results import Run
from tests.helpers import warm
from tests.helpers.killing import answers
from tests.helpers.resuming import ENV, ROOT, asked, evalkit, only_run, same
from tests.helpers.runfolders import results_of


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
