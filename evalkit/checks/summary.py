"""Checks summaries: short enough, not copied, and without numbers that are not in the source."""

from __future__ import annotations

import re
from decimal import Decimal

from evalkit.checks.copying import judge_copying, unquoted_readings
from evalkit.checks.lengths import LIMITS, judge_length, length_problem
from evalkit.checks.numerals import Number, numbers_in
from evalkit.checks.outcome import Complaint, Kind, Param, Params
from evalkit.checks.readings import without_talk

__all__ = ["KINDS"]

_LIST_MARK = re.compile(r"^[ \t]*(?:\(?\d{1,2}[.)]|[①-⑳])[ \t]+", re.MULTILINE)
_SMALL_WORD = 10
"""Number words up to ten often count points (`two reasons`, 세 가지), so they need not be in the source."""


def _numbers(answer: str, params: Params) -> Complaint:
    allowed = {abs(value) for number in numbers_in(params["source"]) for value in _values(number)}
    strange = [n.text for n in numbers_in(_LIST_MARK.sub("", answer)) if not _is_known(n, allowed)]
    if strange:
        return f"the source has no {', '.join(dict.fromkeys(strange[:5]))}"
    return None if answer.strip() else "the answer is empty"


def _is_known(number: Number, allowed: set[Decimal]) -> bool:
    if number.word and number.value <= _SMALL_WORD:
        return True
    if number.others and all(abs(part) in allowed for part in number.others):
        return True
    return abs(number.value) in allowed


def _values(number: Number) -> tuple[Decimal, ...]:
    return (number.value, *number.others)


def _summary(answer: str, params: Params) -> Complaint:
    complaint = judge_length(answer, params) or judge_copying(answer, params)
    if complaint is None and params["numbers"]:
        complaint = _numbers(answer, params)
    if complaint is None:
        absent = [text for text in params["mentions"] if text.casefold() not in answer.casefold()]
        complaint = f"{', '.join(absent)} is not mentioned" if absent else None
    return complaint


_TEXTS = Param((list, tuple), (), lambda v: None if all(isinstance(t, str) for t in v) else "a list of texts is wanted")

KINDS = (
    Kind("numbers", "every number stands in the source", _numbers, without_talk, {"source": Param((str,))}),
    Kind(
        "summary",
        "within its limits, not copied, with no number of its own",
        _summary,
        unquoted_readings,
        {
            "source": Param((str,)),
            **LIMITS,
            "max_run": Param((int,), 12),
            "max_overlap": Param((int, float), 0.8),
            "ngram": Param((int,), 3, lambda n: None if n > 0 else "a number from 1 is wanted"),
            "numbers": Param((bool,), True),
            "mentions": _TEXTS,
        },
        length_problem,
    ),
)
