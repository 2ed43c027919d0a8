"""Checkpoints as a trainer leaves them: whole, half-written, rotated away, written again; each is evaluated once."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evalkit.errors import CouldNotDo, OutputError, UsageError
from evalkit.results import Run, check_name
from evalkit.training import Watch, Watcher
from evalkit.training.checkpoints import Checkpoint, find_checkpoints, is_whole, merge_command, signature
from evalkit.training.memory import Memory
from evalkit.training.spending import confidence_of_look
from evalkit.training.telling import Telling
from tests.helpers.runfolders import TaskRows, write_run


def weights(path: Path, size: int = 16) -> None:
    header = json.dumps({"w": {"dtype": "F32", "shape": [size // 4], "data_offsets": [0, size]}}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + os.urandom(size))


def checkpoint(root: Path, step: int, *, state: bool = True, adapter: bool = False) -> Path:
    folder = root / f"checkpoint-{step}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ("adapter_config.json" if adapter else "config.json")).write_text("{}")
    weights(folder / ("adapter_model.safetensors" if adapter else "model.safetensors"))
    (folder / "optimizer.pt").write_bytes(b"large")
    if state:
        (folder / "trainer_state.json").write_text(json.dumps({"global_step": step}))
    return folder


def whole(path: Path, seen: str | None = None) -> bool:
    return is_whole(next(found for found in find_checkpoints(path.parent) if found.path == path), seen)


def test_a_checkpoint_is_whole_once_its_last_file_is_there(tmp_path: Path) -> None:
    path = checkpoint(tmp_path, 5)
    assert whole(path)
    assert whole(checkpoint(tmp_path, 6, adapter=True))
    early = checkpoint(tmp_path, 7, state=False)
    assert not whole(early)
    assert whole(early, signature(early)), "it stood still since the last look"
    state = path / "trainer_state.json"
    state.write_text('{"global_st')
    assert not whole(path)
    state.write_text("{}")
    os.utime(state, ns=(1, 1))
    assert not whole(path), "the weights are newer: the folder is written again"
    os.utime(state)
    content = (path / "model.safetensors").read_bytes()
    (path / "model.safetensors").write_bytes(content[:-1])
    assert not whole(path, signature(path))


def test_all_shards_of_an_index_are_wanted(tmp_path: Path) -> None:
    path = checkpoint(tmp_path, 5)
    (path / "model.safetensors").rename(path / "model-1.safetensors")
    shards = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
    (path / "model.safetensors.index.json").write_text(json.dumps(shards))
    assert not whole(path, signature(path))
    weights(path / "model-2.safetensors")
    (path / "trainer_state.json").write_text("{}")
    assert whole(path)
    shards["weight_map"]["c"] = "../../etc/passwd"
    (path / "model.safetensors.index.json").write_text(json.dumps(shards))
    assert not whole(path, signature(path))


class Trial:
    """A watch whose evaluations write run folders at once."""

    def __init__(self, tmp_path: Path, **asked: Any) -> None:
        self.root, self.results = tmp_path / "out", tmp_path / "results"
        self.root.mkdir(parents=True, exist_ok=True)
        self.asked: list[str] = []
        self.notes: list[str] = []
        self.drawn: list[list[str]] = []
        self.during: Callable[[Checkpoint], None] = lambda checkpoint: None
        self.watch = Watch(self.root, self.results, once=True, **asked)

    def evaluate(self, checkpoint: Checkpoint, name: str) -> Run:
        assert (checkpoint.path / "model.safetensors").is_file()
        assert not (checkpoint.path / "optimizer.pt").exists()
        self.asked.append(name)
        self.during(checkpoint)
        return Run.open(write_run(self.results, name, {"sums": TaskRows(np.ones(20))}))

    def go(self, **more: Any) -> list[str]:
        """The names of the runs that this watch made."""
        telling = more.pop("telling", None) or Telling(self.notes.append)
        watcher = Watcher(self.watch, self.evaluate, telling, draw=self.drawn.append, sleep=lambda _: None, **more)
        before = len(self.asked)
        watcher.run()
        return self.asked[before:]


def test_the_newest_comes_first_and_each_once(tmp_path: Path) -> None:
    trial = Trial(tmp_path)
    for step in (9, 10, 100):
        checkpoint(trial.root, step)
    half = checkpoint(trial.root, 200)
    (half / "model.safetensors").write_bytes(b"\0" * 20)
    assert trial.go() == ["out-checkpoint-100", "out-checkpoint-10", "out-checkpoint-9"]
    assert [Path(run).name for run in trial.drawn[-1]] == [
        "out-checkpoint-9", "out-checkpoint-10", "out-checkpoint-100",
    ]  # fmt: skip
    assert trial.go() == []
    shutil.rmtree(trial.root / "checkpoint-9")
    checkpoint(trial.root, 200)
    assert trial.go() == ["out-checkpoint-200"]
    assert not list((trial.results / ".watch").rglob("*.safetensors"))


def test_a_folder_that_is_written_again_is_another_checkpoint(tmp_path: Path) -> None:
    trial = Trial(tmp_path)
    path = checkpoint(trial.root, 5)
    trial.go()
    shutil.rmtree(path)
    key = signature(checkpoint(trial.root, 5))
    assert key is not None
    assert trial.go() == [f"out-checkpoint-5-{key[:6]}"]


def test_rotation_under_the_reader_takes_nothing_away(tmp_path: Path) -> None:
    trial = Trial(tmp_path)
    path = checkpoint(trial.root, 5)
    trial.during = lambda held: shutil.rmtree(path)
    assert trial.go() == ["out-checkpoint-5"]


def test_weights_that_change_while_they_are_read_count_for_nothing(tmp_path: Path) -> None:
    trial = Trial(tmp_path)
    path = checkpoint(trial.root, 5)
    names: list[str] = []

    def evaluate(held: Checkpoint, name: str) -> Run:
        names.append(name)
        if len(names) == 1:
            with (path / "model.safetensors").open("r+b") as file:  # in place, as safetensors writes it
                file.seek(-4, 2)
                file.write(b"abcd")
            (path / "trainer_state.json").write_text("{}")
        return Run.open(write_run(trial.results, f"{name}-{len(names)}", {"sums": TaskRows(np.ones(20))}))

    watcher = Watcher(trial.watch, evaluate, Telling(trial.notes.append), sleep=lambda _: None)
    assert [found.run.run_id for found in watcher.run()] == ["out-checkpoint-5-2"]
    assert any("written again while it was read" in note for note in trial.notes)


def test_a_killed_watch_goes_on_with_what_it_had_kept(tmp_path: Path) -> None:
    trial = Trial(tmp_path)
    path = checkpoint(trial.root, 5)
    checkpoint(trial.root, 4)

    def kill(held: Checkpoint) -> None:
        raise KeyboardInterrupt

    trial.during = kill
    with pytest.raises(KeyboardInterrupt):
        trial.go()
    shutil.rmtree(path)
    trial.during = lambda held: None
    assert trial.go() == ["out-checkpoint-5", "out-checkpoint-4"]


def test_what_cannot_be_evaluated_is_tried_thrice_and_named(tmp_path: Path) -> None:
    trial = Trial(tmp_path)
    checkpoint(trial.root, 5)

    def full(held: Checkpoint) -> None:
        raise CouldNotDo("no space left on device")

    trial.during = full
    assert len(trial.go()) == 3
    assert trial.go() == []
    assert trial.notes[-1] == "checkpoint-5 is given up: no space left on device"


def test_a_full_disk_is_waited_for(tmp_path: Path) -> None:
    """It costs no checkpoint its turn: with `once` the next watch takes it, else the same one."""
    trial = Trial(tmp_path)
    checkpoint(trial.root, 5)

    def full(held: Checkpoint) -> None:
        raise OutputError("no space left on device")

    trial.during = full
    assert len(trial.go()) == 3
    assert trial.notes == ["checkpoint-5 waits: no space left on device"]
    trial.during = lambda held: None
    assert trial.go() == ["out-checkpoint-5"]
    memory = Memory.read(trial.watch.file(".json"))
    assert [seen.problem for seen in memory.seen] == [None]


def test_shards_are_named_once_with_the_command_that_merges_them(tmp_path: Path) -> None:
    trial = Trial(tmp_path)
    (trial.root / "checkpoint-5" / "pytorch_model_fsdp_0").mkdir(parents=True)
    zero = trial.root / "checkpoint-6" / "global_step6"
    zero.mkdir(parents=True)
    (zero / "zero_pp_rank_0_mp_rank_00_model_states.pt").write_bytes(b"x")
    trial.go()
    assert len(trial.notes) == 2
    assert "accelerate merge-weights" in trial.notes[0]
    assert "zero_to_fp32.py" in trial.notes[1]
    assert merge_command(checkpoint(trial.root, 7)) is None


def test_it_says_so_to_a_file_a_command_and_a_stop_file(tmp_path: Path) -> None:
    trial = Trial(tmp_path, stop_file=tmp_path / "STOP")
    checkpoint(trial.root, 5)
    script = "import sys, pathlib; pathlib.Path(sys.argv[1]).write_text(sys.stdin.read())"
    command = f"{sys.executable} -c '{script}' {tmp_path / 'said.json'}"
    telling = Telling(trial.notes.append, trial.watch.file(".jsonl"), command)
    assert trial.go(telling=telling, judge=lambda run, look: "regression") == ["out-checkpoint-5"]
    said = json.loads((tmp_path / "said.json").read_text())
    assert said == json.loads(trial.watch.file(".jsonl").read_text())
    assert said["event"] == "evaluated"
    assert (said["step"], said["output_dir"], said["verdict"]) == (5, str(trial.root), "regression")
    assert said["checkpoint_dir"] == str(trial.root / "checkpoint-5")
    assert said["scalars"] == {"sums/exact_match": 1.0}
    assert json.loads((tmp_path / "STOP").read_text())["step"] == 5
    assert trial.notes == ["step 5: sums/exact_match 1 — REGRESSION"]
    broken = Telling(trial.notes.append, command="nothing-of-that-name", url="http://127.0.0.1:9/x")
    broken.tell({}, "on it goes")
    assert [note.split(" failed")[0] for note in trial.notes[-2:]] == ["--exec", "--post"]
    for url in ("file:///etc/passwd", "http://x]"):
        with pytest.raises(UsageError, match="begins with http"):
            Telling(trial.notes.append, url=url)


def test_fifty_looks_raise_a_false_alarm_no_more_often_than_one() -> None:
    assert confidence_of_look(1, 0.95) > 0.95
    spent = sum(1 - confidence_of_look(look, 0.95) for look in range(1, 100_000))
    assert 0.0499 < spent < 0.05
    luck = np.random.default_rng(3)
    levels = np.array([1 - confidence_of_look(look, 0.95) for look in range(1, 51)])
    alarms = (luck.random((4000, 50)) < levels).any(axis=1).mean()
    naive = (luck.random((4000, 50)) < 0.05).any(axis=1).mean()
    assert alarms < 0.05
    assert naive > 0.9


@pytest.mark.parametrize("name", ["index", "header", "offsets", "deep", "state"])
def test_what_is_no_checkpoint_stops_nobody(tmp_path: Path, name: str) -> None:
    path = checkpoint(tmp_path, 5)
    deep = "[" * 100_000 + "]" * 100_000

    def header(text: str) -> None:
        (path / "model.safetensors").write_bytes(len(text).to_bytes(8, "little") + text.encode())

    if name == "index":
        (path / "model.safetensors.index.json").write_text('{"metadata": {}, "weight_map": {"a": 5}}')
    elif name == "deep":
        (path / "config.json").write_text(deep)
    elif name == "state":
        (path / "trainer_state.json").write_text(deep)
    else:
        header("[]" if name == "header" else '{"w": {"data_offsets": [0]}}')
    assert not whole(path)


def test_a_command_to_merge_is_safe_to_paste(tmp_path: Path) -> None:
    (tmp_path / "checkpoint-5; rm x" / "pytorch_model_fsdp_0").mkdir(parents=True)
    command = merge_command(tmp_path / "checkpoint-5; rm x")
    assert command is not None
    assert shlex.split(command)[-1] == str(tmp_path / "checkpoint-5; rm x-merged")


def test_a_server_that_answers_nonsense_does_not_stop_the_watch() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def nonsense() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"no HTTP at all\r\n\r\n")

        threading.Thread(target=nonsense, daemon=True).start()
        notes: list[str] = []
        Telling(notes.append, url=f"http://127.0.0.1:{server.getsockname()[1]}/x").tell({"dir": "a\udcffb"}, "line")
        Telling(notes.append, url="http://127.0.0.1:80 80/x").tell({}, "line")
    assert [note.split(":")[0] for note in notes] == ["line", "--post failed", "line", "--post failed"]


def test_names_that_are_no_text_are_told_too(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    notes: list[str] = []
    Telling(notes.append, log).tell({"dir": "a\udcffb"}, "line")
    assert json.loads(log.read_text())["dir"] == "a\udcffb"
    assert notes == ["line"]


HOSTILE = (
    "checkpoint-1,2",
    "checkpoint-3 (copy)",
    "checkpoint-4;touch x",
    "checkpoint-5\n::error::gone",
    "checkpoint-6\x1b[31m",
    "checkpoint-7 ",
    "-checkpoint-8",
    "체크포인트 step-9",
    "🚀checkpoint-10",
    "<img src=x>-checkpoint-11",
    "x" * 230 + "-checkpoint-12",
    "checkpoint-13=..\\..",
    "checkpoint-14-\udcff",
)


def test_odd_names_of_folders_are_only_names(tmp_path: Path) -> None:
    """Each is evaluated once and told of under its own name, and the run's name is one that a folder can have."""
    trial = Trial(tmp_path, stop_file=tmp_path / "STOP")
    for name in HOSTILE:
        checkpoint(trial.root, 0).rename(trial.root / name)
    script = "import sys, json; sys.exit(len(json.load(sys.stdin)['checkpoint_dir']) < 14)"
    telling = Telling(trial.notes.append, trial.watch.log, f'{sys.executable} -c "{script}"')
    names = trial.go(telling=telling, judge=lambda run, look: "pass")
    assert len(names) == len(set(names)) == len(HOSTILE)
    assert all(check_name(name) == name for name in names)
    told = [json.loads(line) for line in trial.watch.log.read_text().splitlines()]
    assert {os.path.basename(event["checkpoint_dir"]) for event in told} == set(HOSTILE)  # noqa: PTH119
    assert [event["step"] for event in told] == [14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 1]
    assert not [note for note in trial.notes if "failed" in note or "--exec ended" in note]
    assert trial.go() == []
    assert not any((trial.results / ".watch").rglob("*.safetensors"))


