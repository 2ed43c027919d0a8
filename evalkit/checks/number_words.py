"""Finds numbers spelt out in Korean and English: 삼십이 명, 스물다섯 살, twenty-five, three hundred."""

from __future__ import annotations

import re
from collections.abc import Iterator

__all__ = ["POWERS", "SCALES", "english_words", "korean_words"]

POWERS = {"십": 10, "백": 100, "천": 1000, "만": 10**4, "억": 10**8, "조": 10**12, "경": 10**16}
SCALES = {
    "thousand": 10**3,
    "million": 10**6,
    "billion": 10**9,
    "trillion": 10**12,
    "k": 10**3,
    "m": 10**6,
    "b": 10**9,
    "bn": 10**9,
}

# ── Korean ───────────────────────────────────────────────────────────────────

# 이만 means "only this" as often as 20,000: a word counts as a number only before a counter.
_COUNTED = (
    r"(?=\s?(?:여\s?|번째|퍼센트|프로|%|달러|유로|위안|킬로|미터|그램|시간|개월|차례|사람|분기|리터|페이지|문장|단어|조각|마리|가지|"
    r"단계|나라|개국|[명개원년월일시분초번살세엔대권배회곳건주층점위호인달장톤평도쪽줄자채척잔병판편석표팀종쌍]))"
)
_SINO_DIGITS = {"일": 1, "이": 2, "삼": 3, "사": 4, "오": 5, "육": 6, "륙": 6, "칠": 7, "팔": 8, "구": 9}
_NATIVE_ONES = (
    ("한", "하나"),
    ("두", "둘"),
    ("세", "셋"),
    ("네", "넷"),
    ("다섯",),
    ("여섯",),
    ("일곱",),
    ("여덟",),
    ("아홉",),
)
_NATIVE_TENS = (("열",), ("스물", "스무"), ("서른",), ("마흔",), ("쉰",), ("예순",), ("일흔",), ("여든",), ("아흔",))
_ONES_OF = {name: number for number, names in enumerate(_NATIVE_ONES, 1) for name in names}
_TENS_OF = {name: 10 * number for number, names in enumerate(_NATIVE_TENS, 1) for name in names}
_SINO = re.compile(
    r"(?<![가-힣\d])[일이삼사오육륙칠팔구십백천만억조 ]{0,20}[십백천만억조][일이삼사오육륙칠팔구]?" + _COUNTED
)
_NATIVE = re.compile(rf"(?<![가-힣])(?:({'|'.join(_TENS_OF)})({'|'.join(_ONES_OF)})?|({'|'.join(_ONES_OF)})){_COUNTED}")


def korean_words(text: str) -> Iterator[tuple[int, int, int]]:
    """Start, end and value of each."""
    for match in _SINO.finditer(text):
        value = _sino(match.group())
        if value is not None:
            yield match.start(), match.end(), value
    for match in _NATIVE.finditer(text):
        tens, ones, alone = match.groups()
        yield match.start(), match.end(), _TENS_OF.get(tens or "", 0) + _ONES_OF.get(ones or alone or "", 0)


def _sino(word: str) -> int | None:
    """The value of Sino-Korean words: 삼만 오천 is 35,000. None if they are not a number, such as 십이이."""
    total, below, digit = 0, 0, 0
    last_large, last_small = 10**20, 10**20
    for letter in word.replace(" ", ""):
        if letter in _SINO_DIGITS:
            if digit:
                return None
            digit = _SINO_DIGITS[letter]
            continue
        power = POWERS[letter]
        if power >= (last_small if power < 10**4 else last_large):
            return None
        if power < 10**4:
            below, digit, last_small = below + (digit or 1) * power, 0, power
        else:
            total, below, digit = total + ((below + digit) or 1) * power, 0, 0
            last_large, last_small = power, 10**20
    return total + below + digit


# ── English ──────────────────────────────────────────────────────────────────

_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_TEENS = ("ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen")
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_VALUE = {
    **{word: number for number, word in enumerate((*_DIGITS, *_TEENS))},
    **{word: 10 * number for number, word in enumerate(_TENS, 2)},
}
_WORD = "|".join([*sorted(_VALUE, key=len, reverse=True), "hundred", "thousand", "million", "billion", "trillion"])
_ENGLISH = re.compile(rf"\b(?:{_WORD})(?:(?:[ -]|[ ]and[ ])(?:{_WORD}))*\b", re.IGNORECASE)


def english_words(text: str) -> Iterator[tuple[int, int, int]]:
    """Start, end and value of each."""
    for match in _ENGLISH.finditer(text):
        total, below = 0, 0
        for word in re.findall(r"[a-z]+", match.group().lower()):
            if word in _VALUE:
                below += _VALUE[word]
            elif word == "hundred":
                below = (below or 1) * 100
            elif word in SCALES:
                total, below = total + (below or 1) * SCALES[word], 0
        yield match.start(), match.end(), total + below
