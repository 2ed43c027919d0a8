"""Which part of `mini` an item belongs to.

The part is decided by a hash of what the item asks, not of how it is worded: names, objects and the
order of choices stay out of the key, so a reworded twin always falls on the same side.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Literal

__all__ = ["Item", "Part", "draw", "part_of", "rng_for", "unique"]

Part = Literal["train", "test"]
Doc = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Item:
    key: str
    """What is asked, wording aside. It decides the part."""
    doc: Doc
    variant: str = ""
    """What else makes two items of one key worth asking."""


def part_of(key: str) -> Part:
    return "test" if blake2b(key.encode(), digest_size=8).digest()[0] < 64 else "train"


def rng_for(*names: object) -> random.Random:
    """A generator seeded by names; `random.Random(str)` hashes with SHA-512, the same everywhere."""
    return random.Random("/".join(str(name) for name in names))


def draw(make: Callable[[random.Random], Item], rng: random.Random, part: Part) -> Item:
    while True:
        item = make(rng)
        if part_of(item.key) == part:
            return item


def unique(make: Callable[[random.Random], Item], rng: random.Random, part: Part) -> Iterator[Item]:
    """Items of one part, each key and variant once. Endless: ask for no more than there are."""
    seen: set[tuple[str, str]] = set()
    while True:
        item = draw(make, rng, part)
        if (item.key, item.variant) not in seen:
            seen.add((item.key, item.variant))
            yield item
