"""Candidates that are refused for what they are, whatever is in the pool."""

from __future__ import annotations

import re
import string
from functools import lru_cache

from evalkit.synth.recipe import Recipe

__all__ = ["REASONS", "refusal"]

REASONS = ("length", "keyword", "program", "punctuation", "non-ascii", "similar")
"""In the order in which they are looked at; `similar` is the pool's."""


def refusal(instruction: str, recipe: Recipe) -> str | None:
    """The first reason to refuse this candidate, or None."""
    words = len(instruction.split())
    if not recipe.fewest_words <= words <= recipe.most_words:
        return "length"
    if _keywords(recipe.refused_words).search(instruction):
        return "keyword"
    if instruction.startswith(recipe.refused_beginning):
        return "program"
    if instruction[0] in string.punctuation:
        return "punctuation"
    if not instruction[0].isascii():
        return "non-ascii"
    return None


@lru_cache(maxsize=8)
def _keywords(words: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{'|'.join(map(re.escape, words))})\b", re.IGNORECASE)
