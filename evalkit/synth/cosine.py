"""Cosine similarity of texts by their character n-grams, weighted by rarity.

A second measure beside ROUGE-L, which ignores parts that stand in another order. Weights are tf × idf with
idf = ln((1 + N) / (1 + df)) + 1, over all added texts (Salton and Buckley 1988, Inf. Process. Manag. 24:513).
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

__all__ = ["Embedded", "Judged", "Near", "TfIdf"]

_BLANKS = re.compile(r"[\W_]+")
_SIZES = (2, 3, 4)
MOST_SIMILAR = 0.75


class TfIdf:
    """Cosine similarity of TF-IDF vectors of character 2-, 3- and 4-grams."""

    def __init__(self, most_similar: float = MOST_SIMILAR) -> None:
        self.most_similar = most_similar
        self._numbers: dict[str, int] = {}
        self._df = np.zeros(0)
        self._ids: list[npt.NDArray[np.int64]] = []
        self._counts: list[npt.NDArray[np.float64]] = []
        self._joined: tuple[npt.NDArray[np.int64], npt.NDArray[np.float64], npt.NDArray[np.int64]] | None = None

    def add(self, text: str) -> None:
        counts = _grams(text)
        ids = np.fromiter((self._numbers.setdefault(gram, len(self._numbers)) for gram in counts), np.int64)
        if len(self._numbers) > len(self._df):
            self._df = np.concatenate([self._df, np.zeros(max(4096, len(self._numbers)))])
        self._df[ids] += 1
        self._ids.append(ids)
        self._counts.append(np.fromiter(counts.values(), np.float64, len(counts)))
        self._joined = None

    def nearest(self, text: str) -> float:
        """The cosine to the nearest text that was added; 0 where there is none."""
        counts = _grams(text)
        if not self._ids or not counts:
            return 0.0
        ids, weights, rows = self._all()
        idf = np.log((1 + len(self._ids)) / (1 + self._df)) + 1
        query = np.zeros(len(self._df))
        unknown = 0.0
        most = np.log(1 + len(self._ids)) + 1
        for gram, count in counts.items():
            number = self._numbers.get(gram)
            if number is None:
                unknown += (count * most) ** 2
            else:
                query[number] = count * idf[number]
        there = weights * idf[ids]
        dots = np.bincount(rows, there * query[ids], len(self._ids))
        norms = np.sqrt(np.bincount(rows, there**2, len(self._ids)) * (float(query @ query) + unknown))
        return float(np.max(np.divide(dots, norms, out=np.zeros_like(dots), where=norms > 0)))

    def is_near(self, text: str) -> bool:
        return self.nearest(text) > self.most_similar

    def _all(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64], npt.NDArray[np.int64]]:
        if self._joined is None:
            rows = np.repeat(np.arange(len(self._ids)), [len(ids) for ids in self._ids])
            self._joined = np.concatenate(self._ids), np.concatenate(self._counts), rows
        return self._joined


class Embedded:
    """Cosine similarity of the vectors of an embedding model."""

    def __init__(self, embed: Callable[[Sequence[str]], Sequence[Sequence[float]]], most_similar: float = 0.9) -> None:
        self.most_similar = most_similar
        self._embed = embed
        self._vectors: list[npt.NDArray[np.float64]] = []
        self._latest: tuple[str, npt.NDArray[np.float64]] | None = None

    def add(self, text: str) -> None:
        self._vectors.append(self._vector(text))

    def is_near(self, text: str) -> bool:
        if not self._vectors:
            return False
        return float(np.max(np.stack(self._vectors) @ self._vector(text))) > self.most_similar

    def _vector(self, text: str) -> npt.NDArray[np.float64]:
        if self._latest is None or self._latest[0] != text:
            vector = np.asarray(self._embed([text])[0], dtype=np.float64)
            norm = float(np.linalg.norm(vector))
            self._latest = text, vector / norm if norm else vector
        return self._latest[1]


class Judged:
    """Repeats recorded decisions: the texts that were too near when the pool was made."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._texts = frozenset(texts)

    def add(self, text: str) -> None:
        pass

    def is_near(self, text: str) -> bool:
        return text in self._texts


class Near(Protocol):
    """A measure of similarity beside ROUGE-L."""

    def add(self, text: str) -> None: ...

    def is_near(self, text: str) -> bool:
        """Whether the text is too near to one that was added."""
        ...


def _grams(text: str) -> Counter[str]:
    plain = f" {_BLANKS.sub(' ', unicodedata.normalize('NFC', text).lower()).strip()} "
    return Counter(plain[start : start + size] for size in _SIZES for start in range(len(plain) - size + 1))
