"""Runs that lm-eval and inspect_ai really wrote."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.checkpoints import make_checkpoint
from tests.helpers.foreign import ROOT, TASKS, evaluate


@pytest.fixture(scope="session")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of tasks that lm-eval and evalkit both take, with their data beside them."""
    folder = tmp_path_factory.mktemp("tasks")
    things = ("the sky", "grass", "blood", "a leaf", "the sea", "잔디", "a rose", "snow", "coal", "an apple")
    rows = [{"question": f"What colour is {thing}?", "answer": i % 3} for i, thing in enumerate(things)]
    data = folder / "data.jsonl"
    data.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    for name, text in TASKS.items():
        (folder / name).write_text(text.replace("DATA", str(data)))
    return folder


@pytest.fixture(scope="session")
def theirs(tasks: Path, tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders that the real lm-eval wrote, by name."""
    root = tmp_path_factory.mktemp("lm-eval")
    other = make_checkpoint(root / "other", seed=11)
    evaluate(tiny_model, root / "one", tasks)
    evaluate(other, root / "two", tasks)
    evaluate(tiny_model, root / "limited", tasks, limit=4)
    evaluate(tiny_model, root / "bare", tasks, log_samples=False)
    evaluate(tiny_model, root / "named" / "mine.json", tasks, tasks=["told"])
    return {path.name: path for path in root.iterdir()}


@pytest.fixture(scope="session")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Logs of the real inspect_ai, made by tests/helpers/inspectlogs.py in a process of its own, one of which dies."""
    if importlib.util.find_spec("inspect_ai") is None:
        pytest.skip("inspect_ai writes the logs that are read here: pip install inspect-ai")
    folder = tmp_path_factory.mktemp("inspect")
    env = {**os.environ, "XDG_DATA_HOME": str(folder / "xdg"), "INSPECT_LOG_LEVEL": "error"}
    command = [sys.executable, "-m", "tests.helpers.inspectlogs", str(folder)]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
    assert done.returncode == 9, done.stdout + done.stderr
    return folder
