"""Chooses the examples of a prompt and writes its text."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from typing import TypeVar

from evalkit.synth.recipe import Recipe
from evalkit.synth.seeds import Seed
from evalkit.synth.wording import Wording

__all__ = ["aware_prompt", "draw_examples", "prompt_text", "whole_prompt"]

_BLANKS = re.compile(r"\s+")
T = TypeVar("T")


def draw_examples(seeds: Sequence[T], machine: Sequence[T], recipe: Recipe, rng: random.Random) -> list[T]:
    """Draw the examples of one prompt: some machine-made instructions, seeds for the rest, shuffled."""
    if recipe.whole_tasks:
        return rng.sample(list(seeds), recipe.examples)
    chosen = rng.sample(list(machine), min(recipe.from_machine, len(machine)))
    chosen += rng.sample(list(seeds), recipe.examples - len(chosen))
    rng.shuffle(chosen)
    return chosen


def prompt_text(examples: Sequence[str], recipe: Recipe) -> str:
    """The prompt of the published recipe: a numbered list that ends with the number of the next instruction."""
    lines = [recipe.heading]
    lines += [f"{n}. {_in_line(text)}" for n, text in enumerate(examples, 1)]
    return "\n".join([*lines, f"{len(examples) + 1}."])


def aware_prompt(examples: Sequence[str], wording: Wording, about: str | None) -> str:
    """The prompt of the recipe `evalkit`, for models that follow instructions, in the seeds' language."""
    heading = f"{wording.list_tasks} {wording.topic.format(about)}" if about else wording.list_tasks
    lines = [heading, "", *(f"{n}. {_in_line(text)}" for n, text in enumerate(examples, 1))]
    return "\n".join([*lines, f"{len(examples) + 1}."])


def whole_prompt(examples: Sequence[Seed], recipe: Recipe) -> str:
    """Examples with input and output, each between ###, as Alpaca's pipeline shows them."""
    text = recipe.heading + "\n"
    for number, seed in enumerate(examples, 1):
        first = seed.instances[0]
        given = first.input or "<noinput>"
        text += f"###\n{number}. Instruction: {_in_line(seed.instruction)}\n"
        text += f"{number}. Input:\n{given}\n{number}. Output:\n{first.output}\n"
    return f"{text}###\n{len(examples) + 1}. Instruction:"


def _in_line(text: str) -> str:
    return _BLANKS.sub(" ", text).strip().rstrip(":")
