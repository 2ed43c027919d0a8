"""A run that does not come to its end: what is kept, what is written, what is shown."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evalkit.cli import main
from evalkit.engines import mock
from evalkit.engines.mock import MockEngine
from evalkit.runner import Outcome
from tests.helpers.listening import Heard
from tests.helpers.runfolders import results_of


def mock_engine_that(monkeypatch: pytest.MonkeyPatch, **trouble: Any) -> None:
    original = MockEngine.__init__
    monkeypatch.setattr(MockEngine, "__init__", lambda self, **options: original(self, **{**options, **trouble}))


def test_an_engine_that_dies_keeps_what_finished(
    corridor: Callable[..., list[Outcome]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as dying:
        mock_engine_that(dying, die_after=40)
        (outcome,) = corridor()
    assert outcome.exit_code == 4
    assert outcome.problem is not None
    assert "die after 40" in outcome.problem
    assert results_of(outcome)["status"] == "incomplete"
    assert sum(task["missing"] for task in results_of(outcome)["tasks"].values()) > 0
    (again,) = corridor()
    assert again.exit_code == 0
    assert again.path == outcome.path, "the interrupted run goes on under its own id"
    (calm,) = corridor(name="calm", output_path=str(outcome.path.parents[2] / "elsewhere"))
    assert results_of(again)["tasks"] == results_of(calm)["tasks"]
    assert results_of(again)["tokens"]["prompt"] < results_of(calm)["tokens"]["prompt"]


def test_an_engine_that_ends_without_an_answer_is_told_and_asked_again(
    corridor: Callable[..., list[Outcome]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer that got lost on its way must not look like a finished run."""
    plain = MockEngine._answer
    with monkeypatch.context() as losing:
        losing.setattr(MockEngine, "_answer", lambda self, item: (a for a in plain(self, item) if a.id != 3))
        (outcome,) = corridor()
    assert outcome.exit_code == 4
    assert outcome.problem == "mock ended without the answers of 1 documents; the same command asks for them again"
    assert results_of(outcome)["status"] == "incomplete"
    (again,) = corridor()
    assert (again.exit_code, again.path) == (0, outcome.path)


def test_a_refused_request_is_an_error_of_its_document_alone(
    corridor: Callable[..., list[Outcome]], monkeypatch: pytest.MonkeyPatch
) -> None:
    mock_engine_that(monkeypatch, fail_ids={0})
    (outcome,) = corridor()
    assert outcome.exit_code == 4
    assert outcome.problem is not None
    assert "told to fail" in outcome.problem
    task = results_of(outcome)["tasks"]["mini_knowledge"]
    assert (task["n"], task["errors"]) == (29, 1)
    assert results_of(outcome)["tasks"]["mini_arithmetic"]["errors"] == 0
    first = json.loads((outcome.path / "samples" / "mini_knowledge.jsonl").read_text().splitlines()[0])
    assert "told to fail" in first["error"]


def test_what_was_never_answered_does_not_move_the_bar(
    corridor: Callable[..., list[Outcome]], monkeypatch: pytest.MonkeyPatch
) -> None:
    mock_engine_that(monkeypatch, die_after=60)
    heard = Heard()
    (outcome,) = corridor(heard)
    graded = sum(task["n"] for task in results_of(outcome)["tasks"].values())
    assert 0 < graded < 60
    assert sum(heard.done.values()) == graded


class Interrupting(Heard):
    """Presses Ctrl-C when so many documents are graded."""

    def advance(self, task: str, documents: int = 1) -> None:
        super().advance(task, documents)
        if sum(self.done.values()) == 5:
            os.kill(os.getpid(), signal.SIGINT)


def test_ctrl_c_is_heard_and_the_bar_stands(
    corridor: Callable[..., list[Outcome]], monkeypatch: pytest.MonkeyPatch
) -> None:
    mock_engine_that(monkeypatch, delay=0.01, window=30)
    heard = Interrupting()
    (outcome,) = corridor(heard)
    assert outcome.exit_code == 130
    assert sum(heard.done.values()) == 5
    assert sum(task["n"] for task in results_of(outcome)["tasks"].values()) > 5, "what was in flight is finished"
    deadline = time.monotonic() + 10
    while not heard.notes and time.monotonic() < deadline:
        time.sleep(0.01)  # said by another thread
    (said,) = [note for note in heard.notes if note.startswith("stopping")]
    assert int(said.split()[2]) > 0


def test_a_run_without_an_answer_leaves_no_folder_and_no_table(
    corridor: Callable[..., list[Outcome]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with monkeypatch.context() as dying:
        mock_engine_that(dying, die_after=0)
        (outcome,) = corridor()
    assert (outcome.run, outcome.exit_code) == (None, 4)
    assert "die after 0" in (outcome.problem or "")
    assert not list((tmp_path / "results").glob("*/*/results.json"))
    (again,) = corridor()
    assert again.exit_code == 0


def test_a_run_without_an_answer_says_why_and_no_more(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mock_engine_that(monkeypatch, die_after=0)
    monkeypatch.setattr("evalkit.runner.finding.choose", lambda *_, **__: mock.SPEC)
    asked = f"run --model {tiny_model} --tasks mini_knowledge --quiet --json {tmp_path / 'j'}"
    with pytest.raises(SystemExit) as stopped:
        main([*asked.split(), "--output-path", str(tmp_path / "results")])
    out, said = capsys.readouterr()
    assert (stopped.value.code, out) == (4, "")
    assert "die after 0" in said
    assert not (tmp_path / "j").exists()
