"""Writes Korean numerals that count points as digits: `네 점` becomes 4점, but `이 점` may mean "this point".

A numeral is replaced only where it can mean nothing else: after the full mark, after the name of a score, alone on its
line, or with a verb of giving. Points of critique (`두 점에서 아쉽다`) stay as they are.
"""

from __future__ import annotations

import re

__all__ = ["points_in_digits"]

_NATIVE = {"한": 1, "두": 2, "세": 3, "네": 4, "다섯": 5, "여섯": 6, "일곱": 7, "여덟": 8, "아홉": 9, "열": 10}
_ALONE = {"하나": 1, "둘": 2, "셋": 3, "넷": 4}
_SINO = {"영": 0, "일": 1, "이": 2, "삼": 3, "사": 4, "오": 5, "육": 6, "칠": 7, "팔": 8, "구": 9}

_WORD = (
    "(?:다섯|여섯|일곱|여덟|아홉|하나|둘|셋|넷|한|두|세|네|열|백|"
    "[이삼사오육칠팔구]?십[일이삼사오육칠팔구]?|[영일이삼사오육칠팔구])"
)
# A word of its own too: blemish, advantage, dead point; or `this point`.
_PLAIN = r"(?!이\s*점|오점|사점|영점|구점|한\s+점)"
_POINTS = r"\s*점(?!\s*만점)"
_STOP = r"(?=[\s*_`)\]]*(?:입니다|이다|이에요|이라고|예요|임|을\s*(?:주|드|부|매)|정도|[.,!\n/(]|\Z))"
_END = r"[\s.!*_`]*(?:\n|\Z)"
_GIVEN = (
    r"(?=(?:을|만|씩)?\s*(?:주(?!의|목|장|로|제)|드리|드립|드렸|드릴|부여|매기|매깁|매겼|매길|줍|줬)|"
    r"으로\s*(?:평가|책정|채점|매))"
)
_BOUND = r"(?<![^\W\d_])"
_COUNTED = "".join(f"(?<!{what} )" for what in ("장점은", "단점은", "문제점은", "문제는", "이유는", "특징은", "것은"))

_PLACES = (
    # 5점 만점에 네 점
    rf"만점(?:에서?|중에?서?|으로|기준(?:으로)?)?\s*[:,]?\s*(?P<n>{_WORD})(?={_POINTS})",
    # 점수: 삼점, 평점은 넷
    rf"(?:점수|평점|별점|총점)\s*(?:은|는|[:=])[\s*_`]*(?P<n>{_WORD})(?={_POINTS}{_STOP}|{_END})",
    # alone on its line
    rf"(?m:^)[\s*_`]*{_PLAIN}(?P<n>{_WORD})(?={_POINTS}[\s*_`]*(?:입니다|이에요|을?\s*드립니다)?{_END})",
    rf"(?m:^)[\s*_`]*(?P<n>[이오사한구])(?=\s+점[\s*_`]*(?:입니다|이에요)?{_END})",
    # 네 점을 드립니다, 팔십 점입니다
    rf"{_BOUND}(?!이\s*점|오점)(?P<n>{_WORD})(?={_POINTS}{_GIVEN})",
    rf"{_COUNTED}{_BOUND}{_PLAIN}(?P<n>{_WORD})(?={_POINTS}(?:입니다|이에요|이라고))",
    # 별 네 개
    rf"{_BOUND}별\s*(?P<n>{_WORD})(?=\s*개(?!\s*중))",
)
_ANY = re.compile("|".join(place.replace("(?P<n>", f"(?P<n{number}>") for number, place in enumerate(_PLACES)))


def points_in_digits(text: str) -> tuple[str, list[int] | None]:
    """The text with its numerals as digits, and the original offset of each character; None where nothing changed."""
    if "점" not in text and "별" not in text:
        return text, None
    pieces: list[str] = []
    places: list[int] = []
    end = 0
    for match in _ANY.finditer(text):
        start, stop = next(match.span(group) for group in range(1, len(_PLACES) + 1) if match.group(group) is not None)
        digits = str(_value(text[start:stop]))
        pieces += text[end:start], digits
        places += [*range(end, start), *([start] * len(digits))]
        end = stop
    if not end:
        return text, None
    return "".join((*pieces, text[end:])), [*places, *range(end, len(text))]


def _value(word: str) -> int:
    if word in _NATIVE or word in _ALONE:
        return _NATIVE.get(word) or _ALONE[word]
    if word == "백":
        return 100
    tens, ten, ones = word.rpartition("십")
    if not ten:
        return _SINO[word]
    return 10 * (_SINO[tens] if tens else 1) + (_SINO[ones] if ones else 0)
