"""Words that must or must not stand in a response, and how often."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

__all__ = ["compare", "existence", "forbidden", "frequency", "letter_frequency"]

Kwargs = Mapping[str, Any]


def compare(count: int, relation: str, limit: float) -> bool:
    if relation == "less than":
        return count < limit
    if relation == "at least":
        return count >= limit
    raise ValueError(f"the relation {relation!r} is neither 'less than' nor 'at least'")


def existence(response: str, kwargs: Kwargs) -> bool:
    """Keywords are regular expressions, as they are published."""
    return all(re.search(keyword, response, re.IGNORECASE) for keyword in kwargs["keywords"])


def frequency(response: str, kwargs: Kwargs) -> bool:
    count = len(re.findall(kwargs["keyword"].strip(), response, re.IGNORECASE))
    return compare(count, kwargs["relation"], kwargs["frequency"])


def forbidden(response: str, kwargs: Kwargs) -> bool:
    return not any(re.search(rf"\b{word}\b", response, re.IGNORECASE) for word in kwargs["forbidden_words"])


def letter_frequency(response: str, kwargs: Kwargs) -> bool:
    """Two prompts ask for `#` and `!`, for which the original draws some letter at random: here they are counted."""
    count = response.lower().count(kwargs["letter"].strip().lower())
    return compare(count, kwargs["let_relation"], kwargs["let_frequency"])
