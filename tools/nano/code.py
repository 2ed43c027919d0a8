"""`mini_code`: one-line Python functions with tests, in HumanEval's shape."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tools.nano.split import Item

__all__ = ["make"]

_WORDS = ("red", "sun", "hello", "data", "blue", "cat", "moon", "test", "key", "run")
_LETTERS = "abcdeghklmnoprstu"


@dataclass(frozen=True, slots=True)
class Family:
    name: str
    """With `{0}`, `{1}` for the constants, as in all the texts here."""
    parameter: str
    says: str
    body: str
    constants: Callable[[random.Random], tuple[Any, ...]]


def _one(rng: random.Random) -> tuple[int]:
    return (rng.randint(2, 50),)


def _small(rng: random.Random) -> tuple[int]:
    return (rng.randint(2, 20),)


def _pair(rng: random.Random) -> tuple[int, int]:
    return rng.randint(2, 20), rng.randint(2, 20)


def _letter(rng: random.Random) -> tuple[str]:
    return (rng.choice(_LETTERS),)


def _letters(rng: random.Random) -> tuple[str, ...]:
    return tuple(rng.sample(_LETTERS, 2))


def _word(rng: random.Random) -> tuple[str]:
    return (rng.choice(_WORDS),)


def _words(rng: random.Random) -> tuple[str, ...]:
    return tuple(rng.sample(_WORDS, 2))


FAMILIES: tuple[Family, ...] = (
    Family("add_{0}", "x", "Return x plus {0}.", "x + {0}", _one),
    Family("subtract_{0}", "x", "Return x minus {0}.", "x - {0}", _one),
    Family("times_{0}", "x", "Return x times {0}.", "x * {0}", _one),
    Family("remainder_{0}", "x", "Return the remainder of x divided by {0}.", "x % {0}", _one),
    Family("above_{0}", "x", "Return True if x is greater than {0}.", "x > {0}", _one),
    Family("below_{0}", "x", "Return True if x is less than {0}.", "x < {0}", _one),
    Family("divisible_by_{0}", "x", "Return True if x is divisible by {0}.", "x % {0} == 0", _one),
    Family("at_least_{0}", "x", "Return x, but at least {0}.", "max(x, {0})", _one),
    Family("at_most_{0}", "x", "Return x, but at most {0}.", "min(x, {0})", _one),
    Family("line_{0}_{1}", "x", "Return x times {0} plus {1}.", "x * {0} + {1}", _pair),
    Family("scale_{0}_{1}", "x", "Return x plus {0}, all times {1}.", "(x + {0}) * {1}", _pair),
    Family("first_{0}", "items", "Return the first {0} items.", "items[:{0}]", _small),
    Family("last_{0}", "items", "Return the last {0} items.", "items[-{0}:]", _small),
    Family("skip_{0}", "items", "Return the items without the first {0}.", "items[{0}:]", _small),
    Family("count_{0}", "items", "Return how often {0} is in items.", "items.count({0})", _one),
    Family("has_{0}", "items", "Return True if {0} is in items.", "{0} in items", _one),
    Family("sum_plus_{0}", "items", "Return the sum of items plus {0}.", "sum(items) + {0}", _one),
    Family("keep_above_{0}", "items", "Return the items greater than {0}.", "[x for x in items if x > {0}]", _one),
    Family("keep_below_{0}", "items", "Return the items less than {0}.", "[x for x in items if x < {0}]", _one),
    Family("add_to_all_{0}", "items", "Return the items, each plus {0}.", "[x + {0} for x in items]", _one),
    Family("all_times_{0}", "items", "Return the items, each times {0}.", "[x * {0} for x in items]", _one),
    Family("starts_with_{0}", "text", "Return True if text starts with {0}.", 'text.startswith("{0}")', _letter),
    Family("ends_with_{0}", "text", "Return True if text ends with {0}.", 'text.endswith("{0}")', _letter),
    Family("count_letter_{0}", "text", "Return how often the letter {0} is in text.", 'text.count("{0}")', _letter),
    Family("swap_{0}_{1}", "text", "Return text with {0} replaced by {1}.", 'text.replace("{0}", "{1}")', _letters),
    Family("repeat_{0}", "text", "Return text repeated {0} times.", "text * {0}", _small),
    Family("prefix_{0}", "text", "Return text with {0} put before it.", '"{0}" + text', _word),
    Family("wrap_{0}_{1}", "text", "Return text between {0} and {1}.", '"{0}" + text + "{1}"', _words),
)  # fmt: skip


def _inputs(rng: random.Random, parameter: str, constants: Sequence[Any]) -> list[Any]:
    """Inputs on both sides of the constants, so that a body with another constant fails."""
    if parameter == "text":
        letters = "".join(str(c) for c in constants)
        return ["", letters, letters[::-1] * 2, *("".join(rng.choices(_LETTERS, k=6)) for _ in range(3))]
    edges = [int(c) + d for c in constants for d in (-1, 0, 1)]
    if parameter == "x":
        return [0, *edges, *(rng.randint(-60, 120) for _ in range(4))]
    lists = [[rng.randint(-9, 60) for _ in range(n)] for n in (3, 60)]
    alone = [[int(c) + d] for c in constants for d in (0, 1)]
    return [[], *alone, edges, edges * 2, *lists]


def make(rng: random.Random) -> Item:
    family = rng.choice(FAMILIES)
    constants = family.constants(rng)
    name = family.name.format(*constants)
    body = family.body.format(*constants)
    prompt = f'def {name}({family.parameter}):\n    """{family.says.format(*constants)}"""\n'
    solution = f"    return {body}\n"
    # The source is this file's own, so running it here is safe.
    space: dict[str, Any] = {}
    exec(prompt + solution, space)
    checks = [
        f"    assert candidate({value!r}) == {space[name](value)!r}"
        for value in _inputs(rng, family.parameter, constants)
    ]
    doc = {
        "family": family.name.split("_{")[0],
        "prompt": prompt,
        "entry_point": name,
        "canonical_solution": solution,
        "test": "def check(candidate):\n" + "\n".join(dict.fromkeys(checks)) + "\n",
    }
    return Item(f"code/{name}", doc)
