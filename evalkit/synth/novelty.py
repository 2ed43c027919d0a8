"""Decides whether a new text repeats a benchmark: whether they share a run of words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Protocol

from evalkit.synth.scripts import main_script

__all__ = ["MOST_DOCUMENTS", "Known", "Novel", "Novelty"]

MOST_DOCUMENTS = 10
"""A run of words that more documents share is a benchmark's wording, and no sign of a copy."""

_WORD = re.compile(r"\w+")
_HANGUL = re.compile(r"[^\uac00-\ud7a3]+")


class Novel(Protocol):
    def found_in(self, text: str) -> bool:
        """Whether the text shares a run of words with a benchmark."""
        ...


class Known:
    """Repeats recorded decisions: the texts that stood in a benchmark when the pool was made."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._texts = frozenset(texts)

    def found_in(self, text: str) -> bool:
        return text in self._texts


class Novelty:
    """Compares by runs of 8 words, for Korean of 16 syllables, and by whole texts that are shorter.

    Runs that more than ten texts share are wording such as "which of the following statements is true" and count for
    nothing, as in `evalkit overlap`.
    """

    def __init__(self, texts: Iterable[str], gram: int = 8, syllables: int = 16) -> None:
        self._gram, self._syllables = gram, syllables
        self._short: set[str] = set()
        counts: Counter[int] = Counter()
        for text in texts:
            counts.update(set(self._all(text)))
            if len(_WORD.findall(text)) < gram:
                self._short.add(" ".join(_WORD.findall(text.lower())))
        self._runs = frozenset(run for run, count in counts.items() if count <= MOST_DOCUMENTS)

    def found_in(self, text: str) -> bool:
        if " ".join(_WORD.findall(text.lower())) in self._short:
            return True
        return any(run in self._runs for run in self._all(text))

    def _all(self, text: str) -> Iterable[int]:
        if main_script(text) == "HANGUL":
            letters = _HANGUL.sub("", text)
            return (hash(letters[i : i + self._syllables]) for i in range(len(letters) - self._syllables + 1))
        words = _WORD.findall(text.lower())
        return (hash(tuple(words[i : i + self._gram])) for i in range(len(words) - self._gram + 1))
