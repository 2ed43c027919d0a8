"""Obedience to a form: one of A, B or C; only a number; one word; so many bullet points."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator
from decimal import Decimal
from typing import Any

from evalkit.checks.numerals import numbers_in, plain_number
from evalkit.checks.outcome import Complaint, Kind, Param, Params
from evalkit.checks.readings import without_talk

__all__ = ["KINDS"]

_AROUND = " \t\r\n.,;:!?()[]{}<>\"'`*_~#。、，．！？：；（）「」『』“”‘’《》〈〉"
_LABEL = re.compile(
    r"(?:the\s)?(?:final\s|correct\s|최종\s)?(?:answer|choice|option|정답|답|선택지|선택|결론)"
    r"(?:\sis\b|은|는|\s?[:：=]|(?=\s))",
    re.IGNORECASE,
)
_BOXED = re.compile(r"\\boxed\{([^{}]*)\}")
_BREAK = re.compile(r"[.,;:)\]!。，]|\s[-–—]\s")
_LINKING = re.compile(
    r"^(?:(?:and|or|but|also|maybe|perhaps|또는|혹은|및|그리고|아니면)\s)+|\s(?:both|too|둘 다|모두|전부|다)$",
    re.IGNORECASE,
)
_ENDINGS = ("입니다", "이다", "이에요", "예요", "이야", "야", "번")


# ── one of the options ───────────────────────────────────────────────────────


def _choice(answer: str, params: Params) -> Complaint:
    said, options = answer.strip(), params["options"]
    if said not in options:
        return f"{_short(said)} is not exactly one of {', '.join(options)}"
    if params["equals"] is not None and said != params["equals"]:
        return f"{said} was chosen, {params['equals']} is right"
    return None


def _choice_readings(answer: str, params: Params) -> Iterator[str]:
    """The option that a line is, or begins with, or names behind `Answer:` or 정답은; nothing where there are two."""
    known = {_key(option): option for option in params["options"]}
    lines = [*answer.splitlines(), *_BOXED.findall(answer)]
    found = {known[key] for line in lines for key in _named(line, known)}
    if len(found) == 1:
        yield from found


def _named(line: str, known: Collection[str]) -> set[str]:
    """What the line is, without `The answer is` before it and 입니다 behind; else every option that it lists."""
    said = line.replace("*", "").strip(_AROUND)
    label = _LABEL.match(said)
    said = said[label.end() :].strip(_AROUND) if label else said
    for text in (line, said):
        if (key := _without_ending(text)) in known or (key := _key(text)) in known:
            return {key}
    first, *rest = map(_listed, _BREAK.split(said))
    return {first, *(other for other in rest if other in known)} if first in known else set()


def _without_ending(text: str) -> str:
    for ending in _ENDINGS:
        text = text.strip(_AROUND).removesuffix(ending)
    return _key(text)


def _listed(text: str) -> str:
    return _key(_LINKING.sub("", _without_ending(text)))


def _key(text: str) -> str:
    return unicodedata.normalize("NFKC", text).strip(_AROUND).casefold()


def _choice_problem(params: Params) -> str | None:
    if params["equals"] is not None and params["equals"] not in params["options"]:
        return f"equals: {params['equals']!r} is none of the options {', '.join(params['options'])}"
    return None


# ── only a number ────────────────────────────────────────────────────────────


def _number(answer: str, params: Params) -> Complaint:
    value = plain_number(answer.strip())
    if value is None:
        return f"{_short(answer.strip())} is not a number alone"
    wanted = params["equals"]
    if wanted is not None and abs(value - Decimal(str(wanted))) > Decimal(str(params["tolerance"])):
        return f"{answer.strip()} was given, {wanted} is right"
    return None


def _number_readings(answer: str, params: Params) -> Iterator[str]:
    """The only number there is, whatever stands around it."""
    found = {found.value for found in numbers_in(answer)}
    if len(found) == 1:
        [value] = found
        yield format(value, "f")


# ── one word ─────────────────────────────────────────────────────────────────


def _one_word(answer: str, params: Params) -> Complaint:
    said = answer.strip()
    if not said or not all(_in_word(said, place) for place in range(len(said))):
        return f"{_short(said)} is not one word"
    if params["equals"] is not None and said.casefold() != params["equals"].casefold():
        return f"{_short(said)} was given, {params['equals']} is right"
    return None


def _in_word(text: str, place: int) -> bool:
    """Letters, marks and digits; a hyphen or an apostrophe between two of them."""
    if unicodedata.category(text[place])[0] in "LMN":
        return True
    return text[place] in "-'’" and 0 < place < len(text) - 1 and text[place + 1] not in "-'’"


def _one_word_readings(answer: str, params: Params) -> Iterator[str]:
    for text in without_talk(answer, params):
        yield text.strip(_AROUND)
        yield unicodedata.normalize("NFKC", text).strip(_AROUND)


# ── bullet points ────────────────────────────────────────────────────────────

_BULLET = re.compile(r"([ \t]*)(?:(?P<number>\d{1,3}[.)])[ \t]+|[-*+–—][ \t]+|[•‣◦▪■□●○▶►➢➤✓✔·∙ㆍ※][ \t]*)(?=\S)")
_NUMBER = re.compile(r"([ \t]*)(?:\d{1,3}[.)]|[가-하][.)]|\(\d{1,3}\)|[①-⑳])[ \t]*(?=\S)")
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
                return f"text beside the bullet points: {_short(line)}"
    return None


def _bullets_readings(answer: str, params: Params) -> Iterator[str]:
    """Numbered points count as points; what comes before the first and after the last is a preamble and a farewell."""
    answer = answer.strip()
    yield answer
    lines = answer.replace("**", "").splitlines()
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


def _short(text: str) -> str:
    text = " ".join(text.split())
    return repr(text if len(text) <= 40 else f"{text[:40]}…") if text else "an empty answer"


def _texts(value: Any) -> str | None:
    good = value and all(isinstance(item, str) and item for item in value)
    return None if good else "a list of texts is wanted"


def _natural(value: int) -> str | None:
    return None if value >= 0 else "a number from 0 is wanted"


_COUNT = Param((int,), None, _natural)

KINDS = (
    Kind(
        "choice",
        "exactly one of the options and nothing else",
        _choice,
        _choice_readings,
        {"options": Param((list, tuple), ("A", "B", "C"), _texts), "equals": Param((str,), None)},
        _choice_problem,
    ),
    Kind(
        "number",
        "a number and nothing else",
        _number,
        _number_readings,
        {"equals": Param((int, float), None), "tolerance": Param((int, float), 0)},
    ),
    Kind("one_word", "a single word", _one_word, _one_word_readings, {"equals": Param((str,), None)}),
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
