"""The numbers and word lists that make a recipe."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["SELF_INSTRUCT", "Recipe"]


@dataclass(frozen=True, slots=True)
class Recipe:
    name: str
    heading: str
    examples: int
    """Instructions that a prompt shows."""
    from_machine: int
    """The most of them that the machine made; the others are seeds."""
    prompts_at_once: int
    """Prompts drawn before any of them is answered."""
    random_seed: int
    fewest_words: int
    most_words: int
    refused_words: tuple[str, ...]
    refused_beginning: str
    most_similar: float
    """ROUGE-L F above which a candidate is too near to something that is there."""
    neighbours: int
    """How many of the most similar instructions are kept beside a new one."""


SELF_INSTRUCT = Recipe(
    name="self-instruct",
    heading="Come up with a series of tasks:",
    examples=8,
    from_machine=2,
    prompts_at_once=5,
    random_seed=42,
    fewest_words=4,
    most_words=150,
    refused_words=(
        "image",
        "images",
        "graph",
        "graphs",
        "picture",
        "pictures",
        "file",
        "files",
        "map",
        "maps",
        "draw",
        "plot",
        "go to",
    ),
    refused_beginning="Write a program",
    most_similar=0.7,
    neighbours=10,
)
"""The published pipeline, for English: it refuses every instruction that begins with a letter outside ASCII."""
