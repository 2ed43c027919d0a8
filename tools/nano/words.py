"""People and things that the generators talk about."""

from __future__ import annotations

import random

__all__ = ["NAMES", "OBJECTS", "article", "people", "pronoun"]

NAMES: dict[str, str] = {
    "Mina": "She", "Sora": "She", "Ana": "She", "Eva": "She",
    "Ruth": "She", "Yuna": "She", "Lily": "She", "Nora": "She",
    "Jiho": "He", "Ben": "He", "Minho": "He", "Tom": "He", "Omar": "He", "Leo": "He", "Sam": "He", "Hugo": "He",
}  # fmt: skip

OBJECTS = (
    "apples", "pens", "books", "stamps", "coins", "cards", "shells", "marbles", "cookies", "stickers", "eggs", "balls",
)  # fmt: skip


def pronoun(name: str) -> str:
    return NAMES[name]


def people(rng: random.Random, n: int) -> list[str]:
    return rng.sample(list(NAMES), n)


def article(noun: str) -> str:
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"
