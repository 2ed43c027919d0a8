"""Turns a number in a reply into a score on the scale."""

from __future__ import annotations

import re
from dataclasses import dataclass

from evalkit.judging.reply_patterns import KEY, RANGE_NEXT, WORDS
from evalkit.judging.scale import Scale

__all__ = ["Reading", "number_of", "reading_of", "same_name"]


@dataclass(frozen=True, slots=True)
class Reading:
    """A score and its place in the reply, or the reason why there is none."""

    value: float | None
    reason: str | None = None
    start: int = -1
    """Offset of the label in the reply, so that its token can be match."""

    @property
    def missing(self) -> bool:
        return self.value is None


def number_of(written: str) -> float:
    """The value of a number in digits or words."""
    return float(WORDS.get(written.lower(), written))


def reading_of(match: re.Match[str], text: str, scale: Scale) -> Reading:
    """The number in the match's group `n`; a group `top` holds the end of the scale that the reply names."""
    number = match.group("n").lower()
    value = number_of(number)
    top = match.groupdict().get("top")
    if top is not None and number_of(top) != scale.high:
        return Reading(None, "another scale")
    if RANGE_NEXT.match(text, match.end("n" if top is None else "top")):
        return Reading(None, "ambiguous")
    if scale.numeric:
        return Reading(value, start=match.start("n")) if value in scale else Reading(None, "off the scale")
    named = scale.value_of(number)
    return Reading(None, "off the scale") if named is None else Reading(named, start=match.start("n"))


def same_name(dimension: str, key: str) -> bool:
    """Whether a key names the dimension, with or without `score` behind it."""
    name = " ".join(re.sub(r"[_\-]", " ", dimension).casefold().split())
    return key == name or re.sub(rf"\s*{KEY}$", "", key) == name
