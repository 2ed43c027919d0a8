"""The recipes: their settings and word lists."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType

from evalkit.errors import UsageError, nearest
from evalkit.types import Arguments

__all__ = ["ALPACA", "EVALKIT", "RECIPES", "SELF_INSTRUCT", "Recipe", "recipe_named"]

_NEEDS_MEDIA = ("image", "images", "graph", "graphs", "picture", "pictures", "file", "files", "map", "maps")
_ORIGINAL_WORDS = (*_NEEDS_MEDIA, "draw", "plot", "go to")


def _settings(**values: object) -> Arguments:
    return MappingProxyType(values)


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
    random_seed: int | None
    """None: the random numbers begin as --seed says."""
    fewest_words: int
    most_words: int
    refused_words: tuple[str, ...]
    refused_beginning: str
    most_similar: float
    """ROUGE-L F above which a candidate is too near to something that is there."""
    neighbours: int
    """How many of the most similar instructions are kept beside a new one."""
    whole_tasks: bool = False
    """Whether a response holds inputs and outputs too; else they are asked for afterwards."""
    aware: bool = False
    """Whether language, media, form, patterns and cosine similarity are looked at, as the recipe `evalkit` does."""
    most_instances: int = 5
    asking: Arguments = field(default_factory=_settings)
    """How instructions are sampled, as --gen-kwargs name it."""
    server_only: Arguments = field(default_factory=_settings)
    """More of that, for servers."""
    patience: int = 20
    """Requests in a row without anything new after which the recipe gives up."""


SELF_INSTRUCT = Recipe(
    name="self-instruct",
    heading="Come up with a series of tasks:",
    examples=8,
    from_machine=2,
    prompts_at_once=5,
    random_seed=42,
    fewest_words=4,
    most_words=150,
    refused_words=_ORIGINAL_WORDS,
    refused_beginning="Write a program",
    most_similar=0.7,
    neighbours=10,
    asking=_settings(max_gen_toks=1024, temperature=0.7, top_p=0.5, until=["\n\n", "\n16", "16.", "16 ."]),
    server_only=_settings(presence_penalty=2.0),
)
"""The published pipeline, for English: it refuses every instruction that begins with a letter outside ASCII."""

ALPACA = Recipe(
    name="alpaca",
    heading=(
        "Write 20 different task instructions for a language model, as a numbered list. Vary the verbs, the kinds of"
        " task (open questions, classification, editing, writing …) and the wording; mix questions and commands. Each"
        " must be answerable in text alone, in one or two English sentences. Give a realistic input where the task"
        " needs one, in at most 100 words, else write <noinput>; then a fitting output in at most 100 words.\n\n"
        "List of 20 tasks:"
    ),
    examples=3,
    from_machine=0,
    prompts_at_once=5,
    random_seed=None,
    fewest_words=4,
    most_words=150,
    refused_words=(*_ORIGINAL_WORDS, "video", "audio", "music", "flowchart", "diagram"),
    refused_beginning="Write a program",
    most_similar=0.7,
    neighbours=10,
    whole_tasks=True,
    asking=_settings(max_gen_toks=3072, temperature=1.0, until=["\n20", "20.", "20."]),
)
"""Stanford Alpaca's pipeline: whole tasks, twenty a request, from three seeds. Its prompt is worded anew here."""

EVALKIT = Recipe(
    name="evalkit",
    heading="",
    examples=8,
    from_machine=2,
    prompts_at_once=8,
    random_seed=None,
    fewest_words=3,
    most_words=150,
    refused_words=(),
    refused_beginning="Write a program",
    most_similar=0.7,
    neighbours=10,
    aware=True,
    most_instances=1,
    asking=_settings(max_gen_toks=1024, temperature=0.9, top_p=0.95, until=["\n\n\n", "\n17."]),
)
"""Self-Instruct with what was learnt since: any language, and more filters."""

RECIPES = {recipe.name: recipe for recipe in (EVALKIT, SELF_INSTRUCT, ALPACA)}


def recipe_named(name: str) -> Recipe:
    if name not in RECIPES:
        raise UsageError(f"--recipe {name}: no such recipe{nearest(name, RECIPES)} (one of {', '.join(RECIPES)})")
    return RECIPES[name]
