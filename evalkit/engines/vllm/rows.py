"""Keeps a prompt's log-probabilities packed until they are read.

vLLM makes Python objects of every row of a prompt, cached ones included; for a choice after a long context, one row in
forty is read. If this version allows it, its rows stay packed tensors. The self-test covers this path too.
"""

from __future__ import annotations

import inspect
from typing import Any

__all__ = ["PackedRows", "keep_rows_packed"]


class PackedRows:
    """The rows of a prompt in order, in one piece for each step that read it."""

    def __init__(self) -> None:
        self._pieces: list[Any] = []

    def __len__(self) -> int:
        return sum(piece.shape[0] for piece in self._pieces)

    def add(self, piece: Any) -> None:
        self._pieces.append(piece)

    def tail(self, count: int) -> list[list[float]]:
        """The last `count` rows; the log-probability of the prompt's token comes first in each."""
        rows: list[list[float]] = []
        for piece in reversed(self._pieces):
            if len(rows) >= count:
                break
            rows = [*piece[-(count - len(rows)) :].tolist(), *rows]
        return rows


def keep_rows_packed() -> bool:
    """Patch vLLM; returns whether this version can be patched."""
    try:
        from vllm.v1.engine.logprobs import LogprobsProcessor
    except ImportError:
        return False
    unpack = getattr(LogprobsProcessor, "_update_prompt_logprobs", None)
    if unpack is None or len(inspect.signature(unpack).parameters) != 2:
        return False

    def keep(self: Any, tensors: Any) -> None:
        if not isinstance(self.prompt_logprobs, PackedRows):
            self.prompt_logprobs = PackedRows()
        self.prompt_logprobs.add(tensors.logprobs)

    LogprobsProcessor._update_prompt_logprobs = keep
    return True
