"""A watch that is killed three times beside a trainer that writes, rotates and overwrites checkpoints."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

from evalkit.training.memory import Memory
from tests.helpers.judged import ROOT
from tests.training.test_watching import weights

WATCHER = """
import sys, time
from pathlib import Path
from evalkit.results import Run
from evalkit.training import Watch, Watcher
from evalkit.training.checkpoints import _weights_are_whole
from evalkit.training.telling import Telling
from tests.helpers.runfolders import TaskRows, write_run

root, results = Path(sys.argv[1]), Path(sys.argv[2])
begun = (results / "begun.txt").open("a")

def evaluate(checkpoint, name):
    assert _weights_are_whole(checkpoint), "half-written"
    print(checkpoint.name, (checkpoint.path / "config.json").read_text(), file=begun, flush=True)
    time.sleep(0.1)
    path = results / "model" / name
    return Run.open(path if path.exists() else write_run(results, name, {"sums": TaskRows([1.0])}))

Watcher(Watch(root, results, every=0.02, once="once" in sys.argv), evaluate, Telling(print)).run()
"""


def write_checkpoint(root: Path, step: int, content: str) -> None:
    """In Trainer's order, with pauses: at any moment a folder may be half-written."""
    folder = root / f"checkpoint-{step}"
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(content))
    weights(folder / "whole.safetensors", 64)
    whole = (folder / "whole.safetensors").read_bytes()
    (folder / "whole.safetensors").unlink()
    with (folder / "model.safetensors").open("wb") as file:
        file.write(whole[:40])
        file.flush()
        time.sleep(0.04)
        file.write(whole[40:])
    time.sleep(0.02)
    (folder / "trainer_state.json").write_text(json.dumps({"global_step": step}))


def test_killed_three_times_beside_a_trainer(tmp_path: Path) -> None:
    root, results = tmp_path / "out", tmp_path / "results"
    root.mkdir()
    results.mkdir()
    over = threading.Event()

    def train() -> None:
        step = 0
        while not over.is_set():
            step += 1
            write_checkpoint(root, step, "first")
            if step % 5 == 0:
                write_checkpoint(root, step, "again")
            if step > 2:
                shutil.rmtree(root / f"checkpoint-{step - 2}")

    def start(*more: str) -> subprocess.Popen[str]:
        path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        return subprocess.Popen(
            [sys.executable, "-c", WATCHER, str(root), str(results), *more],
            env={**os.environ, "PYTHONPATH": path}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def entries() -> int:
        return len((results / "begun.txt").read_text().splitlines()) if (results / "begun.txt").exists() else 0

    trainer = threading.Thread(target=train)
    trainer.start()
    try:
        for _ in range(3):
            before = entries()
            watch = start()
            while entries() < before + 2 and watch.poll() is None:
                time.sleep(0.02)
            time.sleep(random.Random(7).random() * 0.1)
            watch.send_signal(signal.SIGKILL)
            assert watch.wait() == -signal.SIGKILL, watch.stderr and watch.stderr.read()
    finally:
        over.set()
        trainer.join()
    last = start("once")
    told = last.communicate(timeout=60)
    assert last.returncode == 0, told
    seen = Memory.read(results / "watch-out.json").seen
    assert len(seen) >= 6
    assert max(Counter(entry.key for entry in seen).values()) == 1, "each once"
    assert all(entry.run and not entry.problem for entry in seen)
    left = {path.name for path in root.iterdir()}
    assert left <= {entry.name for entry in seen}, "what still existed when it was its turn"
    assert not list((results / ".watch").rglob("*.safetensors"))
