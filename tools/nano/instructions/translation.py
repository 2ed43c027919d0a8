"""Sentences in English and Korean, either way."""

from __future__ import annotations

import random
from collections.abc import Callable

from tools.nano.instructions.dialogue import THINGS, Dialogue, ask, number, one, particle
from tools.nano.prose import korean_pair

__all__ = ["FAMILY", "pair"]

_WHO = (
    ("I", "저"), ("We", "우리"), ("The teacher", "선생님"), ("My friend", "제 친구"), ("The farmer", "농부"),
    ("My mother", "어머니"), ("My father", "아버지"), ("The student", "학생"), ("The doctor", "의사"),
    ("The child", "아이"), ("My sister", "여동생"), ("My brother", "남동생"), ("The singer", "가수"),
    ("The customer", "손님"),
)  # fmt: skip
_DID = (
    ("bought", "샀습니다"), ("found", "찾았습니다"), ("lost", "잃어버렸습니다"), ("sold", "팔았습니다"),
    ("brought", "가져왔습니다"), ("saw", "보았습니다"), ("needed", "필요했습니다"), ("made", "만들었습니다"),
    ("sent", "보냈습니다"), ("broke", "부쉈습니다"), ("washed", "씻었습니다"), ("drew", "그렸습니다"),
    ("received", "받았습니다"), ("liked", "좋아했습니다"),
)  # fmt: skip
_WHEN = (
    ("yesterday", "어제"), ("today", "오늘"), ("this morning", "오늘 아침에"), ("last week", "지난주에"),
    ("last night", "어젯밤에"), ("on Sunday", "일요일에"), ("in the evening", "저녁에"),
)  # fmt: skip
_WHERE = (
    ("at school", "학교에서"), ("at home", "집에서"), ("at the market", "시장에서"), ("in the park", "공원에서"),
    ("at the station", "역에서"), ("in Seoul", "서울에서"), ("at the library", "도서관에서"),
)  # fmt: skip
_IS = (
    ("big", "큽니다"), ("small", "작습니다"), ("new", "새것입니다"), ("expensive", "비쌉니다"), ("cheap", "쌉니다"),
    ("beautiful", "아름답습니다"), ("heavy", "무겁습니다"), ("clean", "깨끗합니다"),
)  # fmt: skip


def pair(rng: random.Random) -> tuple[str, str]:
    """The same sentence in English and in Korean."""
    (thing, korean_thing), (when, korean_when), (where, korean_where) = map(rng.choice, (THINGS, _WHEN, _WHERE))
    (who, korean_who), (did, korean_did) = rng.choice(_WHO), rng.choice(_DID)
    subject, objected = particle(korean_who, "은", "는"), particle(korean_thing, "을", "를")
    kind = rng.randrange(6)
    if kind == 0:
        return korean_pair(rng)
    if kind == 1:
        adjective, korean_adjective = rng.choice(_IS)
        return f"The {thing} is {adjective}.", f"{particle(korean_thing, '은', '는')} {korean_adjective}."
    if kind == 2:
        return f"{who} {did} the {thing} {when}.", f"{subject} {korean_when} {objected} {korean_did}."
    if kind == 3:
        return f"{who} {did} the {thing} {where}.", f"{subject} {korean_where} {objected} {korean_did}."
    if kind == 4:
        n = number(rng)
        return f"{who} {did} {n} {thing}s {when}.", f"{subject} {korean_when} {korean_thing} {n}개를 {korean_did}."
    return (
        f"{who} {did} the {thing} {where} {when}.",
        f"{subject} {korean_when} {korean_where} {objected} {korean_did}.",
    )


def translate(rng: random.Random) -> Dialogue:
    pairs = [pair(rng) for _ in range(rng.choice((1, 1, 1, 2)))]
    english, korean = (" ".join(side) for side in zip(*pairs, strict=True))
    if rng.random() < 0.5:
        asked = one(
            rng,
            f"In Korean, please: {english}",
            f"{english}\nPut this into Korean.",
            f"How do you say this in Korean?\n{english}",
            f"Korean translation of: {english}",
            f"Translate to Korean: {english}",
            f"{english}\nTranslate this text. The language is Korean.",
            f"한국어 번역만 답하세요: {english}",
            f"{english}\n한국어로 옮기세요.",
            f"영어를 우리말로 바꿔 주세요: {english}",
            f"다음을 한국어로: {english}",
        )
        return ask(asked, korean)
    asked = one(
        rng,
        f"In English, please: {korean}",
        f"{korean}\nPut this into English.",
        f"What does this Korean text mean?\n{korean}",
        f"English translation of: {korean}",
        f"Translate to English: {korean}",
        f"{korean}\nTranslate this text. The language is English.",
        f"영어 번역만 답하세요: {korean}",
        f"{korean}\n영어로 옮기세요.",
        f"우리말을 영어로 바꿔 주세요: {korean}",
        f"다음을 영어로: {korean}",
    )
    return ask(asked, english)


FAMILY: Callable[[random.Random], Dialogue] = translate
