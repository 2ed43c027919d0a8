"""Finds numbers in text as people write them: 1,234.5, ３만 2천, 삼십이 명, twenty-five, 12%, 1.5 million, 150만."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from evalkit.checks.number_words import POWERS, SCALES, english_words, korean_words

__all__ = ["Number", "numbers_in", "plain_number"]


@dataclass(frozen=True, slots=True)
class Number:
    """A number in a text."""

    text: str
    value: Decimal
    others: tuple[Decimal, ...] = ()
    """Other possible meanings: `10만 5` may also be two numbers."""
    word: bool = False
    """Whether it is spelt out instead of written in digits."""


_PLAIN = re.compile(r"[+-]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|[+-]?\.\d+")


def plain_number(text: str) -> Decimal | None:
    """The value of text that is only a number in digits, with optional thousands separators and decimal point."""
    if not text.isascii() or not _PLAIN.fullmatch(text):
        return None
    return Decimal(text.replace(",", ""))


_FULL_HOUR = re.compile(r"(?<![\d:])(\d{1,2}):00(?![\d:])")  # 7:00 is 7 o'clock, not the numbers 7 and 0


def numbers_in(text: str) -> list[Number]:
    """All numbers in digits, and those in words that can't be mistaken for other words, in order."""
    text = _FULL_HOUR.sub(r"\1", unicodedata.normalize("NFKC", text).replace("−", "-"))
    numbers: list[tuple[int, Number]] = []
    taken = bytearray(len(text))
    for start, end, number in (*_digits(text), *_words(text)):
        if not any(taken[start:end]):
            taken[start:end] = b"\1" * (end - start)
            numbers.append((start, number))
    return [number for _, number in sorted(numbers, key=lambda item: item[0])]


def _words(text: str) -> Iterator[tuple[int, int, Number]]:
    for start, end, value in (*korean_words(text), *english_words(text)):
        yield start, end, Number(text[start:end], Decimal(value), word=True)


# ── digits, with 만 and million ──────────────────────────────────────────────

_NUMERAL = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?"
# 3경기 is three games and 2조각 two pieces: a unit that begins another word is no unit.
_UNIT = r"(?:십|백(?!화점|신)|천(?!사|막)|만(?!두)|억|조(?!각|직|항|건)|경(?!기|우|찰|험|로))"
_PART = re.compile(rf"({_NUMERAL})(?:[ ]?({_UNIT}+))?")
_SCALE = re.compile(r"[ -]?(thousand|million|billion|trillion)\b|(k|(?-i:M|B|bn))\b", re.IGNORECASE)
_MINUS = re.compile(r"(?:\b(?:minus|negative)|마이너스|영하)[ ]$", re.IGNORECASE)


def _digits(text: str) -> Iterator[tuple[int, int, Number]]:
    place = 0
    while match := _PART.search(text, place):
        start = match.start()
        total, place, others = _chain(text, match)
        if scale := _SCALE.match(text, place) if place == match.end() and not match.group(2) else None:
            total, place = total * SCALES[(scale.group(1) or scale.group(2)).lower()], scale.end()
        if _below_zero(text, start):
            total = -total
        yield start, place, Number(text[start:place], total, others)


def _below_zero(text: str, start: int) -> bool:
    """Whether a minus stands before the number. A dash between two words or numbers is not a minus."""
    if text[:start].endswith("-"):
        return not text[max(0, start - 2) : start - 1].strip().isalnum()
    return _MINUS.search(text[max(0, start - 10) : start]) is not None


def _chain(text: str, first: re.Match[str]) -> tuple[Decimal, int, tuple[Decimal, ...]]:
    """Read a number of several parts, such as 3만 2천 500, in which each part is smaller than the unit before it.

    Returns its value, its end, and other possible values: `10만 5` may also be two numbers.
    """
    total, power, end = _value(first), _power(first.group(2)), first.end()
    while power > 1:
        part = _PART.match(text, end + 1 if text[end : end + 1] == " " else end)
        if part is None or _value(part) >= power:
            break
        value, spaced = _value(part), part.start() > end
        end = part.end()
        if not part.group(2) and spaced and value * 10 < power:
            return total + value, end, (total, value)
        total, power = total + value, _power(part.group(2))
    return total, end, ()


def _value(part: re.Match[str]) -> Decimal:
    return Decimal(part.group(1).replace(",", "")) * _power(part.group(2))


def _power(units: str | None) -> int:
    """The product of the units: 천만 is a thousand times ten thousand."""
    size = 1
    for unit in units or "":
        size *= POWERS[unit]
    return size
