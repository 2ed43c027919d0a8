"""Exchanges events between a trainer's callback and a watch in another process, by two files beside the runs.

watch-<folder>.saved.jsonl   the trainer's lines, one for each checkpoint that it wrote
watch-<folder>.jsonl         the watch's lines, one for each checkpoint that it evaluated or gave up

A trainer's line is {event, step, checkpoint_dir, output_dir, weights}; `weights` is the signature of the files, which
the watch's line has too: another training's folder may have the same name, and its checkpoints as well. Of either file
only whole lines count, and a line that is no such object is passed over.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evalkit.regularfile import open_regular_file
from evalkit.training.checkpoints import signature
from evalkit.training.telling import append_line
from evalkit.types import JsonObject

__all__ = ["Followed", "HandOver", "Result", "Saved"]

_MOST_BYTES = 16 << 20
"""Read at once of a file, from its end: it may be a very long training's, or no such file at all."""


@dataclass(slots=True)
class Followed:
    """The lines that are added to a file, from a place in it on."""

    path: Path
    offset: int = 0

    @classmethod
    def from_now_on(cls, path: Path) -> Followed:
        """The lines that are added after this call."""
        return cls(path, _size(path))

    def read(self) -> list[JsonObject]:
        """The objects that were added since the last call. A file that became shorter is read anew."""
        size = _size(self.path)
        if size == self.offset:
            return []
        try:
            start = self.offset if size > self.offset else 0
            start = max(start, size - _MOST_BYTES)
            with open_regular_file(self.path) as file:
                file.seek(start)
                content = file.read(size - start)
        except OSError:
            return []
        end = content.rfind(b"\n") + 1
        self.offset = start + end
        return list(_objects(content[:end]))


@dataclass(slots=True)
class Saved:
    """What the trainer says it has written, as the watch reads it."""

    path: Path
    signatures: dict[str, str] = field(default_factory=dict)
    """Those that the weights had when the trainer had written them, by the folder's name."""
    _followed: Followed | None = None
    _size: int = 0

    def read(self) -> None:
        self._followed = self._followed or Followed(self.path)
        self._size = _size(self.path)
        for line in self._followed.read():
            where, weights = line.get("checkpoint_dir"), line.get("weights")
            if isinstance(where, str) and isinstance(weights, str):
                self.signatures[Path(where).name] = weights

    @property
    def grew(self) -> bool:
        """Whether something was added since the file was read."""
        return _size(self.path) != self._size


@dataclass(frozen=True, slots=True)
class Result:
    """What a watch found of a checkpoint."""

    checkpoint: str
    """The folder's name."""
    step: float
    scalars: Mapping[str, float]
    verdict: str | None
    problem: str | None


class HandOver:
    """A trainer's side: says which checkpoints are written, and reads what the watch found of them."""

    def __init__(self, output_dir: Path, saved: Path, log: Path) -> None:
        self._output_dir, self._saved = output_dir, saved
        self._results = Followed.from_now_on(log)
        # Results of checkpoints that an earlier process of the same training wrote may still come.
        self._written = dict(filter(None, map(self._earlier, Followed(saved).read())))
        """The signatures of this training's weights by the folder's name; None: not known."""
        self._open: dict[str, Path] = {}

    def saved(self, step: int, checkpoint: Path) -> None:
        """Tell the watch of a checkpoint. Raises OSError where that can't be written."""
        weights = signature(checkpoint)
        line = {
            "event": "saved", "step": step, "checkpoint_dir": str(checkpoint), "output_dir": str(self._output_dir),
            "weights": weights,
        }  # fmt: skip
        self._written[checkpoint.name] = weights
        self._open[checkpoint.name] = checkpoint
        append_line(self._saved, line)

    def results(self) -> list[Result]:
        """What the watch found since the last call, in its order."""
        results = [result for line in self._results.read() if (result := self._result(line)) is not None]
        for result in results:
            self._open.pop(result.checkpoint, None)
        return results

    @property
    def waiting(self) -> list[str]:
        """Checkpoints that this process handed over, that are still there, and of which nothing was heard."""
        return [name for name, path in self._open.items() if path.is_dir()]

    def _earlier(self, line: JsonObject) -> tuple[str, str | None] | None:
        """The checkpoint's name and signature of a line in the trainer's file; None for another training's."""
        where, weights, root = line.get("checkpoint_dir"), line.get("weights"), line.get("output_dir")
        if not isinstance(where, str):
            return None
        name, weights = Path(where).name, weights if isinstance(weights, str) else None
        # Under another path it is this training's where the same weights lie in this folder.
        is_ours = not isinstance(root, str) or _resolved(root) == _resolved(self._output_dir)
        return (name, weights) if is_ours or self._holds(name, weights) else None

    def _holds(self, name: str, weights: str | None) -> bool:
        """Whether these weights lie in this training's own folder."""
        try:
            return weights is not None and signature(self._output_dir / name) == weights
        except ValueError:  # a name that no folder can have
            return False

    def _is_ours(self, name: str, weights: object) -> bool:
        """Whether a result is of weights that this training wrote. An older watch does not say of which it is."""
        if name not in self._written:
            return False
        written = self._written[name]
        return not isinstance(weights, str) or written in (None, weights) or self._holds(name, weights)

    def _result(self, line: JsonObject) -> Result | None:
        where, event = line.get("checkpoint_dir"), line.get("event")
        if not isinstance(where, str) or event not in ("evaluated", "failed"):
            return None
        name, step = os.path.basename(where), line.get("step")  # noqa: PTH119
        if not self._is_ours(name, line.get("weights")) or not isinstance(step, int | float) or not _is_number(step):
            return None
        scalars, verdict, problem = line.get("scalars"), line.get("verdict"), line.get("problem")
        figures = scalars.items() if isinstance(scalars, Mapping) else ()
        return Result(
            checkpoint=name,
            step=step,
            scalars={str(figure)[:500]: float(value) for figure, value in figures if _is_number(value)},
            verdict=verdict if isinstance(verdict, str) else None,
            problem=str(problem)[:2000] if event == "failed" else None,
        )


def _resolved(folder: str | Path) -> str:
    try:
        return os.path.realpath(folder)
    except (OSError, ValueError):
        return str(folder)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _objects(content: bytes) -> Iterator[JsonObject]:
    for line in content.splitlines():
        try:
            parsed = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(parsed, dict):
            yield parsed


def _is_number(value: Any) -> bool:
    try:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:  # a whole number beyond what a float holds
        return False
