"""Reads shared prefixes of prompts once: splits the trie of a window of prompts where sharing is worth a pass.

The prompts that continue a cached prefix are rows of one batch. Cached prefixes are kept for the next window of
prompts, which often has the same ones.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from evalkit.engines.huggingface.cache import KeyValues

__all__ = ["CachedPrefix", "HasPrompt", "PrefixCache", "Tokens", "tokens_of"]

Tokens = NDArray[np.int32]


class HasPrompt(Protocol):
    """What is put into groups: a row or a sample with its prompt."""

    @property
    def prompt(self) -> Tokens: ...


RowT = TypeVar("RowT", bound=HasPrompt)


@dataclass(frozen=True, slots=True, eq=False)
class CachedPrefix:
    """The first tokens of some prompts, with their keys and values: a part of the KV cache."""

    adapter: str | None
    tokens: Tokens
    keys_values: KeyValues | None

    @property
    def length(self) -> int:
        return len(self.tokens)


Extend = Callable[[CachedPrefix, Tokens], CachedPrefix]
"""Reads the tokens after a prefix and returns the longer prefix."""


class PrefixCache(Generic[RowT]):
    """The cached prefixes. `worth`: how many tokens a prefix must save to be worth a separate pass."""

    def __init__(self, extend: Extend, worth: int, keep: int = 6) -> None:
        self._extend = extend
        self._worth = worth
        self._keep = keep
        self._kept: list[CachedPrefix] = []

    def clear(self) -> None:
        self._kept.clear()

    def groups(self, adapter: str | None, members: Sequence[RowT]) -> Iterator[tuple[CachedPrefix, list[RowT]]]:
        """Yield each member once, in groups with their prefix, which leaves the last token of each prompt to read."""
        if not members:
            return
        ordered = sorted(members, key=lambda member: member.prompt.tobytes())
        shared = [_common(a.prompt, b.prompt) for a, b in itertools.pairwise(ordered)]
        root = CachedPrefix(adapter, np.zeros(0, np.int32), None)
        # Depth-first with a list as stack: prompts that are prefixes of each other may nest deeper than Python allows.
        direct: dict[int, list[RowT]] = {}
        todo: list[tuple[int, int, CachedPrefix] | CachedPrefix] = [root, (0, len(ordered), root)]
        while todo:
            step = todo.pop()
            if isinstance(step, CachedPrefix):
                if rows := direct.pop(id(step), None):
                    yield step, rows
                continue
            low, high, prefix = step
            common = min(shared[low : high - 1], default=len(ordered[low].prompt))
            usable = min(common, min(len(member.prompt) for member in ordered[low:high]) - 1)
            further = self._find(prefix, ordered[low].prompt, usable)
            if further is None and (high - low - 1) * (usable - prefix.length) >= self._worth:
                further = self._remember(self._extend(prefix, ordered[low].prompt[prefix.length : usable]))
            if further is not None:
                todo += [further, (low, high, further)]
            elif high - low == 1:
                direct.setdefault(id(prefix), []).append(ordered[low])
            else:
                todo += reversed([(a, b, prefix) for a, b in _parts(shared, low, high, common)])

    def _find(self, prefix: CachedPrefix, prompt: Tokens, upto: int) -> CachedPrefix | None:
        """The longest kept prefix that continues this one along the prompt."""
        best: CachedPrefix | None = None
        for kept in self._kept:
            longer = max(prefix.length, best.length if best else 0) < kept.length <= upto
            if longer and kept.adapter == prefix.adapter and np.array_equal(kept.tokens, prompt[: kept.length]):
                best = kept
        if best is not None:
            self._remember(best)
        return best

    def _remember(self, prefix: CachedPrefix) -> CachedPrefix:
        others = [kept for kept in self._kept if kept is not prefix]
        self._kept = [*others[-(self._keep - 1) :], prefix]
        return prefix


def _parts(shared: list[int], low: int, high: int, common: int) -> Iterator[tuple[int, int]]:
    """The branches of a node of the trie: ranges of members that share a longer prefix than the node's."""
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
