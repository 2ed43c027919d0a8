"""`answer_start`, `answer_end` and `no_answer_probability` of a recorded answer, as the row has them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evalkit.errors import ConfigError
from evalkit.types import JsonObject, Span

__all__ = ["RecordedSpan", "read_span"]


@dataclass(frozen=True, slots=True)
class RecordedSpan:
    start: int | None
    """None: the row says that the context holds no answer."""
    end: int | None
    """None with a start: it follows from the answer's length."""
    no_answer: float | None
    n_best: tuple[Span, ...] = ()
    says_where: bool = True
    """Whether the row says where the answer stands; else it has a probability of no answer alone."""
    has_text: bool = True
    """Whether the row has the answer's text too."""


def read_span(row: JsonObject, place: str) -> RecordedSpan | None:
    """What a row says of the place of its answer; None where it says nothing."""
    keys = [key for key in ("answer_start", "answer_end") if key in row]
    if not keys and row.get("no_answer_probability") is None:
        return None
    start, end = (_whole(row.get(key), key, place) for key in ("answer_start", "answer_end"))
    if start is None and end is not None:
        raise ConfigError(f"{place}: answer_end without answer_start")
    says_where = start is not None or (bool(keys) and row.get("output", "") in ("", None))
    return RecordedSpan(start, end, _number(row, place), _n_best(row.get("n_best"), place), says_where)


def _whole(value: Any, key: str, place: str) -> int | None:
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool):
        raise ConfigError(f"{place}: {key} is {value!r:.40}, not the number of a character of the context")
    return value


def _number(row: JsonObject, place: str) -> float | None:
    value = row.get("no_answer_probability")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ConfigError(f"{place}: no_answer_probability is {value!r:.40}, not a number")
    return float(value)


def _n_best(value: Any, place: str) -> tuple[Span, ...]:
    """The list as a run's own rows have it."""
    spans = []
    for number, item in enumerate(value if isinstance(value, list) else (), 1):
        where = f"{place}: n_best: {number}"
        if not isinstance(item, Mapping) or not isinstance(item.get("text"), str):
            raise ConfigError(f"{where}: an object with text, answer_start and answer_end is wanted")
        start, end = (_whole(item.get(key), key, where) for key in ("answer_start", "answer_end"))
        if start is None or end is None:
            raise ConfigError(f"{where}: answer_start or answer_end is missing")
        score = item.get("score")
        spans.append(Span(start, end, item["text"], float(score) if isinstance(score, int | float) else None))
    return tuple(spans)
