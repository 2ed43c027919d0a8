"""`mini_symbolic`: four kinds of puzzle, each solved step by step in writing."""

from __future__ import annotations

import random
from collections.abc import Callable

from tools.nano.split import Item
from tools.nano.words import people

__all__ = ["KINDS", "make"]

_COLOURS = ("red", "blue", "green", "black", "white", "yellow")


def _logic(rng: random.Random) -> Item:
    """`( True and not False ) or ( False or True )`, bracket by bracket."""
    values = [rng.random() < 0.5 for _ in range(4)]
    signs = [rng.choice(("and", "or")) for _ in range(3)]
    negated = rng.randrange(5)  # 4: none of them
    terms = [f"not {value}" if i == negated else str(value) for i, value in enumerate(values)]
    steps = []
    if negated < 4:
        values[negated] = not values[negated]
        steps.append(f"{terms[negated]} = {values[negated]}.")

    def apply(sign: str, x: bool, y: bool) -> bool:
        value = (x and y) if sign == "and" else (x or y)
        steps.append(f"{x} {sign} {y} = {value}.")
        return value

    left = apply(signs[0], values[0], values[1])
    right = apply(signs[2], values[2], values[3])
    value = apply(signs[1], left, right)
    text = f"( {terms[0]} {signs[0]} {terms[1]} ) {signs[1]} ( {terms[2]} {signs[2]} {terms[3]} )"
    wording = rng.choice(("What is {} ?", "Work out {} ."))
    return _item("logic", text, wording.format(text), " ".join(steps), str(value))


def _swaps(rng: random.Random) -> Item:
    """Three people swap balls twice."""
    who = people(rng, 3)
    colours = rng.sample(_COLOURS, 3)
    holds = dict(zip(who, colours, strict=True))
    start = ", ".join(f"{p} {c}" for p, c in holds.items())
    steps = [f"Start: {start}."]
    swaps = [tuple(sorted(rng.sample(range(3), 2))) for _ in range(2)]
    for i, j in swaps:
        a, b = who[i], who[j]
        holds[a], holds[b] = holds[b], holds[a]
        steps.append(f"{a} and {b} swap: {', '.join(f'{p} {c}' for p, c in holds.items())}.")
    asked = rng.randrange(3)
    said = ", ".join(f"{p} has a {c} ball" for p, c in zip(who, colours, strict=True))
    moves = " ".join(f"Then {who[i]} and {who[j]} swap balls." for i, j in swaps)
    question = f"{said}. {moves} Which ball does {who[asked]} have?"
    # People in the key, or there would be only 27 puzzles; colours out of it, as they are wording.
    key = f"{who[0]}/{who[1]}/{who[2]}/{swaps}/{asked}"
    return _item("swaps", key, question, " ".join(steps), holds[who[asked]])


def _order(rng: random.Random) -> Item:
    """Three people by age, told in either order."""
    old, middle, young = people(rng, 3)
    hints = [f"{old} is older than {middle}.", f"{middle} is older than {young}."]
    if rng.random() < 0.5:
        hints.reverse()
    which = rng.randrange(3)
    question = f"{' '.join(hints)} Who is the {('oldest', 'youngest', 'second oldest')[which]}?"
    answer = (old, young, middle)[which]
    steps = f"From old to young: {old}, {middle}, {young}."
    return _item("order", f"{old}/{middle}/{young}/{which}", question, steps, answer)


def _odd(rng: random.Random) -> Item:
    """How many odd numbers stand in a list."""
    numbers = [rng.randint(1, 30) for _ in range(4)]
    odd = [n for n in numbers if n % 2]
    said = ", ".join(map(str, numbers))
    wording = rng.choice(("How many odd numbers are in the list {}?", "Count the odd numbers in {}."))
    steps = " ".join(f"{n} is {'odd' if n % 2 else 'even'}." for n in numbers)
    return _item("odd", "/".join(map(str, sorted(numbers))), wording.format(said), steps, str(len(odd)))


def _item(kind: str, key: str, question: str, steps: str, answer: str) -> Item:
    doc = {"kind": kind, "input": question, "steps": steps, "target": answer}
    return Item(f"symbolic/{kind}/{key}", doc)


KINDS: dict[str, Callable[[random.Random], Item]] = {"logic": _logic, "swaps": _swaps, "order": _order, "odd": _odd}


def make(rng: random.Random) -> Item:
    return rng.choice(list(KINDS.values()))(rng)
