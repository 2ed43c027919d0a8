"""A trainer hands its checkpoints to a watch in another process, and gets the figures into its log."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import evalkit as ek
from evalkit.errors import UsageError
from evalkit.training import EvalkitCallback, Watch, Watcher
from evalkit.training.handover import HandOver
from evalkit.training.telling import Telling, append_line
from tests.helpers.judged import ROOT
from tests.helpers.runfolders import TaskRows, write_run
from tests.training.test_watching import checkpoint
from tests.training.trainers import train

TASK = "mini_knowledge"
WATCH = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in what a shell started in the background
import evalkit as ek
out, results, tasks = sys.argv[1:]
ek.watch(out, tasks=tasks, limit=4, output_path=results, every=3600)
"""


def test_a_trainer_and_a_watch_in_another_process(tmp_path: Path, tiny_model: Path) -> None:
    """The watch looks once an hour by itself, and the trainer wakes it; its figures come back at a later step."""
    out, results = tmp_path / "out", tmp_path / "results"
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    watch = subprocess.Popen(
        [sys.executable, "-c", WATCH, out, results, TASK],
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    callback = EvalkitCallback(watch=results, wait=300)
    trainer = train(tiny_model, out, callback=callback, max_steps=4, save_steps=2, save_total_limit=None)

    from transformers import TrainerCallback

    class Slow(TrainerCallback):
        """A third step that takes as long as the first checkpoint's evaluation."""

        def on_step_begin(self, args: Any, state: Any, control: Any, **more: Any) -> None:
            log = results / "watch-out.jsonl"
            while state.global_step == 2 and not (log.exists() and b"\n" in log.read_bytes()) and watch.poll() is None:
                time.sleep(0.05)

    trainer.add_callback(Slow())
    try:
        trainer.train()
    finally:
        watch.send_signal(signal.SIGINT)
        told = watch.communicate(timeout=120)[1]
    log = [line for line in trainer.state.log_history if f"eval/{TASK}/acc" in line]
    assert [(line["step"], line["eval/step"]) for line in log] == [(3, 2), (4, 4)], told
    assert callback.problems == []
    for line, step in zip(log, (2, 4), strict=True):
        run = ek.load(f"out-checkpoint-{step}", output_path=results).stored
        assert line[f"eval/{TASK}/acc"] == run.entry(TASK).metrics["acc,none"].value
        assert run.model.typed == str(out / f"checkpoint-{step}")
        assert ".watch" not in json.dumps([run.record.manifest.model.model_dump(), str(run.path)])


def test_the_watchs_verdict_stops_the_training(tmp_path: Path, tiny_model: Path) -> None:
    """Only lines about checkpoints of this training count, whatever else stands in the file."""
    results = tmp_path / "results"
    watched = Watch(tmp_path / "out", results)
    callback = EvalkitCallback(watch=results, stop_on="regression")
    trainer = train(tiny_model, tmp_path / "out", callback=callback, save_steps=1)

    def line(step: Any, **more: Any) -> None:
        append_line(watched.log, {"event": "evaluated", "step": step, "checkpoint_dir": f"x/checkpoint-{step}", **more})

    line(1, verdict="regression")  # of an earlier training

    from transformers import TrainerCallback

    class Said(TrainerCallback):
        def on_step_begin(self, args: Any, state: Any, control: Any, **more: Any) -> None:
            if state.global_step == 1:
                line(77, verdict="regression")
                line(1, scalars={"a/acc": 0.5, "b/acc": "high", "c/acc": float("nan")}, verdict="pass")
                with watched.log.open("ab") as file:
                    file.write(b"[]\n\xff\n" + b"[" * 5000 + b'\n{"event": "evaluated", "step": 1, "checkp')
            if state.global_step == 3:
                with watched.log.open("ab") as file:
                    file.write(b"\n")
                line(2, verdict="regression", scalars={"a/acc": 0.1})

    trainer.add_callback(Said())
    trainer.train()
    assert trainer.state.global_step == 4
    assert callback.verdicts == ["pass", "regression"]
    log = [line for line in trainer.state.log_history if "eval/step" in line]
    assert [(line["step"], line["eval/step"], line["eval/a/acc"]) for line in log] == [(2, 1, 0.5), (4, 2, 0.1)]
    assert not any("eval/b/acc" in line or "eval/c/acc" in line for line in log)
    saved = [json.loads(text) for text in watched.saved.read_text().splitlines()]
    assert [(entry["event"], entry["step"]) for entry in saved] == [("saved", step) for step in (1, 2, 3, 4)]
    assert saved[0]["output_dir"] == str(tmp_path / "out")


def test_what_the_trainer_says_is_whole_is_taken_at_once(tmp_path: Path) -> None:
    """Unless the weights are others by now, or lie outside of the folder."""
    root, results = tmp_path / "out", tmp_path / "results"
    watched = Watch(root, results, once=True)
    hand_over = HandOver(root, watched.saved, watched.log)
    hand_over.saved(5, checkpoint(root, 5, state=False))
    hand_over.saved(6, checkpoint(root, 6, state=False))
    checkpoint(root, 6, state=False)
    hand_over.saved(7, checkpoint(tmp_path / "elsewhere", 7, state=False))
    watched.saved.open("a").write("no JSON\n{}\n")
    asked: list[str] = []
    slept: list[float] = []

    def evaluate(held: Any, name: str) -> Any:
        asked.append(name)
        asked.append(f"{len(slept)} rests")
        return ek.load(str(write_run(results, name, {"sums": TaskRows([1.0])}))).stored

    Watcher(watched, evaluate, Telling(lambda line: None, watched.log), sleep=slept.append).run()
    assert asked[:2] == ["out-checkpoint-5", "0 rests"]
    assert asked[2] == "out-checkpoint-6"
    assert slept, "what was written again must be seen to stand still"
    assert len(asked) == 4
    assert [(result.checkpoint, result.scalars) for result in hand_over.results()] == [
        (f"checkpoint-{step}", {"sums/exact_match": 1.0}) for step in (5, 6)
    ]
    assert hand_over.waiting == ["checkpoint-7"]


def test_what_goes_with_watch(tmp_path: Path) -> None:
    for wrong in ({"tasks": "mini"}, {"steps": 3}, {"baseline": "b"}, {"policy": "p"}, {"limit": 5}):
        with pytest.raises(UsageError, match="evalkit watch's flags"):
            EvalkitCallback(**wrong, watch="results")
    with pytest.raises(UsageError, match="tasks is missing"):
        EvalkitCallback()
    with pytest.raises(UsageError, match="wait goes with watch"):
        EvalkitCallback("mini", wait=5)
