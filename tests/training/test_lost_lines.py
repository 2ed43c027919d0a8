"""Lines that a trainer and a watch tell each other: another training's, cut short, untold, or no numbers at all."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from evalkit.errors import UsageError
from evalkit.training import EvalkitCallback, Watch
from evalkit.training.budget import TooLittle
from evalkit.training.checkpoints import signature
from evalkit.training.handover import HandOver
from evalkit.training.linking import kept
from evalkit.training.telling import Telling, append_line
from tests.training.test_watching import Trial, checkpoint


def taken(hand_over: HandOver) -> list[str | None]:
    return [result.verdict for result in hand_over.results()]


def test_a_trainer_takes_only_what_was_found_of_its_own_weights(tmp_path: Path) -> None:
    """Two trainings into folders of one name share the files of a watch; paths may differ on two machines."""
    watched = Watch(tmp_path / "b" / "out", tmp_path / "results")
    other = HandOver(tmp_path / "a" / "out", watched.saved, watched.log)
    theirs = checkpoint(tmp_path / "a" / "out", 10)
    other.saved(10, theirs)
    ours = HandOver(watched.folder, watched.saved, watched.log)

    def found(step: int, **more: object) -> None:
        line = {"event": "evaluated", "step": step, "checkpoint_dir": f"/elsewhere/out/checkpoint-{step}", **more}
        append_line(watched.log, line)

    found(10, weights=signature(theirs), verdict="regression")
    found(10, verdict="regression")
    assert taken(ours) == [], "this training has not written it, though the other one has"
    own = checkpoint(watched.folder, 10)
    ours.saved(10, own)
    found(10, weights=signature(theirs), verdict="regression")
    found(10, weights=signature(own), verdict="pass")
    found(10, verdict="cannot_tell")  # of an older watch
    assert taken(ours) == ["pass", "cannot_tell"]
    assert taken(other) == ["regression", "regression", "regression", "cannot_tell"]
    key = signature(own)
    shutil.rmtree(own)
    restarted = HandOver(watched.folder, watched.saved, watched.log)
    found(10, weights=signature(theirs), verdict="regression")
    found(10, weights=key, verdict="pass")
    assert taken(restarted) == ["pass"]
    found(10**400, weights=key)
    append_line(watched.log, {"event": "evaluated", "step": 10, "checkpoint_dir": "checkpoint-10\0", "weights": "x"})
    found(10, weights=key, scalars={"a": 10**400, "b": 0.5})
    assert [dict(result.scalars) for result in restarted.results()] == [{"b": 0.5}]


def test_a_moved_trainings_earlier_checkpoint_is_its_own(tmp_path: Path) -> None:
    watched = Watch(tmp_path / "out", tmp_path / "results")
    HandOver(watched.folder, watched.saved, watched.log).saved(5, checkpoint(watched.folder, 5))
    watched.folder.rename(tmp_path / "moved")
    moved = HandOver(tmp_path / "moved", watched.saved, watched.log)
    key = signature(tmp_path / "moved" / "checkpoint-5")
    append_line(watched.log, {"event": "failed", "step": 5, "checkpoint_dir": "out/checkpoint-5", "weights": key})
    assert [result.checkpoint for result in moved.results()] == ["checkpoint-5"]


def test_the_line_behind_one_that_was_cut_short_is_whole(tmp_path: Path) -> None:
    log = tmp_path / "deep" / "log.jsonl"
    append_line(log, {"n": 1})
    with log.open("a") as file:
        file.write('{"event": "evalu')
    append_line(log, {"n": 2})
    append_line(log, {"n": 3})
    assert log.read_text() == '{"n": 1}\n{"event": "evalu\n{"n": 2}\n{"n": 3}\n'


def test_a_watch_that_was_killed_before_it_told_tells_at_the_next_start(tmp_path: Path) -> None:
    trial = Trial(tmp_path, stop_file=tmp_path / "STOP")
    telling = Telling(trial.notes.append, trial.watch.log)
    checkpoint(trial.root, 4)
    trial.go(telling=telling, judge=lambda run, look: "pass")
    path = checkpoint(trial.root, 5)
    key = signature(path)

    def killed(line: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trial.go(telling=Telling(killed, trial.watch.log), judge=lambda run, look: "regression")
    shutil.rmtree(path)
    assert (tmp_path / "STOP").exists(), "it comes first: nobody would write it later"
    assert trial.go(telling=telling) == []
    lines = [json.loads(line) for line in trial.watch.log.read_text().splitlines()]
    assert [(line["step"], line["verdict"], line["scalars"]) for line in lines] == [
        (4, "pass", {"sums/exact_match": 1.0}), (5, "regression", {"sums/exact_match": 1.0}),
    ]  # fmt: skip
    assert lines[1]["weights"] == key
    assert json.loads((tmp_path / "STOP").read_text())["look"] == 2
    told = len(trial.notes)
    assert trial.go(telling=telling) == []
    assert len(trial.notes) == told, "nothing is told twice"


def test_links_of_an_older_watch_are_evaluated_too(tmp_path: Path) -> None:
    """It kept them in a folder that is named like the checkpoint."""
    trial = Trial(tmp_path)
    key = signature(path := checkpoint(trial.root, 5))
    assert key is not None
    (path / "optimizer.pt").unlink()
    (trial.watch.kept / key).mkdir(parents=True)
    path.rename(trial.watch.kept / key / "checkpoint-5")
    assert [(entry[0], entry[1]) for entry in kept(trial.watch.kept)] == [(key, "checkpoint-5")]
    assert trial.go() == ["out-checkpoint-5"]
    assert not list(trial.watch.kept.iterdir())


def test_a_budget_that_nothing_fits_costs_no_training(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match=r"^budget 5 minutes: a time is wanted"):
        EvalkitCallback("mini", budget="5 minutes")
    callback = EvalkitCallback("mini", budget="0.1s")
    looks: list[str] = []

    def nothing_fits(name: str, given: object) -> None:
        looks.append(name)
        raise TooLittle("budget 0.1 s is too little")

    monkeypatch.setattr(callback, "_run", nothing_fits)
    state, control = SimpleNamespace(is_world_process_zero=True, global_step=1), SimpleNamespace(should_log=False)
    monkeypatch.setattr("evalkit.training.callback.refuse_sharded", lambda model: None)
    with pytest.warns(UserWarning, match="too little; training goes on without evaluations"):
        callback.on_save(None, state, control, model=None)
    assert callback.on_save(None, state, control, model=None) is control
    assert looks == ["training-step-1"], "it is measured once"
    assert len(callback.problems) == 1
