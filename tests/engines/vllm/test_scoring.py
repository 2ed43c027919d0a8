"""Which requests score a choice, and where each log-probability is read. No engine is started."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.engines.vllm.scoring import Ask, Reading, ScoreJob, Way
from evalkit.types import (
    Failed,
    Score,
    Scored,
    TokenIds,
)
from tests.helpers.vllm_work import (
    ids,
)

# ── without an engine ────────────────────────────────────────────────────────


def true_row(context: TokenIds, prefix: Sequence[int], token: int) -> tuple[float, float]:
    """A log-probability that depends on all that stands before it, and the best one in its place."""
    dice = random.Random(repr((list(context), list(prefix), token))).random()
    best = random.Random(repr((list(context), list(prefix)))).choice([0.0, -dice])
    return -dice, best


short = st.lists(st.integers(0, 2), min_size=1, max_size=7)


@settings(max_examples=300, deadline=None)
@given(
    context=st.lists(st.integers(0, 2), min_size=1, max_size=12),
    choices=st.lists(short, min_size=1, max_size=6, unique_by=tuple),
    block=st.sampled_from([0, 2, 3, 4]),
    max_labels=st.integers(1, 3),
    way=st.sampled_from(["fast", "labels", "plain"]),
    dice=st.randoms(use_true_random=False),
)
def test_whatever_the_cache_held_each_choice_gets_its_own_rows(
    context: list[int], choices: list[list[int]], block: int, max_labels: int, way: Way, dice: random.Random
) -> None:
    """Rows at cached positions are withheld; what is read must still be the truth, in a bounded number of asks."""
    work = Score(tuple(range(len(choices))), ids(*context), tuple(ids(*c) for c in choices))
    job = ScoreJob(work, block=block, max_labels=max_labels, way=way)
    todo = job.start()
    count = 0
    while todo:
        ask = todo.pop(dice.randrange(len(todo)))
        count += 1
        assert len(ask.labels) <= max_labels
        cached = 0 if ask.from_scratch or not block else dice.randrange(0, len(ask.prompt), block)
        after = list(ask.prompt[len(context) :])
        labels = [true_row(work.context, after, token) for token in ask.labels]
        rows = [
            true_row(work.context, ask.prompt[len(context) : at], ask.prompt[at]) if at > cached else None
            for at in range(ask.rows_from if ask.rows_from is not None else len(ask.prompt), len(ask.prompt))
        ]
        todo += job.take(ask, Reading(labels, rows))
    assert job.done
    for answer, choice in zip(job.answers(), choices, strict=True):
        rows_of = [true_row(work.context, choice[:at], token) for at, token in enumerate(choice)]
        assert isinstance(answer, Scored)
        assert math.isclose(answer.logprob, sum(own for own, _ in rows_of), abs_tol=1e-12)
        assert answer.is_greedy == all(own >= best for own, best in rows_of)
    assert count <= 2 * sum(map(len, choices)) + 2


def test_a_refused_request_fails_only_the_choices_that_need_it() -> None:
    work = Score((0, 1), ids(1, 2), (ids(3), ids(4, 5, 6)))
    job = ScoreJob(work, block=2, max_labels=20)
    first, second = job.start()
    assert job.take(first, Reading([(-1.0, -0.5), (-2.0, -0.5)])) == []
    assert job.refuse("too long") == []
    assert list(job.answers()) == [Scored(0, -1.0, False), Failed(1, "too long")]
    assert isinstance(second, Ask)
