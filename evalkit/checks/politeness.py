"""Checks politeness: in Korean by sentence endings (존댓말 or 반말), in English by slang."""

from __future__ import annotations

import re

from evalkit.checks.outcome import Complaint, Kind, Param, Params
from evalkit.checks.readings import without_talk
from evalkit.checks.text import sentences

__all__ = ["KINDS", "rude_sentence"]

_POLITE = ("니다", "니까", "시오", "십시요", "세요", "요", "죠", "소서", "시길", "올림", "드림", "배상")
_FORMAL = ("니다", "니까", "시오")
_PLAIN = re.compile(
    r"(?:[가-힣]다|[했갔왔있없였았었됐봤]어|좋아|[할갈볼될]게|[할갈볼]래|하자|[해하]라|거야|이야|거든|잖아|해|줘|봐|돼|안녕|고마워)$"
)
# These endings count only before a full stop: without one, 한국어 or 편지 may be an item of a list.
_PLAIN_AT_A_STOP = re.compile(r"[어아지냐니래자라네군나걸게까야와가마응써]$")
_NOUNS = re.compile(r"(?:바다|판다|모두 다|둘 다|어머니|할머니|언니|아버지|담당자|관리자|사용자|한국어)$")
_SPOKEN_TO = re.compile(r"(?<=[가-힣]),\s*[가-힣]{1,10}(?: [가-힣]{1,10})?님[.!?~]*$")
_SLANG = re.compile(
    r"\b(?:hey|yo|gonna|wanna|gotta|lol|lmao|omg|btw|thx|pls|plz|ur|u(?!\.)|dude|guys|nope|yeah|yep|cuz|kinda|sup|ain't)\b"
    r"|[\U0001F300-\U0001FAFF]|!!|:\)|;\)",
    re.IGNORECASE,
)


def rude_sentence(text: str, language: str, *, formal: bool = False) -> str | None:
    """The first sentence that is not polite. `formal`: at least one Korean sentence must end formally (합쇼체)."""
    if language == "en":
        match = _SLANG.search(text)
        return repr(match.group()) if match else None
    parts = [(sentence, _bare(sentence)) for sentence in sentences(text)]
    for sentence, bare in parts:
        stops = sentence.rstrip("\"'”’) ").endswith((".", "?", "!", "~", "…"))
        plain = _PLAIN.search(bare) or (stops and _PLAIN_AT_A_STOP.search(bare))
        if plain and not bare.endswith(_POLITE) and bare not in ("네", "예") and not _NOUNS.search(bare):
            return repr(sentence[-40:])
    wanted = _FORMAL if formal else _POLITE
    if not any(bare.endswith(wanted) or (bare in ("네", "예") and not formal) for _, bare in parts):
        return "no sentence ends in -습니다, -습니까 or -십시오" if formal else "no sentence ends politely"
    return None


def _bare(sentence: str) -> str:
    """The sentence up to its last syllable: without marks, ㅋㅋ or ㅠㅠ, and a form of address (`, 고객님`)."""
    sentence = _SPOKEN_TO.sub("", sentence)
    end = len(sentence)
    while end and not (
        "가" <= sentence[end - 1] <= "힣" or (sentence[end - 1].isascii() and sentence[end - 1].isalnum())
    ):
        end -= 1
    return sentence[:end]


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
