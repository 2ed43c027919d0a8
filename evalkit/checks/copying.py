"""Checks whether an answer was copied from its source."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from evalkit.checks.outcome import Complaint, Kind, Param, Params
from evalkit.checks.readings import without_talk
from evalkit.checks.text import bare_words

__all__ = ["KINDS", "judge_copying", "longest_run", "overlap", "unquoted_readings"]

_QUOTATION = re.compile(r"\"[^\"\n]*\"|“[^”\n]*”|‘[^’\n]*’|「[^」\n]*」|『[^』\n]*』")


def longest_run(words: Sequence[str], source: Sequence[str]) -> int:
    """The length of the longest run of words that is also in the source.

    Found by binary search: if a run of n words is in both, so is one of n − 1.
    """
    numbers: dict[str, int] = {}
    answer_hashes, source_hashes = _Rolling(words, numbers), _Rolling(source, numbers)
    low, high = 0, min(len(words), len(source))
    while low < high:
        middle = (low + high + 1) // 2
        shared = answer_hashes.runs(middle) & source_hashes.runs(middle)
        low, high = (middle, high) if shared else (low, middle - 1)
    return low


class _Rolling:
    """Computes the hashes of all runs of a given length, each in constant time (Rabin & Karp 1987)."""

    _PRIME, _BASE = (1 << 61) - 1, 1_000_003

    def __init__(self, words: Sequence[str], numbers: dict[str, int]) -> None:
        self._sums, self._powers = [0], [1]
        for word in words:
            number = numbers.setdefault(word, len(numbers) + 1)
            self._sums.append((self._sums[-1] * self._BASE + number) % self._PRIME)
            self._powers.append(self._powers[-1] * self._BASE % self._PRIME)

    def runs(self, n: int) -> set[int]:
        sums, power = self._sums, self._powers[n]
        return {(sums[i + n] - sums[i] * power) % self._PRIME for i in range(len(sums) - n)}


def overlap(words: Sequence[str], source: Sequence[str], n: int) -> float:
    """The share of the answer's n-grams that are also in the source."""
    n = min(n, len(words))
    if not n:
        return 0.0
    in_source = _grams(source, n)
    grams = [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]
    return sum(gram in in_source for gram in grams) / len(grams)


def _grams(words: Sequence[str], n: int) -> set[tuple[str, ...]]:
    return {tuple(words[i : i + n]) for i in range(len(words) - n + 1)}


def judge_copying(answer: str, params: Params) -> Complaint:
    words, source = bare_words(answer), bare_words(params["source"])
    if not words:
        return "the answer holds no words"
    if params["max_run"] is not None and (run := longest_run(words, source)) > params["max_run"]:
        return f"{run} words in a row are copied from the source, at most {params['max_run']} wanted"
    if params["max_overlap"] is not None:
        share = overlap(words, source, params["ngram"])
        if share > params["max_overlap"]:
            return f"{share:.0%} of its {params['ngram']}-grams are copied, at most {params['max_overlap']:.0%} wanted"
    return None


def unquoted_readings(answer: str, params: Params) -> Iterator[str]:
    """The readings also without quotations, which the answer marks as someone else's words."""
    for text in without_talk(answer, params):
        yield text
        yield _QUOTATION.sub(" ", text)


def _problem(params: Params) -> str | None:
    given = params["max_run"] is not None or params["max_overlap"] is not None
    return None if given else "max_run or max_overlap is wanted"


KINDS = (
    Kind(
        "copy",
        "told in its own words, not copied from the source",
        judge_copying,
        unquoted_readings,
        {
            "source": Param((str,)),
            "max_run": Param((int,), None),
            "max_overlap": Param((int, float), None),
            "ngram": Param((int,), 3, lambda n: None if n > 0 else "a number from 1 is wanted"),
        },
        _problem,
    ),
)
