"""`mini_arithmetic`: word problems of one or two steps with small numbers, worked out before the answer."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from tools.nano.split import Item
from tools.nano.words import OBJECTS, people

__all__ = ["make"]

Numbers = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Kind:
    name: str
    numbers: Callable[[random.Random], Numbers]
    steps: Callable[..., tuple[tuple[int, str, int], ...]]
    """The sums to work out, each (left, sign, right)."""
    wordings: tuple[str, ...]
    """`{n}` a person, `{m}` another, `{o}` what is counted, `{0}` … the numbers."""


def _two(rng: random.Random) -> Numbers:
    return rng.randint(2, 20), rng.randint(2, 20)


def _less(rng: random.Random) -> Numbers:
    a = rng.randint(4, 30)
    return a, rng.randint(2, min(a - 1, 20))


def _factors(rng: random.Random) -> Numbers:
    return rng.randint(2, 9), rng.randint(2, 9)


def _shares(rng: random.Random) -> Numbers:
    a, b = _factors(rng)
    return a * b, b


def _two_then_less(rng: random.Random) -> Numbers:
    a, b = rng.randint(2, 15), rng.randint(2, 15)
    return a, b, rng.randint(1, min(a + b - 1, 9))


def _factors_then_more(rng: random.Random) -> Numbers:
    return (*_factors(rng), rng.randint(1, 9))


def _factors_then_less(rng: random.Random) -> Numbers:
    a, b = _factors(rng)
    return a, b, rng.randint(1, min(a * b - 1, 9))


KINDS: tuple[Kind, ...] = (
    Kind("add", _two, lambda a, b: ((a, "+", b),), (
        "{n} has {0} {o} and buys {1} more. How many {o} does {n} have now?",
        "{n} has {0} {o}. {m} has {1} {o}. How many {o} do they have together?",
        "There are {0} {o} in a box. {n} puts {1} more {o} into it. How many {o} are in the box?")),
    Kind("subtract", _less, lambda a, b: ((a, "-", b),), (
        "{n} has {0} {o} and gives {1} of them to {m}. How many {o} does {n} have left?",
        "There were {0} {o} on the table. {n} took {1} of them. How many {o} are still there?",
        "{n} had {0} {o} but lost {1}. How many {o} does {n} still have?")),
    Kind("multiply", _factors, lambda a, b: ((a, "*", b),), (
        "{n} has {0} bags with {1} {o} in each bag. How many {o} does {n} have?",
        "{n} buys {1} {o} every day. How many {o} does {n} buy in {0} days?")),
    Kind("divide", _shares, lambda a, b: ((a, "/", b),), (
        "{n} shares {0} {o} equally among {1} friends. How many {o} does each friend get?",
        "{n} puts {0} {o} into {1} equal piles. How many {o} are in each pile?")),
    Kind("add-subtract", _two_then_less, lambda a, b, c: ((a, "+", b), (a + b, "-", c)), (
        "{n} has {0} {o}, finds {1} more and then loses {2}. How many {o} does {n} have?",
        "{n} had {0} {o} and got {1} from {m}. Later {n} sold {2}. How many {o} are left?")),
    Kind("multiply-add", _factors_then_more, lambda a, b, c: ((a, "*", b), (a * b, "+", c)), (
        "{n} has {0} bags with {1} {o} each and {2} more {o} in a box. How many {o} does {n} have?",
        "{n} buys {0} packs of {1} {o} and {m} gives {n} another {2}. How many {o} does {n} have?")),
    Kind("multiply-subtract", _factors_then_less, lambda a, b, c: ((a, "*", b), (a * b, "-", c)), (
        "{n} fills {0} bags with {1} {o} each and gives away {2} {o}. How many {o} are left?",
        "There are {0} rows of {1} {o}. {n} takes {2} {o} away. How many {o} remain?")),
)  # fmt: skip

_DO = {"+": int.__add__, "-": int.__sub__, "*": int.__mul__, "/": int.__floordiv__}


def make(rng: random.Random) -> Item:
    kind = rng.choice(KINDS)
    numbers = kind.numbers(rng)
    name, other = people(rng, 2)
    sums = [(a, sign, b, _DO[sign](a, b)) for a, sign, b in kind.steps(*numbers)]
    result = sums[-1][-1]
    doc = {
        "kind": kind.name,
        "question": rng.choice(kind.wordings).format(*numbers, n=name, m=other, o=rng.choice(OBJECTS)),
        "answer": "\n".join(f"{a} {sign} {b} = {c}" for a, sign, b, c in sums) + f"\n#### {result}",
    }
    return Item(f"arithmetic/{kind.name}/{'/'.join(map(str, numbers))}", doc)
