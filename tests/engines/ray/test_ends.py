"""What ends a whole cluster, or evalkit itself, ends the run with all that was answered kept, and leaves no process."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from evalkit.errors import EngineError
from tests.helpers import canned, warm
from tests.helpers.fleet_rows import journal_keys
from tests.helpers.fleets import counting_cluster, expected, fleet, items
from tests.helpers.owntasks import sums_task
from tests.helpers.processes import children, command_line, processes, wait_until_ended, wait_until_gone

pytest.importorskip("ray", reason='ray is not installed: pip install "lm-evalkit[ray]"')

DOCUMENTS = 150
SINGLE = """
import json, sys
from evalkit.cli import main
before = "ray" in sys.modules
code = 0
try:
    main(sys.argv[1:])
except SystemExit as end:
    code = end.code or 0
print(json.dumps({"code": code, "before": before, "after": "ray" in sys.modules}))
"""


@pytest.mark.parametrize("daemon", ["raylet", "gcs_server"])
def test_a_lost_daemon_ends_in_all_answers_or_in_one_error(daemon: str) -> None:
    cluster = counting_cluster(2)
    folder = str(cluster._folder)
    engine, _ = fleet(cluster, 2, silence=6)
    work = items(400)
    answers: dict[int, object] = {}
    begun = time.monotonic()
    problem = ""
    try:
        for answer in engine.run(iter(work)):
            assert answer.id not in answers
            answers[answer.id] = answer
            if len(answers) == 50:
                for pid in processes(f"{daemon} "):
                    if folder in Path(f"/proc/{pid}/cmdline").read_text():
                        os.kill(pid, signal.SIGKILL)
    except EngineError as error:
        problem = str(error)
    if problem:
        assert "is kept" in problem
        assert len(answers) >= 50
    else:
        assert answers == expected(work)
    assert all(expected(work)[id_] == answer for id_, answer in answers.items())
    assert time.monotonic() - begun < 150
    engine.close()
    assert wait_until_gone(folder) == []


class Commands:
    """Runs evalkit on two models and one task, with the engine of canned answers."""

    def __init__(self, folder: Path, model: Path) -> None:
        self.folder = folder
        self.short = tempfile.mkdtemp(prefix="ek", dir="/tmp")
        self.journal = folder / "journal"
        self._environment = {**os.environ, **canned.declare(folder / "plugin"), "OMP_NUM_THREADS": "1"}
        self._environment["TMPDIR"] = self.short
        # Canned answers depend on no weights; the two models only have to be different ones.
        for name, length in (("one", 2048), ("two", 1024)):
            config = json.loads((shutil.copytree(model, folder / name) / "config.json").read_text())
            (folder / name / "config.json").write_text(json.dumps({**config, "max_position_embeddings": length}))
        sums_task(folder, DOCUMENTS)

    def start(self, name: str, models: str, *more: str, delay: float = 0.0) -> warm.Process:
        command = ["run", "--engine", "canned", "--model", models, "--tasks", "sums", "--include-path", ".", "-q"]
        command += ["--name", name, "--journal", str(self.journal), "--model-args", f"delay={delay}", *more]
        return warm.start(
            *command, cwd=self.folder, env=self._environment, stderr=subprocess.PIPE, script=Path(canned.__file__)
        )

    def finish(self, name: str, models: str, *more: str) -> None:
        command = self.start(name, models, *more)
        _, printed = command.communicate(timeout=300)
        assert command.returncode == 0, printed

    def end(self, number: signal.Signals, name: str, models: str, *more: str) -> None:
        """Start a command, end it once new answers are kept, and see that it leaves no process."""
        before = len(self.kept())
        command = self._start_and_wait(name, models, *more)
        started = children(command.pid)
        assert len(started) > 3
        command.send_signal(number)
        _, printed = command.communicate(timeout=180)
        wanted = -number if number == signal.SIGKILL else 130
        assert command.returncode == wanted, printed
        assert "Traceback" not in printed
        assert wait_until_ended(started) == []
        assert wait_until_gone(f"{self.short}/evalkit-ray-") == []
        assert before < len(self.kept()) < 2 * DOCUMENTS * len(models.split(","))

    def lose_head(self, name: str, models: str, *more: str) -> int:
        """Start a command, and end its cluster's head once new answers are kept. Returns the exit code."""
        command = self._start_and_wait(name, models, *more)
        (head,) = [pid for pid in children(command.pid) if "/gcs_server " in command_line(pid)]
        os.kill(head, signal.SIGKILL)
        _, printed = command.communicate(timeout=180)
        assert "Traceback" not in printed
        assert command.returncode == 0 or "is kept" in printed
        assert wait_until_gone(f"{self.short}/evalkit-ray-") == []
        return int(command.returncode)

    def _start_and_wait(self, name: str, models: str, *more: str) -> warm.Process:
        before = len(self.kept())
        command = self.start(name, models, *more, delay=0.1)
        until = time.monotonic() + 200
        while len(self.kept()) <= before:
            assert command.poll() is None, command.communicate()
            assert time.monotonic() < until
            time.sleep(0.1)
        return command

    def kept(self) -> list[bytes]:
        """The keys of the answers in the journal."""
        return journal_keys(self.journal)

    def read(self, model: str, name: str) -> tuple[Sequence[Mapping[str, Any]], Mapping[str, Any]]:
        """The rows and the manifest of a run."""
        folder = self.folder / "results" / model / name
        rows = [json.loads(line) for line in (folder / "samples" / "sums.jsonl").read_text().splitlines()]
        return rows, json.loads((folder / "manifest.json").read_text())


