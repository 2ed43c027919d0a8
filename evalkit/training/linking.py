"""Keeps a checkpoint's files under a folder of our own: a trainer's rotation deletes checkpoints under their reader."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

__all__ = ["keep", "kept", "release"]

_NOT_NEEDED = ("optimizer", "scheduler", "rng_state", "training_args", "scaler", "global_step")


def keep(checkpoint: Path, folder: Path) -> Path:
    """Hard links of what an evaluation reads, or copies where the file system has no links. Returns their folder."""
    target = folder / checkpoint.name
    if target.is_dir():
        return target
    shutil.rmtree(draft := folder / ".draft", ignore_errors=True)
    draft.mkdir(parents=True)
    for entry in sorted(checkpoint.iterdir()):
        if entry.is_file() and not entry.name.startswith(_NOT_NEEDED):
            _link(entry, draft / entry.name)
    draft.rename(target)
    return target


def kept(root: Path) -> Iterator[tuple[str, Path]]:
    """What an earlier watch had kept and not come to the end of: key and folder."""
    if root.is_dir():
        for folder in sorted(root.iterdir()):
            if folder.is_dir():
                yield from ((folder.name, entry) for entry in folder.iterdir() if not entry.name.startswith("."))


def release(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source.resolve(), target)
    except OSError:
        shutil.copy2(source, target)
