"""Numbers as people write them: 1,234.5, ３만 2천, 삼십이 명, twenty-five, 12%, 1.5 million, 150만."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

__all__ = ["Number", "numbers_in", "plain_number"]


@dataclass(frozen=True, slots=True)
class Number:
    text: str
    value: Decimal
    others: tuple[Decimal, ...] = ()
    """What else the same words may mean: the parts of `10만 5`."""
    word: bool = False
    """Spelt out, not in digits."""


_PLAIN = re.compile(r"[+-]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|[+-]?\.\d+")


def plain_number(text: str) -> Decimal | None:
    """Digits in their usual form, with thousands separators and a decimal point; nothing around them."""
    if not text.isascii() or not _PLAIN.fullmatch(text):
        return None
    return Decimal(text.replace(",", ""))


def numbers_in(text: str) -> list[Number]:
    """Every number in digits, and those in words that no other word is mistaken for, in their order."""
    text = unicodedata.normalize("NFKC", text).replace("−", "-")
    found: list[tuple[int, Number]] = []
    taken = bytearray(len(text))
    for scan in (_digits, _korean_words, _english_words):
        for start, end, number in scan(text):
            if not any(taken[start:end]):
                taken[start:end] = b"\1" * (end - start)
                found.append((start, number))
    return [number for _, number in sorted(found, key=lambda item: item[0])]


# ── digits, with 만 and million ──────────────────────────────────────────────

_POWERS = {"십": 10, "백": 100, "천": 1000, "만": 10**4, "억": 10**8, "조": 10**12, "경": 10**16}
_SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12, "k": 10**3}
_NUMERAL = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?"
# 3경기 is three games, 2조각 two pieces: a unit that begins another word is none.
_UNIT = r"(?:십|백(?!화점|신)|천(?!사|막)|만(?!두)|억|조(?!각|직|항|건)|경(?!기|우|찰|험|로))"
_PART = re.compile(rf"({_NUMERAL})(?:[ ]?({_UNIT}+))?")
_SCALE = re.compile(r"[ -]?(thousand|million|billion|trillion)\b|(k)\b", re.IGNORECASE)


def _digits(text: str) -> Iterator[tuple[int, int, Number]]:
    place = 0
    while match := _PART.search(text, place):
        start, end, total, power = match.start(), match.end(), Decimal(0), None
        before, others = total, []
        part: re.Match[str] | None = match
        while part is not None:
            size = _power(part.group(2))
            if power is not None and (size >= power or Decimal(part.group(1).replace(",", "")) * size >= power):
                break
            before, value = total, Decimal(part.group(1).replace(",", "")) * size
            total, end, power = total + value, part.end(), size
            if before:
                others = [before, value]
            if size == 1:
                break
            gap = end + 1 if text[end : end + 1] == " " else end
            part = _PART.match(text, gap)
        if power == 1 and total and (scale := _SCALE.match(text, end)):
            total, end = total * _SCALES[(scale.group(1) or scale.group(2)).lower()], scale.end()
        if start and text[start - 1] == "-" and not text[max(0, start - 2) : start - 1].strip().isalnum():
            total = -total
        place = end
        yield start, end, Number(text[start:end], total, tuple(others))


def _power(units: str | None) -> int:
    """천만 is a thousand times ten thousand."""
    size = 1
    for unit in units or "":
        size *= _POWERS[unit]
    return size


# ── Korean words ─────────────────────────────────────────────────────────────

_COUNTERS = (
    "명 개 원 년 월 일 시 분 초 번 살 세 퍼센트 프로 % 달러 유로 엔 위안 킬로 미터 그램 대 권 마리 배 회 곳 건 가지 주 층 점 위 호 인 "
    "시간 개월 달 장 차례 사람 분기 톤 평 리터 도 쪽 페이지 줄 문장 단어 자 채 척 잔 병 판 편 석 표 조각 단계 팀 나라 개국 종 쌍 인분"
).split()
_COUNTED = r"(?=\s?(?:여\s?|번째|" + "|".join(sorted(map(re.escape, _COUNTERS), key=len, reverse=True)) + "))"
_SINO_DIGITS = {"일": 1, "이": 2, "삼": 3, "사": 4, "오": 5, "육": 6, "륙": 6, "칠": 7, "팔": 8, "구": 9}
_NATIVE_TENS = {
    "열": 10,
    "스물": 20,
    "스무": 20,
    "서른": 30,
    "마흔": 40,
    "쉰": 50,
    "예순": 60,
    "일흔": 70,
    "여든": 80,
    "아흔": 90,
}
_NATIVE_ONES = {
    **{"한": 1, "하나": 1, "두": 2, "둘": 2, "세": 3, "셋": 3, "네": 4, "넷": 4, "다섯": 5},
    **{"여섯": 6, "일곱": 7, "여덟": 8, "아홉": 9},
}
_SINO = re.compile(
    r"(?<![가-힣\d])[일이삼사오육륙칠팔구십백천만억조 ]{0,20}[십백천만억조]" + r"[일이삼사오육륙칠팔구]?" + _COUNTED
)
_NATIVE = re.compile(
    r"(?<![가-힣])(?=[열스서마쉰예일여아한하두둘세셋네넷다])"
    rf"({'|'.join(_NATIVE_TENS)})?({'|'.join(sorted(_NATIVE_ONES, key=len, reverse=True))})?{_COUNTED}"
)


def _korean_words(text: str) -> Iterator[tuple[int, int, Number]]:
    for match in _SINO.finditer(text):
        value = _sino(match.group())
        if value is not None:
            yield match.start(), match.end(), Number(match.group(), Decimal(value), word=True)
    for match in _NATIVE.finditer(text):
        if match.group():
            value = _NATIVE_TENS.get(match.group(1) or "", 0) + _NATIVE_ONES.get(match.group(2) or "", 0)
            yield match.start(), match.end(), Number(match.group(), Decimal(value), word=True)


def _sino(word: str) -> int | None:
    """삼만 오천 → 35,000. None where the parts do not make a number: 십이이."""
    total, below, digit = 0, 0, 0
    last_large, last_small = 10**20, 10**20
    for letter in word:
        if letter == " ":
            continue
        if letter in _SINO_DIGITS:
            if digit:
                return None
            digit = _SINO_DIGITS[letter]
            continue
        power = _POWERS[letter]
        if power < 10**4:
            if power >= last_small:
                return None
            below, digit, last_small = below + (digit or 1) * power, 0, power
        else:
            if power >= last_large:
                return None
            total, below, digit = total + ((below + digit) or 1) * power, 0, 0
            last_large, last_small = power, 10**20
    return total + below + digit


# ── English words ────────────────────────────────────────────────────────────

_ONES = dict(
    zip(
        (
            "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
            "seventeen eighteen nineteen"
        ).split(),
        range(20),
        strict=True,
    )
)
_TENS = dict(zip("twenty thirty forty fifty sixty seventy eighty ninety".split(), range(20, 100, 10), strict=True))
_WORD = "|".join(
    [*sorted(_ONES, key=len, reverse=True), *_TENS, "hundred", "thousand", "million", "billion", "trillion"]
)
_ENGLISH = re.compile(rf"\b(?:{_WORD})(?:(?:[ -]|[ ]and[ ])(?:{_WORD}))*\b", re.IGNORECASE)


def _english_words(text: str) -> Iterator[tuple[int, int, Number]]:
    for match in _ENGLISH.finditer(text):
        words = re.findall(r"[a-z]+", match.group().lower())
        total, below = 0, 0
        for word in words:
            if word in _ONES or word in _TENS:
                below += _ONES.get(word, 0) + _TENS.get(word, 0)
            elif word == "hundred":
                below = (below or 1) * 100
            elif word in _SCALES:
                total, below = total + (below or 1) * _SCALES[word], 0
        yield match.start(), match.end(), Number(match.group(), Decimal(total + below), word=True)
