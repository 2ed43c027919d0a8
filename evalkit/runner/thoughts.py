"""How long a model thought over a task's documents, and how often it came to no answer."""

from __future__ import annotations

import math
from collections.abc import Sequence

from evalkit.results import Thoughts
from evalkit.types import Row

__all__ = ["thinking_entry"]


def thinking_entry(rows: Sequence[Row], filters: Sequence[str]) -> Thoughts | None:
    """`thinking` of a task in results.json; None where no answer has a thought."""
    mine = [row for row in rows if not filters or row.filter == filters[0]]  # filters share the answers
    thoughts = [(row, place) for row in mine for place in range(len(row.sample.get("reasoning") or ()))]
    if not any(row.sample["reasoning"][place] is not None for row, place in thoughts):
        return None
    known = sorted(tokens for row, place in thoughts if (tokens := row.sample["thinking_tokens"][place]) is not None)
    answers = sum(len(row.sample["finish"] or ()) for row in mine)
    unfinished = sum((row.sample["finish"] or []).count("unfinished") for row in mine)
    empty = [1 for row, place in thoughts if not (row.sample["reasoning"][place] or "").strip()]
    return Thoughts(
        answers=answers,
        unfinished=unfinished / answers if answers else None,
        median_tokens=_quantile(known, 0.5),
        p95_tokens=_quantile(known, 0.95),
        empty=len(empty),
    )


def _quantile(values: Sequence[int], share: float) -> float | None:
    """Between the two nearest values, as numpy does; None without values."""
    if not values:
        return None
    place = share * (len(values) - 1)
    low, high = math.floor(place), math.ceil(place)
    return values[low] + (values[high] - values[low]) * (place - low)
