"""Checks the form of an answer: only a number, one word, or a number of bullet points."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from decimal import Decimal

from evalkit.checks.choice import AROUND
from evalkit.checks.numerals import numbers_in, plain_number
from evalkit.checks.outcome import Complaint, Kind, Param, Params
from evalkit.checks.readings import without_talk
from evalkit.checks.text import shorten

__all__ = ["KINDS"]

# ── only a number ────────────────────────────────────────────────────────────


def _number(answer: str, params: Params) -> Complaint:
    value = plain_number(answer.strip())
    if value is None:
        return f"{shorten(answer.strip())} is not a number alone"
    wanted = params["equals"]
    if wanted is not None and abs(value - Decimal(str(wanted))) > Decimal(str(params["tolerance"])):
        return f"{answer.strip()} was given, {wanted} is right"
    return None


_SMALL_WORD = 10


def _number_readings(answer: str, params: Params) -> Iterator[str]:
    """The only number of the answer, whatever is around it.

    Small numbers in words are ignored if there are others: in 두 주는 14일입니다, 두 is part of the question.
    """
    numbers = numbers_in(answer)
    values = {number.value for number in numbers if not (number.word and number.value <= _SMALL_WORD)}
    values = values or {number.value for number in numbers}
    if len(values) == 1:
        [value] = values
        yield format(value, "f")


# ── one word ─────────────────────────────────────────────────────────────────


_COPULA = re.compile(r"(?<=[가-힣])(?:입니다|이에요|예요|이다)$")
_STOP = re.compile(r"(?<=\w)[.!。！]$")  # one word with a full stop still counts as one word


def _one_word(answer: str, params: Params) -> Complaint:
    given = _STOP.sub("", answer.strip())
    if not given or not all(_in_word(given, place) for place in range(len(given))):
        return f"{shorten(given)} is not one word"
    right = [params["equals"]] if isinstance(params["equals"], str) else params["equals"] or []
    if right and given.casefold() not in {word.casefold() for word in right}:
        return f"{shorten(given)} was given, {' or '.join(right)} is right"
    return None


def _in_word(text: str, place: int) -> bool:
    """Whether the character is part of a word: a letter, mark or digit, or a hyphen or apostrophe between two."""
    if unicodedata.category(text[place])[0] in "LMN":
        return True
    return text[place] in "-'’" and 0 < place < len(text) - 1 and text[place + 1] not in "-'’"


def _one_word_readings(answer: str, params: Params) -> Iterator[str]:
    for text in without_talk(answer, params):
        for plain in (text, unicodedata.normalize("NFKC", text)):
            yield plain.strip(AROUND)
            yield _COPULA.sub("", plain.strip(AROUND))
            yield "".join(c for c in plain if unicodedata.category(c) != "So").strip(AROUND + "\ufe0f")


# ── bullet points ────────────────────────────────────────────────────────────

_BULLET = re.compile(r"([ \t]*)(?:(?P<number>\d{1,3}[.)])[ \t]+|[-*+–—][ \t]+|[•‣◦▪■□●○▶►➢➤✓✔·∙ㆍ※][ \t]*)(?=\S)")
_NUMBER = re.compile(r"([ \t]*)(?:\d{1,3}[.)]|[가-하a-hA-H][.)]|\(\d{1,3}\)|[①-⑳])[ \t]*(?=\S)")
_PICTURE = re.compile(r"([ \t]*)(?:[－✅✔☑👉💡📌⭐🔹🔸🔵🟢🔴🟡🟠▸❖◆◇★☆]|[0-9]\ufe0f?\u20e3)\ufe0f?[ \t]*(?=\S)")
_QUOTED = re.compile(r"[ \t]*>[ \t]?")
_TIGHT = re.compile(r"([ \t]*[-*+])(?=[^\s*+-])")


def _bullets(answer: str, params: Params) -> Complaint:
    lines = answer.strip("\n").splitlines()
    marks = [_BULLET.match(line) for line in lines]
    indents = [len(m.group(1).expandtabs(4)) for m in marks if m]
    top = min(indents, default=0)
    count = sum(
        len(mark.group(1).expandtabs(4)) == top and (params["numbered"] or not mark.group("number"))
        for mark in marks
        if mark
    )
    low, high = _span(params)
    if not low <= count <= high:
        return f"{count} bullet points, {_wanted(low, high)} wanted"
    if params["only"]:
        for line, mark in zip(lines, marks, strict=True):
            if mark is None and line.strip() and not line[:1].isspace():
                return f"text beside the bullet points: {shorten(line)}"
    return None


def _bullets_readings(answer: str, params: Params) -> Iterator[str]:
    """Readings in which numbered points count too, also without the text before the first and after the last point."""
    answer = answer.strip()
    yield answer
    lines = [_QUOTED.sub("", _PICTURE.sub(r"\1- ", line)) for line in answer.replace("**", "").splitlines()]
    lines = [_TIGHT.sub(r"\1 ", _NUMBER.sub(r"\1- ", line, count=1), count=1) for line in lines]
    yield "\n".join(lines)
    places = [number for number, line in enumerate(lines) if _BULLET.match(line)]
    if places:
        yield "\n".join(lines[places[0] : places[-1] + 1])


def _span(params: Params) -> tuple[int, float]:
    if params["count"] is not None:
        return params["count"], params["count"]
    return params["min"] or 0, float("inf") if params["max"] is None else params["max"]


def _wanted(low: int, high: float) -> str:
    if low == high:
        return str(low)
    return f"at least {low}" if high == float("inf") else f"{low} to {high:g}"


def _bullets_problem(params: Params) -> str | None:
    given = [name for name in ("count", "min", "max") if params[name] is not None]
    if not given:
        return "count, min or max is wanted"
    if "count" in given and len(given) > 1:
        return "count stands alone, without min and max"
    return "min is above max" if _span(params)[0] > _span(params)[1] else None


def _words(value: object) -> str | None:
    good = isinstance(value, str) or (isinstance(value, list | tuple) and all(isinstance(word, str) for word in value))
    return None if good and value else "a word or a list of words is wanted"


def _natural(value: int) -> str | None:
    return None if value >= 0 else "a number from 0 is wanted"


_COUNT = Param((int,), None, _natural)

KINDS = (
    Kind(
        "number",
        "a number and nothing else",
        _number,
        _number_readings,
        {"equals": Param((int, float), None), "tolerance": Param((int, float), 0)},
    ),
    Kind(
        "one_word", "a single word", _one_word, _one_word_readings, {"equals": Param((str, list, tuple), None, _words)}
    ),
    Kind(
        "bullets",
        "so many bullet points",
        _bullets,
        _bullets_readings,
        {
            "count": _COUNT,
            "min": _COUNT,
            "max": _COUNT,
            "only": Param((bool,), False),
            "numbered": Param((bool,), False),
        },
        _bullets_problem,
    ),
)
