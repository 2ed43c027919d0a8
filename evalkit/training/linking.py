"""Hard-links a checkpoint's files while it is evaluated, because the trainer may delete the checkpoint meanwhile."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

__all__ = ["keep", "kept", "release"]

_NOT_NEEDED = ("optimizer", "scheduler", "rng_state", "training_args", "scaler", "global_step")
_FILES = "files"
_NAME = "name"


def keep(checkpoint: Path, folder: Path) -> Path:
    """Hard links of what an evaluation reads, or copies where the file system has no links. Returns their folder.

    That folder's name is ours: a checkpoint's own may hold a comma, which separates models, or be too long for more.
    """
    target = folder / _FILES
    if target.is_dir():
        return target
    shutil.rmtree(draft := folder / ".draft", ignore_errors=True)
    draft.mkdir(parents=True)
    for entry in sorted(checkpoint.iterdir()):
        if entry.is_file() and not entry.name.startswith(_NOT_NEEDED):
            _link(entry, draft / entry.name)
    (folder / _NAME).write_bytes(os.fsencode(checkpoint.name))
    draft.rename(target)
    return target


def kept(root: Path) -> Iterator[tuple[str, str, Path]]:
    """What an earlier watch kept and did not finish: the key, the checkpoint's name and the folder of its files.

    An older evalkit named that folder like the checkpoint.
    """
    if not root.is_dir():
        return
    for folder in sorted(root.iterdir()):
        files = folder / _FILES
        if files.is_dir():
            try:
                yield folder.name, os.fsdecode((folder / _NAME).read_bytes()), files
            except OSError:
                continue
        elif folder.is_dir():
            older = [entry for entry in sorted(folder.iterdir()) if entry.is_dir() and not entry.name.startswith(".")]
            yield from ((folder.name, entry.name, entry) for entry in older)


def release(folder: Path) -> None:
    """Remove the links of a checkpoint."""
    shutil.rmtree(folder, ignore_errors=True)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source.resolve(), target)
    except OSError:
        shutil.copy2(source, target)
