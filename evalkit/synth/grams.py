"""Hashes runs of tokens to 64-bit numbers, for many texts at once.

The hash of a run is the sum of each token's random number times a random odd number of its place, modulo 2^64
(multilinear hashing, Carter and Wegman 1979). Equal runs have equal hashes; runs that differ are told apart afterwards.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import repeat
from typing import Protocol

import numpy as np
import numpy.typing as npt

__all__ = ["Hashes", "Syllables", "Tokens", "Words", "runs"]

Ids = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]

_WORD = re.compile(r"\w+")
_FIRST, _LAST = 0xAC00, 0xD7A3


class Tokens(Protocol):
    """A way to number the tokens of texts. 0 is a token that no benchmark has."""

    gram: int

    @property
    def size(self) -> int:
        """All token numbers are below this."""
        ...

    def learn(self, text: str) -> Ids: ...

    def read(self, text: str) -> Ids: ...


class Words:
    """Words in lower case."""

    def __init__(self, gram: int) -> None:
        self.gram = gram
        self._numbers: dict[str, int] = {}

    @property
    def size(self) -> int:
        return len(self._numbers) + 1

    def learn(self, text: str) -> Ids:
        numbers = self._numbers
        words = _WORD.findall(text.lower())
        return np.fromiter((numbers.setdefault(word, len(numbers) + 1) for word in words), np.int64, len(words))

    def read(self, text: str) -> Ids:
        words = _WORD.findall(text.lower())
        return np.fromiter(map(self._numbers.get, words, repeat(0)), np.int64, len(words))


class Syllables:
    """Hangul syllables only; spaces, digits and punctuation are ignored."""

    def __init__(self, gram: int) -> None:
        self.gram = gram

    @property
    def size(self) -> int:
        return _LAST - _FIRST + 2

    def learn(self, text: str) -> Ids:
        return self.read(text)

    def read(self, text: str) -> Ids:
        points = np.frombuffer(text.encode("utf-32-le", "replace"), np.uint32)
        return points[(points >= _FIRST) & (points <= _LAST)].astype(np.int64) - (_FIRST - 1)


def runs(ids: Ids, gram: int, size: int) -> Hashes:
    """The hash of the run that begins at each place; 0 where it would hold a token 0 or end outside."""
    count = len(ids) - gram + 1
    if count <= 0:
        return np.zeros(0, np.uint64)
    table, places = _random(size, gram)
    numbers = table[ids]
    hashes: Hashes = numbers[:count] * places[0]
    for place in range(1, gram):
        hashes += numbers[place : place + count] * places[place]
    unknown = np.concatenate([[0], np.cumsum(ids == 0)])
    hashes[unknown[gram:] != unknown[:count]] = 0
    return hashes


def _random(size: int, gram: int) -> tuple[Hashes, Hashes]:
    rng = np.random.Generator(np.random.PCG64(20261130))
    places = rng.integers(1, 2**63, 64, dtype=np.uint64)[:gram] * np.uint64(2) + np.uint64(1)
    return rng.integers(1, 2**64 - 1, size, dtype=np.uint64), places


def joined(texts: Sequence[Ids], gap: int) -> tuple[Ids, Ids]:
    """Concatenate the texts with zeros between them; also returns where each begins."""
    parts: list[Ids] = []
    starts, at = [], 0
    zeros = np.zeros(gap, np.int64)
    for ids in texts:
        starts.append(at)
        parts += [ids, zeros]
        at += len(ids) + gap
    return (np.concatenate(parts) if parts else np.zeros(0, np.int64)), np.asarray(starts, np.int64)


def flat(values: Iterable[Ids]) -> Ids:
    made = list(values)
    return np.concatenate(made) if made else np.zeros(0, np.int64)
