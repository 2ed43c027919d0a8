"""Chooses the requests that score a context's continuations, and where each log-probability is read.

The log-probability of a token after a prefix is requested as a *label* (the next token's log-probability by id, always
computed) or read as a *row* of a longer prompt (the log-probability of a token of the prompt). A row exists only if
the same request computed the position before it; for cached positions vLLM returns garbage or nothing. So:

* one-token continuations are labels of the context;
* of a longer one, the first token is a label of the context, the last a label of all before it, and the rest are rows;
* a row that was cached has been computed for a sibling with the same tokens, and is taken from there;
* what is still missing (siblings that differ from a block's edge on, prompts that an earlier item had in full) is
  requested as a label of the shared prefix, which costs at most one block.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from evalkit.types import Answer, Failed, Score, Scored, TokenIds

__all__ = ["Ask", "Reading", "Row", "ScoreJob", "Way"]

Way = Literal["fast", "labels", "plain"]
"""How to score: labels and rows, labels alone, or one whole prompt for each choice."""

Row: TypeAlias = "tuple[float, float]"
"""The log-probability of a token, and that of the most likely token at its position."""


@dataclass(frozen=True, slots=True, eq=False)
class Ask:
    """One request to vLLM."""

    prompt: TokenIds
    labels: tuple[int, ...] = ()
    """Token ids whose log-probability after the prompt is needed."""
    rows_from: int | None = None
    """The first position of the prompt whose log-probability is needed."""
    from_scratch: bool = False
    """Whether to ignore the prefix cache."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The output of a request: rows for labels, and for positions from `rows_from` on (None if cached)."""

    labels: Sequence[Row]
    rows: Sequence[Row | None] = ()


_Place: TypeAlias = "tuple[bytes, int]"
"""The place of a log-probability: the tokens between context and token, and the token."""


class ScoreJob:
    """One context and all of its continuations, from the first request to the answers."""

    def __init__(
        self, work: Score, *, block: int, max_labels: int, way: Way = "fast", from_scratch: bool = False
    ) -> None:
        """`block`: the block size of the prefix cache, 0 without a cache. `from_scratch`: ignore the cache."""
        self._work = work
        self._block = block
        self._max_labels = max_labels
        self._way = way
        self._from_scratch = from_scratch
        self._known: dict[_Place, Row] = {}
        self._open = 0
        self._refused: str | None = None

    def start(self) -> list[Ask]:
        return self._sent(self._whole_prompts() if self._way == "plain" else self._first_asks())

    def take(self, ask: Ask, reading: Reading) -> list[Ask]:
        """Store an output. Returns the next requests, once no request is in flight."""
        context = len(self._work.context)
        for token, row in zip(ask.labels, reading.labels, strict=True):
            self._known.setdefault((ask.prompt[context:].tobytes(), token), row)
        for position, maybe in enumerate(reading.rows, start=ask.rows_from or 0):
            if maybe is not None:
                place = (ask.prompt[context:position].tobytes(), ask.prompt[position])
                self._known.setdefault(place, maybe)
        return self._next()

    def refuse(self, reason: str) -> list[Ask]:
        """Note that vLLM refused a request. Continuations that do not need it are still answered."""
        self._refused = reason
        return self._next()

    @property
    def done(self) -> bool:
        return self._open == 0

    def answers(self) -> Iterator[Answer]:
        for id, continuation in zip(self._work.ids, self._work.continuations, strict=True):
            rows = [self._known.get(place) for place in _places(continuation)]
            complete = [row for row in rows if row is not None]
            if len(complete) < len(rows):
                yield Failed(id, self._refused or "vLLM returned no log-probability")
            else:
                yield Scored(id, sum(value for value, _ in complete), all(value >= best for value, best in complete))

    # ── what to ask ──────────────────────────────────────────────────────────

    def _sent(self, asks: list[Ask]) -> list[Ask]:
        self._open += len(asks)
        return asks

    def _next(self) -> list[Ask]:
        self._open -= 1
        if self._open or self._refused or self._way == "plain":
            return []
        return self._sent(self._missing())

    def _whole_prompts(self) -> list[Ask]:
        context = self._work.context
        return [Ask(context + k, rows_from=len(context), from_scratch=True) for k in self._work.continuations]

    def _first_asks(self) -> list[Ask]:
        context, continuations = self._work.context, self._work.continuations
        longer: dict[bytes, list[TokenIds]] = {}
        for continuation in continuations:
            if len(continuation) > 1:
                longer.setdefault(continuation[:-1].tobytes(), []).append(continuation)
        # A context of few blocks is cheaper to read with each choice than in a separate request.
        alone = sum(map(len, longer.values())) < len(continuations) or not self._read_with_choices()
        asks: list[Ask] = []
        if alone:
            asks += self._labels(context, [k[0] for k in continuations if len(k)])
        for siblings in longer.values():
            prompt = context + siblings[0][:-1]
            start = len(context) + (1 if alone else 0)
            rows = start if start < len(prompt) and self._way == "fast" else None
            asks += self._labels(prompt, [k[-1] for k in siblings], rows)
        return asks

    def _read_with_choices(self) -> bool:
        length = len(self._work.context)
        if self._way != "fast":
            return False
        return length > 0 and (not self._block or (length <= 2 * self._block and length % self._block > 0))

    def _labels(self, prompt: TokenIds, tokens: Sequence[int], rows_from: int | None = None) -> list[Ask]:
        wanted = list(dict.fromkeys(tokens))
        parts = [tuple(wanted[at : at + self._max_labels]) for at in range(0, len(wanted), self._max_labels)]
        return [Ask(prompt, part, rows_from if at == 0 else None, self._from_scratch) for at, part in enumerate(parts)]

    def _missing(self) -> list[Ask]:
        context = self._work.context
        labels: dict[bytes, list[int]] = {}
        again: list[Ask] = []
        for continuation in self._work.continuations:
            gaps = [place for place in _places(continuation) if place not in self._known]
            if self._way == "fast" and len(gaps) * max(1, self._block) > len(context) + len(continuation):
                prompt = context + continuation[:-1]
                again.append(Ask(prompt, (continuation[-1],), len(context), from_scratch=True))
                continue
            for prefix, token in gaps:
                labels.setdefault(prefix, []).append(token)
        asks = [ask for prefix, tokens in labels.items() for ask in self._labels(context + _ids(prefix), tokens)]
        return asks + again


def _places(continuation: TokenIds) -> Iterator[_Place]:
    for at, token in enumerate(continuation):
        yield continuation[:at].tobytes(), token


def _ids(raw: bytes) -> TokenIds:
    ids = array("i")
    ids.frombytes(raw)
    return ids
