"""How judges write scores, as patterns. What is done with them stands in replies.py."""

from __future__ import annotations

import re

__all__ = [
    "ASSIGN",
    "BARE",
    "BETWEEN",
    "DIGITS",
    "FIRST_LINE",
    "GIVEN",
    "IS_A",
    "KEY",
    "KEYED",
    "KOREAN",
    "LONG_RUN",
    "NAMED_SCALE",
    "NEGATED",
    "NUMBER",
    "OUT_OF_TEXT",
    "RANGE_NEXT",
    "REFUSAL",
    "STARS",
    "THINK",
    "WORDS",
    "YES",
]

WORDS = {word: n for n, word in enumerate("zero one two three four five six seven eight nine ten".split())}  # noqa: SIM905
DIGITS = str.maketrans("０１２３４５６７８９．：／－", "0123456789.:/-")
NUMBER = (
    rf"(?<![\w.,/\-–~])[+-]?(?:\d+(?:\.\d+)?|(?:{'|'.join(WORDS)})\b)"
    r"(?!\d|[.,]\d|\s?%|(?:st|nd|rd|th)\b)"
)
RANGE_NEXT = re.compile(r"\s*(?:[-–~]\s*\d|to\s+\d|or\s+\d|에서\s*\d)", re.IGNORECASE)
OUT_OF = (
    r"(?:[*_`]*\s*(?:\(\s*)?(?:/|out\s+of(?:\s+a\s+possible)?|of|on\s+a\s+scale\s+of\s+\d+\s*(?:-|–|to))\s*[*_`]*"
    r"(?P<top>\d+(?:\.\d+)?|three|four|five|seven|ten)(?!\d)\)?)"
)
TAIL = r"(?:\s*(?:points?|stars?|점(?:입니다|이다|을 드립니다)?))?"

KEY = r"(?:score|rating|rate|grade|verdict|mark|points?|answer|점수|평점|등급|평가|총점|결론)"
ASSIGN = r"(?:\s*\([^()\n]*\))?[*_`\"']*\s*(?:is\s*:?|would\s+be|[:=]|-{1,2}>?|→|은|는)[\s*_`\"'\[(<]*"
BARE = re.compile(
    rf"(?:[\s*_`\"'\[(<#$-]|\\boxed\{{)*(?P<n>{NUMBER}){OUT_OF}?{TAIL}[\s*_`\"'\])}}$>.,;!]*", re.IGNORECASE
)
KEYED = re.compile(rf"(?P<key>(?:[^\W\d_][\w '&/-]{{0,40}}?)?){ASSIGN}(?P<n>{NUMBER}){OUT_OF}?", re.IGNORECASE)
FIRST_LINE = re.compile(
    rf"\s*[*_`\"'\[(]*(?P<n>{NUMBER}){OUT_OF}?{TAIL}[*_`\"'\])]*\s*(?P<end>[.:;,–—(-]\s|\n|\()", re.IGNORECASE
)
KOREAN = re.compile(rf"(?P<n>{NUMBER})\s*점")
# What follows a score is the end of a clause, not the things that were counted: "4 because", not "4 facts".
NEXT = (
    r"(?=[^\w\n]*(?:$|[.,;:!?()<\n]|점|(?:because|for|as|since|overall|on|in|to|and|but|or|due|given|based|rather|here|"
    r"instead|with|points?|stars?|at|is|was|seems?|would)\b))"
)
OUT_OF_TEXT = re.compile(rf"(?<!not )(?<!not a )(?P<n>{NUMBER}){OUT_OF}{NEXT}", re.IGNORECASE)
GIVEN = re.compile(
    r"\b(?:(?:give|giving|gave|assign(?:ing)?|award(?:ing)?|deserves?|merits?|warrants?|earns?|gets?|receives?|rated?|"
    r"rating|scor(?:e|ed|ing)|grade)|(?:i|will|would|i['’](?:d|ll))\s+(?:say|go (?:with|for)|choose|pick|call it))\b"
    rf"(?P<between>[^.\n\d]{{0,60}}?)(?P<n>{NUMBER}){OUT_OF}?{NEXT}",
    re.IGNORECASE,
)
IS_A = re.compile(
    r"\b(?:is|be|it's|it’s|that's|was)\s+(?:definitely |clearly |about |roughly )?"
    r"(?:an?\s+)(?:solid |strong |clear |weak |perfect )?"
    rf"(?P<n>{NUMBER}){OUT_OF}?\s*(?=[.!\n]|$)",
    re.IGNORECASE,
)
SPAN = r"{low:g}\s*(?:-|–|~|to|and)\s*(?P<top>\d+(?:\.\d+)?)"
NAMED_SCALE = (
    r"\b(?:on|in|using|from|with)\s+an?\s+scale\s+(?:of|from|between)?\s*" + SPAN,
    r"[\[(][^\[\]()\n]{{0,20}}?" + SPAN + r"[^\[\]()\n]{{0,10}}[\])]",
    r"(?P<top>\d+(?:\.\d+)?)\s*점\s*(?:만점(?:\s*(?:기준(?:으로)?|중에?서?|에서?|으로))?|중(?:에서?)?(?=\s*\d))",
)
LONG_RUN = re.compile(r"[\s*_`#~=<>.-]{100,}|(.{1,8}?)\1{40,}", re.DOTALL)
THINK = re.compile(r"</?think(?:ing)?>", re.IGNORECASE)
BETWEEN = re.compile(r"\bbetween\b", re.IGNORECASE)
STARS = re.compile(r"[\s*_`:]*(?P<full>(?:★|⭐️?)+)(?P<empty>☆*)[\s*_`.!]*")
YES = re.compile(
    r"(?:[^\W\d_][^\W\d]{0,30}\s*[:=])?[\s*_`\"']*(?:(?P<yes>yes|true|예|네|그렇습니다)|no|false|아니오|아니요|아닙니다)"
    r"(?![^\W_])[\s*_`\"'.!]*",
    re.IGNORECASE,
)
NEGATED = re.compile(r"\b(?:not|never|n't|cannot|neither|unless|if)\b", re.IGNORECASE)
REFUSAL = re.compile(
    r"\b(?:i(?:'|’)?m sorry|i am sorry|i apologi[sz]e|i (?:can(?:no|')?t|can’t|am unable|am not able|won't|will not)|"
    r"as an ai|unable to (?:rate|score|assess|evaluate))|죄송|평가할 수 없|할 수 없습니다|도와드릴 수 없",
    re.IGNORECASE,
)
