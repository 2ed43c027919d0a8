"""Tone: 존댓말 against 반말 by how Korean sentences end, and slang in English."""

from __future__ import annotations

import re

from evalkit.checks.outcome import Complaint, Kind, Param, Params
from evalkit.checks.readings import without_talk
from evalkit.checks.text import sentences

__all__ = ["KINDS", "rude_sentence"]

_TRAILING = re.compile(r"[\s.!?~…。！？^ㅎㅋㅠㅜ\"'”’)\]*_`]+$")
_POLITE = ("니다", "니까", "시오", "십시요", "세요", "요", "죠", "소서", "시길", "올림", "드림", "배상")
_PLAIN = re.compile(
    r"(?:[가-힣]다|해|했어|할게|할께|할래|하자|해라|[가-힣]어|[가-힣]아|[가-힣]지|[가-힣]냐|[가-힣]니|[가-힣]래|"
    r"[가-힣]자|[가-힣]라|[가-힣]네|[가-힣]군|[가-힣]구나|[가-힣]걸|[가-힣]게|[가-힣]까|야|거든|잖아|줘|봐|돼|마|응|"
    r"안녕|고마워|미안)$"
)
_NOUN_LIKE = re.compile(
    r"(?:바다|모두 다|어머니|할머니|언니|아버지|강아지|편지|여자|남자|부자|사자|담당자|관리자|사용자|나라|의자|글자|"
    r"숫자|날짜)$"
)
_SLANG = re.compile(
    r"\b(?:hey|yo|gonna|wanna|gotta|lol|lmao|omg|btw|thx|pls|plz|ur|u|dude|guys|nope|yeah|yep|cuz|kinda|sup|ain't)\b"
    r"|[\U0001F300-\U0001FAFF]|!!|:\)|;\)",
    re.IGNORECASE,
)


def rude_sentence(text: str, language: str) -> str | None:
    """The first sentence that is not polite; in Korean at least one must also end as formal ones do (합쇼체)."""
    if language == "en":
        match = _SLANG.search(text)
        return repr(match.group()) if match else None
    said = sentences(text)
    for sentence in said:
        bare = _TRAILING.sub("", sentence)
        if bare.endswith(_POLITE) or not _PLAIN.search(bare) or _NOUN_LIKE.search(bare):
            continue
        return repr(sentence[-40:])
    if not any(_TRAILING.sub("", sentence).endswith(("니다", "니까", "시오")) for sentence in said):
        return "no sentence ends in -습니다, -습니까 or -십시오"
    return None


def _judge(answer: str, params: Params) -> Complaint:
    if not answer.strip():
        return "the answer is empty"
    rude = rude_sentence(answer, params["language"])
    return f"not polite: {rude}" if rude else None


KINDS = (
    Kind(
        "polite",
        "polite throughout: 존댓말, or English without slang",
        _judge,
        without_talk,
        {"language": Param((str,), choices=("en", "ko"))},
    ),
)
