"""Checks limits on words, sentences, characters and lines."""

from __future__ import annotations

from collections.abc import Callable

from evalkit.checks.outcome import Complaint, Kind, Param, Params
from evalkit.checks.readings import without_talk
from evalkit.checks.text import characters, paragraph_lines, sentences, words

__all__ = ["KINDS", "LIMITS", "judge_length", "length_problem"]

_UNITS: dict[str, Callable[[str], int]] = {
    "words": lambda text: len(words(text)),
    "sentences": lambda text: len(sentences(text)),
    "chars": characters,
    "lines": lambda text: len(paragraph_lines(text)),
}


def _natural(value: int) -> str | None:
    return None if value >= 0 else "a number from 0 is wanted"


LIMITS = {f"{end}_{unit}": Param((int,), None, _natural) for unit in _UNITS for end in ("min", "max")}


def judge_length(answer: str, params: Params) -> Complaint:
    if not answer.strip():
        return "the answer is empty"
    for unit, count in _UNITS.items():
        low, high = params[f"min_{unit}"], params[f"max_{unit}"]
        if low is None and high is None:
            continue
        length = count(answer)
        if low is not None and length < low:
            return f"{length} {unit}, at least {low} wanted"
        if high is not None and length > high:
            return f"{length} {unit}, at most {high} wanted"
    return None


def length_problem(params: Params) -> str | None:
    for unit in _UNITS:
        low, high = params[f"min_{unit}"], params[f"max_{unit}"]
        if low is not None and high is not None and low > high:
            return f"min_{unit} is above max_{unit}"
    return None


def _problem(params: Params) -> str | None:
    return length_problem(params) if any(params[name] is not None for name in LIMITS) else "a limit is wanted"


KINDS = (Kind("length", "within limits of length", judge_length, without_talk, LIMITS, _problem),)
