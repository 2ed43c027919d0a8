"""The pool: keeps each candidate that is new enough compared with the seeds and everything kept before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evalkit.synth.cosine import Near
from evalkit.synth.recipe import Recipe
from evalkit.synth.scripts import syllables
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
    def __init__(self, seeds: Sequence[str], recipe: Recipe, near: Near | None = None) -> None:
        """`near`: a second measure of similarity."""
        self.kept: list[Kept] = []
        self.too_near: list[str] = []
        """What the second measure refused."""
        self._recipe = recipe
        self._texts = list(seeds)
        self._split = syllables if recipe.aware else words
        self._tokens = [Tokens(self._split(text)) for text in seeds]
        self._near = near
        if near is not None:
            for text in seeds:
                near.add(text)

    @property
    def instructions(self) -> list[str]:
        return [kept.instruction for kept in self.kept]

    def offer(self, instruction: str) -> Kept | None:
        """Keep the instruction if it is new enough, and compare later candidates with it too."""
        tokens = Tokens(self._split(instruction))
        scores = [rouge_l(tokens, there) for there in self._tokens]
        if scores and max(scores) > self._recipe.most_similar:
            return None
        if self._near is not None and self._near.is_near(instruction):
            self.too_near.append(instruction)
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
        if self._near is not None:
            self._near.add(instruction)
        return kept