@pytest.fixture(scope="module")
def commands(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Commands]:
    made = Commands(tmp_path_factory.mktemp("ends"), tiny_model)
    yield made
    shutil.rmtree(made.short, ignore_errors=True)


@pytest.fixture(scope="module")
def undisturbed(commands: Commands) -> Mapping[str, Sequence[Mapping[str, Any]]]:
    """The rows of each model by a single engine, with a journal of its own."""
    usual, commands.journal = commands.journal, commands.folder / "undisturbed"
    for model in ("one", "two"):
        commands.finish("alone", model)
    commands.journal = usual
    return {model: commands.read(model, "alone")[0] for model in ("one", "two")}


def test_signals_and_a_lost_head_keep_all_answers_and_the_same_command_goes_on_to_equal_rows(
    commands: Commands, undisturbed: Mapping[str, Any]
) -> None:
    replicas = ("--replicas", "2")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        commands.end(number, "together", "one", *replicas)
    if (code := commands.lose_head("together", "one", *replicas)) != 0:
        assert code == 4
        commands.finish("together", "one", *replicas)
    rows, manifest = commands.read("one", "together")
    assert rows == undisturbed["one"]
    assert len(rows) == DOCUMENTS
    assert len(commands.kept()) == len(set(commands.kept())) == 2 * DOCUMENTS
    assert not (commands.folder / "results" / ".journal").exists()
    assert manifest["engine"]["name"] == "canned"
    assert manifest["replicas"]["count"] in (1, 2)
    assert manifest["replicas"]["lost"] == 0


def test_a_killed_sweep_leaves_no_process_and_goes_on_to_the_rows_of_single_engines(
    commands: Commands, undisturbed: Mapping[str, Any]
) -> None:
    commands.journal = commands.folder / "swept"
    commands.end(signal.SIGKILL, "swept", "one,two", "--replicas", "2")
    commands.finish("swept", "one,two", "--replicas", "2")
    for model in ("one", "two"):
        rows, manifest = commands.read(model, f"swept+{model}")
        assert rows == undisturbed[model]
        assert manifest["replicas"]["lost"] == 0


def test_a_run_on_a_single_engine_never_imports_ray(tmp_path: Path) -> None:
    """tests/test_house.py holds the same of `evalkit --help`."""
    script = tmp_path / "script.py"
    script.write_text(SINGLE)
    command = ["run", "--model", "nano", "--tasks", "mini", "--limit", "5", "-q"]
    run = warm.start(*command, cwd=tmp_path, env={**os.environ}, stdout=subprocess.PIPE, script=script)
    printed, _ = run.communicate(timeout=300)
    assert json.loads(printed.splitlines()[-1]) == {"code": 0, "before": False, "after": False}
