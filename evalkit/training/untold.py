"""Finds checkpoints that a watch evaluated and, killed at that moment, told nobody of."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from evalkit.training.handover import Followed
from evalkit.training.memory import Seen

__all__ = ["untold"]


def untold(seen: Sequence[Seen], log: Path) -> Sequence[Seen]:
    """The last of the checkpoints in a watch's memory of which its log says nothing.

    Where the log knows none of them, only the very last one: the others' lines were most likely moved away.
    """
    lines = [line for line in Followed(log).read() if line.get("event") in ("evaluated", "failed")]
    keys = {weights for line in lines if isinstance(weights := line.get("weights"), str)}
    folders = [line.get("checkpoint_dir") for line in lines if "weights" not in line]  # of an older evalkit
    names = {os.path.basename(folder) for folder in folders if isinstance(folder, str)}  # noqa: PTH119
    for position, entry in reversed(list(enumerate(seen))):
        if entry.key in keys or entry.name in names:
            return seen[position + 1 :]
    return seen[-1:]
