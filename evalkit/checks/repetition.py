"""How much a text repeats itself."""

from __future__ import annotations

__all__ = ["repetition"]

_WORDS = 4
"""Repetition is counted over runs of so many words."""


def repetition(text: str) -> float | None:
    """1 − different/all runs of four words (Welleck et al. 2020, seq-rep-4); None for fewer than four words."""
    words = text.split()
    runs = [tuple(words[place : place + _WORDS]) for place in range(len(words) - _WORDS + 1)]
    return 1 - len(set(runs)) / len(runs) if runs else None
