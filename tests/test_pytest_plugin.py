"""The pytest plug-in: a gate as a test, in a project of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.runfolders import TaskRows, write_run

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    good = [1.0] * 300 + [0.0] * 100
    write_run(tmp_path / "results", "base", {"gsm8k": TaskRows(good)}, model="m")
    write_run(tmp_path / "results", "same", {"gsm8k": TaskRows(good)}, model="n")
    write_run(tmp_path / "results", "worse", {"gsm8k": TaskRows([0.0] * 400)}, model="o")
    write_run(tmp_path / "results", "small", {"gsm8k": TaskRows([1.0] * 15 + [0.0] * 5)}, model="p")
    write_run(tmp_path / "results", "small2", {"gsm8k": TaskRows([1.0] * 14 + [0.0] * 6)}, model="q")
    (tmp_path / "gate.yaml").write_text("tasks: {gsm8k: {max_drop: 0.02}}\n")
    return tmp_path


def run(project: Path, call: str, *args: str) -> str:
    (project / "test_model.py").write_text(f"def test_model(evalkit_gate):\n    {call}\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *args]
    if not installed():
        command += ["-p", "evalkit.pytest_plugin"]
    # Options that the outer pytest was given by the environment are not those of the project's.
    env = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"} | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=project, env=env, capture_output=True, text=True).stdout


def installed() -> bool:
    from importlib.metadata import entry_points

    return "evalkit" in {point.name for point in entry_points(group="pytest11")}


def test_a_pass_passes_and_returns_the_verdict(project: Path) -> None:
    call = 'assert evalkit_gate("base", "same", policy="gate.yaml").verdict == "pass"'
    assert "1 passed" in run(project, call)


def test_a_regression_fails_with_its_reasons(project: Path) -> None:
    shown = run(project, 'evalkit_gate("base", "worse", policy="gate.yaml")')
    assert "1 failed" in shown
    assert "REGRESSION: gsm8k" in shown
    assert "Traceback" not in shown
    assert "  gsm8k: " in shown


@pytest.mark.parametrize(
    ("args", "outcome"),
    [
        ((), "1 failed"),
        (("--evalkit-cannot-tell", "xfail"), "1 xfailed"),
        (("--evalkit-cannot-tell", "warn"), "1 passed, 1 warning"),
        (("-o", "evalkit_cannot_tell=warn"), "1 passed, 1 warning"),
    ],
)
def test_a_gate_that_cannot_tell_does_what_was_chosen(args: tuple[str, ...], outcome: str, project: Path) -> None:
    shown = run(project, 'evalkit_gate("small", "small2")', *args)
    assert outcome in shown
    assert "CANNOT TELL" in shown or "xfailed" in outcome


def test_a_test_may_choose_for_itself_and_wrong_references_are_one_line(project: Path) -> None:
    assert "1 xfailed" in run(project, 'evalkit_gate("small", "small2", cannot_tell="xfail")')
    shown = run(project, 'evalkit_gate("base", "smae")')
    assert "the gate could not be judged" in shown
    assert "same" in shown


def test_the_plugin_is_light() -> None:
    code = "import sys, evalkit.pytest_plugin; print(sorted({'numpy', 'pandas', 'torch', 'scipy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
