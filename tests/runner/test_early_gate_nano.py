"""Stopping early with the shipped model on the real engine."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from evalkit.results import Run
from evalkit.runner import Outcome
from tests.helpers import warm
from tests.helpers.early import NANO, prefix
from tests.helpers.runfolders import results_of


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """nano with noise on its weights: it still speaks, and knows little."""
    numpy_io = pytest.importorskip("safetensors.numpy", reason="safetensors comes with lm-evalkit[hf]")
    folder = tmp_path_factory.mktemp("damaged") / "damaged"
    shutil.copytree(NANO, folder)
    weights, dice = numpy_io.load_file(folder / "model.safetensors"), np.random.default_rng(0)
    for name, weight in weights.items():
        if weight.ndim > 1:
            noise = dice.standard_normal(weight.shape) * 0.6 * weight.astype(np.float32).std()
            weights[name] = (weight + noise).astype(weight.dtype)
    numpy_io.save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def test_a_damaged_nano_is_found_out_early_and_nano_itself_is_not(damaged: Path, tmp_path: Path) -> None:
    def go_through(*argv: str) -> subprocess.CompletedProcess[str]:
        words = ["--tasks", "mini_endings,mini_arithmetic", "--engine", "hf", "--output-path", str(tmp_path), *argv]
        return warm.run("run", "--quiet", *words)

    rules = tmp_path / "gate.yaml"
    rules.write_text("tasks:\n  mini_endings: {max_drop: 0.05}\n  mini_arithmetic: {max_drop: 0.05}\n")
    done = go_through("--model", "nano", "--name", "base")
    assert done.returncode == 0, done.stderr
    judged_by = ("--against", "base", "--policy", str(rules))
    worse = go_through("--model", str(damaged), "--name", "worse", *judged_by)
    assert worse.returncode == 1, worse.stderr
    same = go_through("--model", "nano", "--name", "same", *judged_by)
    assert same.returncode in (0, 3), same.stderr
    base = Run.open(tmp_path / "nano" / "base")
    (folder,) = tmp_path.glob("*/worse")
    outcome = Outcome(Run.open(folder))
    for task in ("mini_endings", "mini_arithmetic"):
        said = results_of(outcome)["early_stopping"]["tasks"][task]
        assert said["verdict"] == "regression"
        assert said["n"] < said["of"] / 2
        seen = [row["doc_id"] for row in Run.open(folder).rows(task)]
        assert sorted(set(seen)) == sorted(prefix(base, outcome, task))
        assert f"{said['n']} of {said['of']}" in worse.stdout
    kept = results_of(Run.open(tmp_path / "nano" / "same"))["early_stopping"]["tasks"]
    assert all(task["verdict"] != "regression" and task["delta"] == 0 for task in kept.values())
    refused = warm.run("gate", "base", "worse", "--output-path", str(tmp_path))
    assert refused.returncode == 2
    assert "stopped early" in refused.stderr
