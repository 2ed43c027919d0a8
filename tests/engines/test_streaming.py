"""An engine that does not say when it rests, run so that it is known."""

from __future__ import annotations

import itertools
from array import array
from collections.abc import Iterator
from typing import Any

import pytest

from evalkit.engines import streaming
from evalkit.engines.streaming import Stream
from evalkit.types import Answer, Score, Scored, Usage, Work


class Slow:
    """Answers an item when it was asked for more ten times, and never the items of `lost`."""

    name = "slow"

    def __init__(self, *lost: int) -> None:
        self.usage = Usage()
        self.description: dict[str, Any] = {}
        self.runs = 0
        self._lost = lost

    def run(self, work: Iterator[Work | None]) -> Iterator[Answer]:
        self.runs += 1
        for item in work:
            if item is None or item.ids[0] in self._lost:
                continue
            for _ in itertools.takewhile(lambda more: more is None, itertools.islice(work, 10)):
                pass
            yield Scored(item.ids[0], -1.0, True)

    def close(self) -> None:
        pass


def item(number: int) -> Work:
    return Score((number,), array("i", [1]), (array("i", [2]),))


@pytest.mark.parametrize("patience", [0.0, 30.0])
def test_all_answers_come_however_often_the_work_is_divided(patience: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "PATIENCE", patience)
    engine = Slow()
    work = [part for number in range(20) for part in (item(number), *[None] * 12)]
    answered = [answer.id for answer in Stream(engine).run(iter(work))]
    assert answered == list(range(20))
    assert engine.runs > 1 if patience == 0 else engine.runs == 1


def test_an_answer_that_never_comes_is_known_once_the_engine_has_ended_all_it_had(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(streaming, "PATIENCE", 0.0)
    stream = Stream(Slow(1))
    answered: list[int] = []

    def work() -> Iterator[Work | None]:
        for number in range(3):
            yield item(number)
            while number not in answered and not stream.resting:
                yield None

    for answer in stream.run(work()):
        answered.append(answer.id)
    assert answered == [0, 2]
