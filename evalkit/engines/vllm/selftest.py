"""Checks at the start that the installed vLLM scores right the fast way, and applies each adapter where it should.

A few requests cover all known traps: siblings that share their first tokens past a block's edge, siblings that differ
exactly at one, contexts shorter than a block, choices of different lengths, fully cached prompts.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from evalkit.engines.vllm.client import Client
from evalkit.engines.vllm.scoring import Ask, ScoreJob, Way
from evalkit.errors import EngineError
from evalkit.types import Score, Scored, TokenIds

__all__ = ["Mixing", "SelfTest", "compare_ways", "prove_adapters"]

Mixing = Literal["free", "base apart", "one at a time"]
"""What may share a batch: everything, adapters but not together with the base, or one model only."""


@dataclass(frozen=True, slots=True)
class SelfTest:
    requests: int
    largest_difference: float
    tolerance: float

    @property
    def passed(self) -> bool:
        return self.largest_difference <= self.tolerance


def compare_ways(
    client: Client, pool: Sequence[int], max_length: int, way: Way, *, rows: bool, float32: bool
) -> SelfTest:
    """Score the same requests `way` with a cold cache, again with a warm one, and without sharing; compare them.

    `rows`: whether prompts can be asked for their log-probabilities; if not, labels from scratch are the reference.
    """
    works = _traps(pool, client.block or 16, max_length)
    cold, warm = _score(client, works, way), _score(client, works, way)
    plain = _score(client, works, "plain" if rows else "labels", from_scratch=True)
    worst = 0.0
    for shared in (cold, warm):
        for id, expected in plain.items():
            worst = max(worst, _difference(shared.get(id), expected, float32))
    # In half precision the batch's shape changes a log-probability in its second digit; garbage changes it more.
    return SelfTest(len(plain), worst, 1e-3 if float32 else 0.5)


def prove_adapters(client: Client, pool: Sequence[int], names: Sequence[str], *, float32: bool) -> Mixing:
    """Check that each adapter changes the logits and that the base does not change; returns the mixing that works."""
    noise = 1e-4 if float32 else 0.05
    base = _probe(client, pool, [None])[0]
    alone = {name: _probe(client, pool, [name])[0] for name in names}
    if _probe(client, pool, [None])[0] != base and _apart(_probe(client, pool, [None])[0], base) > noise:
        raise EngineError("the base model's log-probabilities change once an adapter is loaded: vLLM mixes them up")
    for name, rows in alone.items():
        if rows == base:
            raise EngineError(
                f"adapter {name!r} changes no log-probability: either vLLM does not apply it, or its weights are zero"
            )
    together = _probe(client, pool, [None, *names, None])
    expected = [base, *alone.values(), base]
    if all(_apart(a, b) <= noise for a, b in zip(together, expected, strict=True)):
        return "free"
    adapters = _probe(client, pool, list(names))
    if all(_apart(a, b) <= noise for a, b in zip(adapters, alone.values(), strict=True)):
        return "base apart"
    return "one at a time"


# ── scoring the traps ────────────────────────────────────────────────────────


def _traps(pool: Sequence[int], block: int, max_length: int) -> list[Score]:
    """The test requests, made of ids that the tokenizer really produces: reserved ids may mean images."""
    block = min(block, max(2, (max_length - 16) // 4))
    made: list[Score] = []
    shift = 0

    def tokens(length: int) -> TokenIds:
        nonlocal shift
        shift += 7
        return array("i", [pool[(shift * 31 + n * (1 + shift % 5)) % len(pool)] for n in range(length)])

    def trap(context: TokenIds, *continuations: TokenIds) -> None:
        first = sum(len(work.ids) for work in made)
        made.append(Score(tuple(range(first, first + len(continuations))), context, continuations))

    shared = tokens(2 * block)
    trap(shared + tokens(5), *(tokens(1) for _ in range(4)))
    trap(shared + tokens(block // 2), tokens(1), tokens(1))
    start = tokens(block)
    trap(tokens(block + block // 2), start + tokens(2), start + tokens(6), start, tokens(3))
    to_edge = tokens(3)
    trap(tokens(2 * block - 3), to_edge + tokens(4), to_edge + tokens(5), to_edge + tokens(1))
    trap(tokens(2 * block), tokens(4), tokens(2), tokens(7))
    trap(tokens(3), tokens(2), tokens(5), tokens(1))
    return made


def _score(client: Client, works: Sequence[Score], way: Way, from_scratch: bool = False) -> dict[int, Scored]:
    block, labels = client.block, client.max_labels
    jobs = [ScoreJob(w, block=block, max_labels=labels, way=way, from_scratch=from_scratch) for w in works]
    sent: dict[str, tuple[ScoreJob, Ask]] = {}

    def send(job: ScoreJob, asks: Sequence[Ask]) -> None:
        for ask in asks:
            sent[client.ask(ask, None)] = job, ask

    for job in jobs:
        send(job, job.start())
    while sent:
        for output in client.step():
            job, ask = sent.pop(output.request_id)
            send(job, job.take(ask, client.reading(ask, output)))
    return {answer.id: answer for job in jobs for answer in job.answers() if isinstance(answer, Scored)}


def _difference(actual: Scored | None, expected: Scored, float32: bool) -> float:
    if actual is None or (float32 and actual.is_greedy != expected.is_greedy):
        return math.inf
    if math.isnan(actual.logprob) and math.isnan(expected.logprob):
        return 0.0
    difference = abs(actual.logprob - expected.logprob)
    return math.inf if math.isnan(difference) else difference


# ── probing adapters ─────────────────────────────────────────────────────────


def _probe(client: Client, pool: Sequence[int], adapters: Sequence[str | None]) -> list[list[float]]:
    """The log-probabilities of a few labels after a few prompts, with all adapters in one batch."""
    # From scratch: else the second probe would use the cache of the first one.
    labels = tuple(dict.fromkeys(pool[n % len(pool)] for n in range(0, 40, 5)))[: client.max_labels]
    prompts = [array("i", [pool[(n * 11 + k) % len(pool)] for k in range(8 + 3 * n)]) for n in range(3)]
    sent: dict[str, tuple[int, int, Ask]] = {}
    for number, adapter in enumerate(adapters):
        for at, prompt in enumerate(prompts):
            if client.can_label:
                ask = Ask(prompt, labels, from_scratch=True)
            else:
                ask = Ask(prompt, rows_from=1, from_scratch=True)
            sent[client.ask(ask, adapter)] = number, at, ask
    values: dict[tuple[int, int], list[float]] = {}
    while sent:
        for output in client.step():
            number, at, ask = sent.pop(output.request_id)
            reading = client.reading(ask, output)
            rows = [*reading.labels, *(row for row in reading.rows if row is not None)]
            values[number, at] = [value for value, _ in rows]
    return [[v for at in range(len(prompts)) for v in values[n, at]] for n in range(len(adapters))]


def _apart(a: Sequence[float], b: Sequence[float]) -> float:
    return max((abs(x - y) for x, y in zip(a, b, strict=True) if x != y), default=0.0)
