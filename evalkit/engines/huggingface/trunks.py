"""Reads shared prefixes of prompts once: splits the trie of a window of prompts where sharing is worth a pass.

A trunk is a prefix whose keys and values are computed (a prefix of the KV cache). The prompts that continue it are rows
of one batch. Trunks are kept for the next window, which often has the same prefixes.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from evalkit.engines.huggingface.cache import KeyValues

__all__ = ["Path", "Tokens", "Trunk", "Trunks", "tokens_of"]

Tokens = NDArray[np.int32]


class Path(Protocol):
    """A prompt in the trie."""

    @property
    def prompt(self) -> Tokens: ...


PathT = TypeVar("PathT", bound=Path)


@dataclass(frozen=True, slots=True, eq=False)
class Trunk:
    """A prefix with its keys and values."""

    adapter: str | None
    tokens: Tokens
    keys_values: KeyValues | None

    @property
    def depth(self) -> int:
        return len(self.tokens)


Grow = Callable[[Trunk, Tokens], Trunk]
"""Reads the tokens after a trunk and returns the longer trunk."""


class Trunks(Generic[PathT]):
    """The prefix cache of a window. `worth`: how many tokens a trunk must save to be worth a separate pass."""

    def __init__(self, grow: Grow, worth: int, keep: int = 6) -> None:
        self._grow = grow
        self._worth = worth
        self._keep = keep
        self._kept: list[Trunk] = []

    def clear(self) -> None:
        self._kept.clear()

    def groves(self, adapter: str | None, paths: Sequence[PathT]) -> Iterator[tuple[Trunk, list[PathT]]]:
        """Yield all paths, each once, with their trunk. At least the last token of each prompt is left to read."""
        if not paths:
            return
        ordered = sorted(paths, key=lambda path: path.prompt.tobytes())
        shared = [_common(a.prompt, b.prompt) for a, b in itertools.pairwise(ordered)]
        root = Trunk(adapter, np.zeros(0, np.int32), None)
        # Depth-first with a list as stack: prompts that are prefixes of each other may nest deeper than Python allows.
        direct: dict[int, list[PathT]] = {}
        todo: list[tuple[int, int, Trunk] | Trunk] = [root, (0, len(ordered), root)]
        while todo:
            step = todo.pop()
            if isinstance(step, Trunk):
                if rows := direct.pop(id(step), None):
                    yield step, rows
                continue
            low, high, trunk = step
            common = min(shared[low : high - 1], default=len(ordered[low].prompt))
            usable = min(common, min(len(path.prompt) for path in ordered[low:high]) - 1)
            further = self._find(trunk, ordered[low].prompt, usable)
            if further is None and (high - low - 1) * (usable - trunk.depth) >= self._worth:
                further = self._remember(self._grow(trunk, ordered[low].prompt[trunk.depth : usable]))
            if further is not None:
                todo += [further, (low, high, further)]
            elif high - low == 1:
                direct.setdefault(id(trunk), []).append(ordered[low])
            else:
                todo += reversed([(a, b, trunk) for a, b in _parts(shared, low, high, common)])

    def _find(self, trunk: Trunk, prompt: Tokens, upto: int) -> Trunk | None:
        """The longest kept trunk that continues this one along the prompt."""
        best: Trunk | None = None
        for kept in self._kept:
            longer = max(trunk.depth, best.depth if best else 0) < kept.depth <= upto
            if longer and kept.adapter == trunk.adapter and np.array_equal(kept.tokens, prompt[: kept.depth]):
                best = kept
        if best is not None:
            self._remember(best)
        return best

    def _remember(self, trunk: Trunk) -> Trunk:
        others = [kept for kept in self._kept if kept is not trunk]
        self._kept = [*others[-(self._keep - 1) :], trunk]
        return trunk


def _parts(shared: list[int], low: int, high: int, common: int) -> Iterator[tuple[int, int]]:
    """The branches of a node of the trie: ranges of paths that share a longer prefix than the node's."""
    start = low
    for at in range(low, high - 1):
        if shared[at] == common:
            yield start, at + 1
            start = at + 1
    yield start, high


def _common(a: Tokens, b: Tokens) -> int:
    shorter = min(len(a), len(b))
    differs = a[:shorter] != b[:shorter]
    first = int(differs.argmax()) if shorter else 0
    return first if shorter and differs[first] else shorter


def tokens_of(ids: Any) -> Tokens:
    """Token ids as numpy, without copying."""
    return np.frombuffer(ids, np.intc) if len(ids) else np.zeros(0, np.int32)
