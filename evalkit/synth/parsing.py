"""A response into candidate instructions."""

from __future__ import annotations

import re

__all__ = ["candidates"]

_NUMBER = re.compile(r"\n\d+\s?\. ")
_BLANKS = re.compile(r"\s+")


def candidates(text: str, finish: str | None) -> list[str]:
    """The instructions of a response, in order. A response that was cut off counts for nothing."""
    if finish == "length":
        return []
    parts = (_BLANKS.sub(" ", part).strip().capitalize() for part in _NUMBER.split(text))
    return [part for part in parts if part]
