"""Rules on words that a response must or must not contain, and how often."""

from __future__ import annotations

import re

from evalkit.checks.outcome import Params

__all__ = ["compare", "existence", "forbidden", "frequency", "letter_frequency"]


def compare(count: int, relation: str, limit: float) -> bool:
    if relation == "less than":
        return count < limit
    if relation == "at least":
        return count >= limit
    raise ValueError(f"the relation {relation!r} is neither 'less than' nor 'at least'")


def existence(response: str, kwargs: Params) -> bool:
    """Whether all keywords occur. They are regular expressions, as in the published rules."""
    return all(re.search(keyword, response, re.IGNORECASE) for keyword in kwargs["keywords"])


def frequency(response: str, kwargs: Params) -> bool:
    count = len(re.findall(kwargs["keyword"].strip(), response, re.IGNORECASE))
    return compare(count, kwargs["relation"], kwargs["frequency"])


def forbidden(response: str, kwargs: Params) -> bool:
    return not any(re.search(rf"\b{word}\b", response, re.IGNORECASE) for word in kwargs["forbidden_words"])


def letter_frequency(response: str, kwargs: Params) -> bool:
    """Whether a letter occurs often enough. `#` and `!` are counted; the original draws a random letter instead."""
    count = response.lower().count(kwargs["letter"].strip().lower())
    return compare(count, kwargs["let_relation"], kwargs["let_frequency"])
