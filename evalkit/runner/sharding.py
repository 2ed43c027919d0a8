"""Divides a run's documents among several runs, so that documents with a common prefix stay together."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from evalkit.parsing import Shard
from evalkit.planning import common_prefix
from evalkit.runner.ledger import Ledger, Pending
from evalkit.types import ScoreRequest, TokenIds

__all__ = ["Share", "share_of"]

_SHARED = 128
"""Documents whose prompts share fewer tokens than this may go to different shards at no cost."""


class Share:
    """The documents of one shard, in one batch."""

    def __init__(self, ledger: Ledger, shard: Shard) -> None:
        self._share = {id(pending): pending for pending in share_of(ledger.open, shard)}
        self._handed_out = False

    @property
    def settled(self) -> bool:
        return not any(pending.converses for pending in self._share.values())

    def next(self) -> list[Pending]:
        batch = [] if self._handed_out else list(self._share.values())
        self._handed_out = True
        return batch

    def drawn(self, pending: Pending) -> bool:
        return id(pending) in self._share


def share_of(documents: Sequence[Pending], shard: Shard) -> list[Pending]:
    """The shard's documents, in their order. The same documents are always divided in the same way."""
    loads = [0] * shard.count
    mine: set[int] = set()
    total = sum(_tokens(document) for document in documents)
    parts = _parts(documents, max(1, total // shard.count))
    for size, places in sorted(parts, key=lambda part: (-part[0], part[1])):
        lightest = min(range(shard.count), key=lambda number: (loads[number], number))
        loads[lightest] += size
        if lightest == shard.index - 1:
            mine.update(places)
    return [document for place, document in enumerate(documents) if place in mine]


def _parts(documents: Sequence[Pending], most: int) -> list[tuple[int, tuple[int, ...]]]:
    """The prefix groups, as their tokens and the places of their documents; none much larger than `most`."""
    prompts = [_prompt(document) for document in documents]
    order = sorted(range(len(documents)), key=lambda place: (documents[place].variant, prompts[place].tobytes(), place))
    parts: list[tuple[int, tuple[int, ...]]] = []
    size, places = 0, list[int]()
    before: int | None = None
    for place in order:
        apart = before is not None and (
            documents[before].variant != documents[place].variant
            or common_prefix(prompts[before], prompts[place]) < _SHARED
            or size >= most
        )
        if apart:
            parts.append((size, tuple(places)))
            size, places = 0, []
        size += _tokens(documents[place])
        places.append(place)
        before = place
    return [*parts, (size, tuple(places))] if places else parts


def _prompt(document: Pending) -> TokenIds:
    first = next(document.requests(), None)
    if first is None:
        return array("i")
    return first.context if isinstance(first, ScoreRequest) else first.prompt


def _tokens(document: Pending) -> int:
    """What a document costs, about: its prompts and what it may generate."""
    cost = 1
    for request in document.requests():
        if isinstance(request, ScoreRequest):
            cost += len(request.context) + len(request.continuation)
        else:
            cost += len(request.prompt) + request.sampling.max_tokens
    return cost
