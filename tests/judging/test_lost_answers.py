"""A judge that loses an answer ends the judging with an error and the others kept, and is not waited for."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from evalkit.engines.mock import MockEngine
from evalkit.errors import EngineError
from evalkit.journal import Keyer
from evalkit.judging.calls import Asker, Asking, Replies
from evalkit.types import Answer, Sampling, Work


class Kept:
    def __init__(self) -> None:
        self.content: dict[bytes, Any] = {}

    def get_json(self, keys: Iterable[bytes]) -> Iterator[tuple[bytes, Any]]:
        return ((key, self.content[key]) for key in keys if key in self.content)

    def put_json(self, key: bytes, value: Any) -> None:
        self.content[key] = value

    def flush(self) -> None:
        pass


class Loses(MockEngine):
    def _answer(self, item: Work) -> Iterator[Answer]:
        return (answer for answer in super()._answer(item) if answer.id != 1)


def judgment(number: int) -> Asking[int]:
    (answer,) = yield Replies({"number": number}, lambda: (), Sampling(4))
    assert answer.id is not None
    return number


def test_an_answer_that_never_comes_ends_the_judging() -> None:
    kept = Kept()

    def judged(engine: MockEngine) -> list[int]:
        asker = Asker(Keyer("model", "mock/1"), kept, engine, lambda messages, start: array("i", [1, 2]))
        return sorted(asker.run(judgment(number) for number in range(4)))

    with pytest.raises(EngineError, match="ended without 1 of its answers"):
        judged(Loses())
    again = MockEngine()
    assert judged(again) == [0, 1, 2, 3]
    assert len(again.sent) == 1
