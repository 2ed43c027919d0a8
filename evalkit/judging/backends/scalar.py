"""A judge that gives a number to each answer, such as a reward model. Of two answers, it prefers the higher number."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from evalkit.journal import Keyer
from evalkit.judging.backends.spec import SEMANTICS, JudgeOptions
from evalkit.judging.calls import Kept
from evalkit.judging.items import Item
from evalkit.judging.judgment import Judge, Judgment
from evalkit.judging.rubric import Dimension, Rubric
from evalkit.types import JsonObject

__all__ = ["ScalarJudge", "ScalarRequest", "preference"]


@dataclass(frozen=True, slots=True)
class ScalarRequest:
    """One answer to give a number to."""

    rubric: Rubric
    dimension: Dimension
    inputs: Mapping[str, str]
    """The rubric's inputs by name: `instruction`, `answer` …"""

    @property
    def identity(self) -> JsonObject:
        return {"rubric": self.rubric.hash, "dimension": self.dimension.name, "inputs": dict(self.inputs)}


Score = Callable[[Sequence[ScalarRequest]], Sequence["float | str"]]
"""A number for each request, or the reason why there is none, in the same order."""


def preference(ours: float, theirs: float) -> float:
    """The probability that our answer is preferred: the logistic function of the difference, as in Bradley–Terry."""
    return 0.5 * (1.0 + math.tanh((ours - theirs) / 2))


@dataclass(slots=True)
class ScalarJudge:
    """Calls `score` for the answers that are not in the journal, a batch at a time.

    A rubric that rates single answers takes the numbers as they are: they have to lie on the scale of its dimension.
    A rubric that compares two answers takes the difference of their numbers, on any scale.
    """

    judge: Judge
    journal: Kept
    score: Score
    options: JudgeOptions = field(default_factory=JudgeOptions)
    about: JsonObject = field(default_factory=dict)
    """For the run's manifest."""
    release: Callable[[], None] = lambda: None
    """Frees the model."""
    batch: int = 64
    """Items that are scored together."""
    asked: int = 0
    reused: int = 0

    @property
    def description(self) -> JsonObject:
        return {"name": self.judge.name.partition(":")[0], **self.about}

    def judge_items(self, rubric: Rubric, items: Sequence[Item]) -> Iterator[Judgment]:
        for start in range(0, len(items), self.batch):
            if self.options.stopped():
                return
            wanted = [
                (item, dimension) for item in items[start : start + self.batch] for dimension in rubric.dimensions
            ]
            requests = [_requests(rubric, dimension, item) for item, dimension in wanted]
            values = iter(self._values([request for pair in requests for request in pair]))
            for (item, dimension), pair in zip(wanted, requests, strict=True):
                yield _judgment(rubric, dimension, item, [next(values) for _ in pair])

    def close(self) -> None:
        self.release()

    def _values(self, requests: Sequence[ScalarRequest]) -> list[float | str]:
        keyer = Keyer(self.judge.fingerprint, SEMANTICS)
        keys = [keyer.of_json(["scalar", request.identity]) for request in requests]
        values: dict[bytes, float | str] = {
            key: float(value) for key, value in self.journal.get_json(keys) if isinstance(value, int | float)
        }
        missing = {key: request for key, request in zip(keys, requests, strict=True) if key not in values}
        self.reused += len(keys) - len(missing)
        if missing and not self.options.ask:
            values |= dict.fromkeys(missing, "not in the journal")
        elif missing:
            for key, value in zip(missing, self.score(list(missing.values())), strict=True):
                values[key] = value if isinstance(value, str) or math.isfinite(value) else f"the judge gave {value}"
                if not isinstance(values[key], str):
                    self.journal.put_json(key, values[key])
            self.journal.flush()
            self.asked += len(missing)
        return [values[key] for key in keys]


def _requests(rubric: Rubric, dimension: Dimension, item: Item) -> list[ScalarRequest]:
    """The requests of an item: none if its answer is missing, two for a comparison."""
    if item.missing is not None or (rubric.kind == "pairwise" and item.answer == item.other):
        return []
    ours = ScalarRequest(rubric, dimension, item.inputs)
    if rubric.kind != "pairwise":
        return [ours]
    return [ours, replace(ours, inputs={**item.inputs, "answer": item.other or ""})]


def _judgment(rubric: Rubric, dimension: Dimension, item: Item, values: Sequence[float | str]) -> Judgment:
    if item.missing is not None:
        return Judgment(item, dimension.name, None, item.missing)
    if not values:
        return Judgment(item, dimension.name, 0.5, method="same text")
    numbers = [value for value in values if not isinstance(value, str)]
    if len(numbers) < len(values):
        return Judgment(item, dimension.name, None, next(value for value in values if isinstance(value, str)))
    if rubric.kind == "pairwise":
        return Judgment(item, dimension.name, preference(*numbers), method="difference of scores")
    [number] = numbers
    if number not in dimension.scale:
        low, high = dimension.scale.describe()
        reason = f"the score {number:g} is not on the scale from {low:g} to {high:g}"
        return Judgment(item, dimension.name, None, reason)
    return Judgment(item, dimension.name, number, method="scalar")