def test_a_checkpoint_that_does_not_go_with_the_flags_costs_only_itself(tmp_path: Path) -> None:
    trial = Trial(tmp_path)
    checkpoint(trial.root, 5)
    checkpoint(trial.root, 6)

    def refuse(held: Checkpoint) -> None:
        if held.name == "checkpoint-6":
            raise UsageError("type --model BASE")

    trial.during = refuse
    assert trial.go() == ["out-checkpoint-6", "out-checkpoint-5"]
    assert trial.notes[0] == "checkpoint-6 is left out: type --model BASE"
    shutil.rmtree(trial.root / "checkpoint-5")
    assert trial.go() == ["out-checkpoint-6"], "another watch tries it again"
    alone = Trial(tmp_path / "alone")
    checkpoint(alone.root, 6)
    alone.during = refuse
    with pytest.raises(UsageError, match="type --model BASE"):
        alone.go()


def test_folders_of_one_name_are_not_mixed(tmp_path: Path) -> None:
    trial = Trial(tmp_path)
    checkpoint(trial.root, 5)
    trial.go()
    other = tmp_path / "other" / "out"
    checkpoint(other, 5)
    trial.watch = Watch(other, trial.results, once=True)
    with pytest.raises(UsageError, match="a folder of the same name: give one of them another --output-path"):
        trial.go()
    shutil.move(tmp_path / "out", tmp_path / "moved")
    assert trial.go(), "the other one is gone: this may be it, under another path"


def test_files_that_are_no_files_are_passed_over(tmp_path: Path) -> None:
    """A pipe, a device and a folder in place of a file neither hang nor fill the memory."""
    path = checkpoint(tmp_path, 5)
    for name in ("config.json", "model.safetensors", "trainer_state.json"):
        for place in ("pipe", "device", "folder"):
            content = (path / name).read_bytes()
            (path / name).unlink()
            if place == "pipe":
                os.mkfifo(path / name)
            elif place == "device":
                (path / name).symlink_to("/dev/zero")
            else:
                (path / name).mkdir()
            assert not whole(path), (name, place)
            (path / name).rmdir() if place == "folder" else (path / name).unlink()
            (path / name).write_bytes(content)
    os.utime(path / "trainer_state.json")
    assert whole(path)
