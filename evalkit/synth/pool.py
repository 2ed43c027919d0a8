"""What is kept: every candidate that is new enough against the seeds and all that was kept before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evalkit.synth.recipe import Recipe
from evalkit.synth.similarity import Tokens, rouge_l, words

__all__ = ["Kept", "Pool"]


@dataclass(frozen=True, slots=True)
class Kept:
    instruction: str
    average: float
    """Mean similarity to everything that was there."""
    most_similar: tuple[tuple[str, float], ...]
    """The nearest instructions, the nearest first."""


class Pool:
    def __init__(self, seeds: Sequence[str], recipe: Recipe) -> None:
        self.kept: list[Kept] = []
        self._recipe = recipe
        self._texts = list(seeds)
        self._tokens = [Tokens(words(text)) for text in seeds]

    @property
    def instructions(self) -> list[str]:
        return [kept.instruction for kept in self.kept]

    def offer(self, instruction: str) -> Kept | None:
        """Keep it if it is new enough. What is kept counts for the next candidate at once."""
        tokens = Tokens(words(instruction))
        scores = [rouge_l(tokens, there) for there in self._tokens]
        if scores and max(scores) > self._recipe.most_similar:
            return None
        nearest = np.argsort(scores, kind="stable")[::-1][: self._recipe.neighbours]
        kept = Kept(
            instruction,
            float(np.mean(scores)) if scores else 0.0,
            tuple((self._texts[place], scores[place]) for place in nearest),
        )
        self.kept.append(kept)
        self._texts.append(instruction)
        self._tokens.append(tokens)
        return kept
