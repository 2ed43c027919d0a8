"""Scores of inspect_ai as numbers, in the way that inspect_ai's own metrics read them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["averaged", "part_of", "to_float", "unscored"]

_LETTERS = {"C": 1.0, "I": 0.0, "P": 0.5, "N": 0.0}
_WORDS = {"yes": 1.0, "true": 1.0, "no": 0.0, "false": 0.0}


def to_float(value: Any) -> float:
    """Correct 1, partial one half, incorrect and no answer 0; a number itself; what is neither is 0."""
    if isinstance(value, bool | int | float):
        return float(value)
    if not isinstance(value, str):
        return 0.0
    if value in _LETTERS:
        return _LETTERS[value]
    word = value.lower()
    if word in _WORDS:
        return _WORDS[word]
    try:
        number = float(word)
    except ValueError:
        return 0.0
    return number if math.isfinite(number) else 0.0


def unscored(value: Any) -> bool:
    """NaN stands for a scorer that could not say."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def part_of(value: Any, name: str) -> Any:
    """The value itself; of a score that holds several by name, this one."""
    if not isinstance(value, Mapping):
        return value
    part = value.get(name)
    return 0.0 if part is None else part  # counted as 0 by inspect_ai's metrics too


def averaged(values: Iterable[Any]) -> float | None:
    """The mean over epochs of those that were scored."""
    scores = [to_float(value) for value in values if not unscored(value)]
    return math.fsum(scores) / len(scores) if scores else None
