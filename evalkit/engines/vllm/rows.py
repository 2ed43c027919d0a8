"""A prompt's log-probabilities as vLLM computed them, unpacked only where they are read.

vLLM makes Python objects of every row of a prompt, cached ones included; of a choice after a long context one row in
forty is read. Where this version lets us, its rows stay packed. The self-test covers this path as it does any other.
"""

from __future__ import annotations

import inspect
from typing import Any

__all__ = ["PackedRows", "keep_rows_packed"]


class PackedRows:
    """Rows in order, in the pieces in which a long prompt was read."""

    def __init__(self) -> None:
        self._pieces: list[Any] = []

    def __len__(self) -> int:
        return sum(piece.shape[0] for piece in self._pieces)

    def add(self, piece: Any) -> None:
        self._pieces.append(piece)

    def tail(self, count: int) -> list[list[float]]:
        """The last `count` rows, each with its token's own log-probability first."""
        found: list[list[float]] = []
        for piece in reversed(self._pieces):
            if len(found) >= count:
                break
            found = [*piece[-(count - len(found)) :].tolist(), *found]
        return found


def keep_rows_packed() -> bool:
    """Whether this version lets us."""
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
