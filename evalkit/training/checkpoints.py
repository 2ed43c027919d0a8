"""Finds checkpoints below a folder, and checks whether one is written completely."""

from __future__ import annotations

import hashlib
import json
import shlex
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from evalkit.curves.axis import in_name
from evalkit.curves.trainer import STATE
from evalkit.regularfile import read_regular_file

__all__ = ["Checkpoint", "find_checkpoints", "is_whole", "merge_command", "signature"]

_INDEXES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
_MODELS = ("model.safetensors", "pytorch_model.bin")
_ADAPTERS = ("adapter_model.safetensors", "adapter_model.bin")
_LONGEST_HEADER = 100 << 20


@dataclass(frozen=True, slots=True)
class Checkpoint:
    path: Path
    step: float
    is_adapter: bool
    name: str
    """The folder's own name; `path` may be one of links to its files."""

    @classmethod
    def at(cls, path: Path, step: float = 0, name: str | None = None) -> Checkpoint:
        """The checkpoint in a folder. `name`: the folder whose files are linked there."""
        return cls(path, step, (path / "adapter_config.json").is_file(), name or path.name)


def find_checkpoints(folder: Path) -> list[Checkpoint]:
    """The folders with a step in their name (checkpoint-500, step_500), by step, complete or not."""
    checkpoints = []
    for entry in _entries(folder):
        step = in_name(entry.name, "step")
        if step is not None and entry.is_dir():
            checkpoints.append(Checkpoint.at(entry, step))
    return sorted(checkpoints, key=lambda checkpoint: checkpoint.step)


def signature(checkpoint: Path) -> str | None:
    """A hash of names, sizes and times of the weight files; None if there are none."""
    files = []
    try:
        for path in _entries(checkpoint):
            if path.suffix in (".safetensors", ".bin") and path.name != "training_args.bin":
                about = path.stat()
                files.append((path.name, about.st_size, about.st_mtime_ns))
    except OSError:
        return None
    return hashlib.sha256(json.dumps(sorted(files)).encode()).hexdigest()[:16] if files else None


def is_whole(checkpoint: Checkpoint, seen: str | None) -> bool:
    """Whether every file is there in full. `seen`: its signature when it was looked at before.

    A trainer writes trainer_state.json last. Where it is missing, or older than the weights (a folder that is written
    again), the weights must have stood still since the last look.
    """
    now = signature(checkpoint.path)
    if now is None:
        return False
    try:
        if not _weights_are_whole(checkpoint):
            return False
        return now == seen or _state_is_newer(checkpoint.path)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return False  # it is being written, was deleted, or is no checkpoint


def merge_command(checkpoint: Path) -> str | None:
    """For a checkpoint that holds only shards of a distributed trainer: the command that makes a model of it."""
    if any((checkpoint / name).is_file() for name in (*_INDEXES, *_MODELS, *_ADAPTERS)):
        return None
    for entry in _entries(checkpoint):
        if entry.is_dir() and entry.name.startswith("pytorch_model_fsdp"):
            return shlex.join(["accelerate", "merge-weights", str(entry), f"{checkpoint}-merged"])
        if entry.is_dir() and entry.name.startswith("global_step") and any(entry.glob("*model_states.pt")):
            return shlex.join(["python", str(checkpoint / "zero_to_fp32.py"), str(checkpoint), f"{checkpoint}-merged"])
    return None


def _entries(folder: Path) -> Iterator[Path]:
    try:
        yield from sorted(folder.iterdir())
    except OSError:
        return


def _weights_are_whole(checkpoint: Checkpoint) -> bool:
    path = checkpoint.path
    if checkpoint.is_adapter:
        return any(_file_is_whole(path / name) for name in _ADAPTERS)
    if not (path / "config.json").is_file():
        return False
    json.loads(read_regular_file(path / "config.json"))
    for name in _INDEXES:
        if (path / name).is_file():
            shards = set(json.loads(read_regular_file(path / name))["weight_map"].values())
            return all("/" not in shard and _file_is_whole(path / shard) for shard in shards)
    return any(_file_is_whole(path / name) for name in _MODELS)


def _file_is_whole(path: Path) -> bool:
    """A file of weights. Of safetensors the header says how long the file must be."""
    if not path.is_file():
        return False
    size = path.stat().st_size
    if path.suffix != ".safetensors":
        return size > 0
    with path.open("rb") as file:
        start = file.read(8)
        if len(start) < 8:
            return False
        (length,) = struct.unpack("<Q", start)
        if length > min(size, _LONGEST_HEADER):
            return False
        header = json.loads(file.read(length))
    ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
    return bool(size == 8 + length + max(ends, default=0))


def _state_is_newer(checkpoint: Path) -> bool:
    state = checkpoint / STATE
    if not state.is_file() or not isinstance(json.loads(read_regular_file(state)), dict):
        return False
    weights = [path for path in _entries(checkpoint) if path.suffix in (".safetensors", ".bin")]
    written = [path.stat().st_mtime_ns for path in weights if path.name != "training_args.bin"]
    return state.stat().st_mtime_ns >= max(written, default=0)
