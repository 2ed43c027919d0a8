"""Which examples a prompt shows, and its text."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

from evalkit.synth.recipe import Recipe

__all__ = ["draw_examples", "prompt_text"]

_BLANKS = re.compile(r"\s+")


def draw_examples(seeds: Sequence[str], machine: Sequence[str], recipe: Recipe, rng: random.Random) -> list[str]:
    """Some of the machine's instructions, seeds for the rest, shuffled. Each draw takes its random numbers."""
    chosen = rng.sample(list(machine), min(recipe.from_machine, len(machine)))
    chosen += rng.sample(list(seeds), recipe.examples - len(chosen))
    rng.shuffle(chosen)
    return chosen


def prompt_text(examples: Sequence[str], recipe: Recipe) -> str:
    """A numbered list that ends with the number of the instruction to come."""
    lines = [recipe.heading]
    lines += [f"{n}. {_BLANKS.sub(' ', text).strip().rstrip(':')}" for n, text in enumerate(examples, 1)]
    return "\n".join([*lines, f"{len(examples) + 1}."])
