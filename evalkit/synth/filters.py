"""Filters that look at a candidate alone, and not at the pool."""

from __future__ import annotations

import re
import string
from collections import Counter
from dataclasses import dataclass, field
from functools import lru_cache

from evalkit.synth.media import needs_media
from evalkit.synth.recipe import Recipe
from evalkit.synth.scripts import main_script, syllables

__all__ = ["REASONS", "Patterns", "refusal"]

REASONS = ("length", "keyword", "program", "punctuation", "non-ascii", "similar")
"""In the order in which they are looked at; `similar` is the pool's."""

_LOOP = 6
"""Tokens in a row that make a loop when they stand three times in one text."""


def refusal(instruction: str, recipe: Recipe, scripts: frozenset[str] = frozenset()) -> str | None:
    """The first reason to refuse this candidate, or None. `scripts`: those of the seeds."""
    if recipe.aware:
        return _aware(instruction, recipe, scripts)
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


def _aware(instruction: str, recipe: Recipe, scripts: frozenset[str]) -> str | None:
    words = len(instruction.split())
    tokens = syllables(instruction)
    # A short Korean sentence has two words, and as many syllables as an English one has words.
    if len(tokens) < 2 * recipe.fewest_words - 1 and words < recipe.fewest_words:
        return "length"
    if words > recipe.most_words or len(tokens) > 4 * recipe.most_words:
        return "length"
    if needs_media(instruction):
        return "media"
    if instruction.startswith(recipe.refused_beginning):
        return "program"
    if (instruction[0] in string.punctuation and instruction[0] not in "\"'([{<`") or instruction.endswith(
        (":", "\uff1a")
    ):
        return "punctuation"
    if scripts and main_script(instruction) not in scripts:
        return "language"
    if loops(tokens):
        return "repetition"
    return None


def loops(tokens: list[str]) -> bool:
    """Whether a run of tokens stands three times in a text, as in answers that got stuck."""
    runs = Counter(tuple(tokens[start : start + _LOOP]) for start in range(len(tokens) - _LOOP + 1))
    return max(runs.values(), default=0) >= 3


@dataclass(slots=True)
class Patterns:
    """How often instructions begin or end with the same tokens. Too many of one pattern make a dull pool."""

    most_share: float = 0.1
    fewest: int = 5
    """So many of one pattern are always allowed."""
    length: int = 4
    """Tokens at the beginning or end that make a pattern."""
    _counts: Counter[tuple[str, ...]] = field(default_factory=Counter)
    _size: int = 0

    def repeats(self, instruction: str) -> bool:
        """Whether the pool holds too many like it."""
        allowed = max(self.fewest, self.most_share * self._size)
        return any(self._counts[key] >= allowed for key in self._keys(instruction))

    def add(self, instruction: str) -> None:
        self._size += 1
        self._counts.update(self._keys(instruction))

    def _keys(self, instruction: str) -> list[tuple[str, ...]]:
        """The pattern of the beginning. The end is left out: Korean verbs stand last, so that many tasks end alike."""
        tokens = syllables(instruction)
        return [tuple(tokens[: self.length])] if len(tokens) > self.length else []
