"""One training conversation, and the values that fill it: mostly made up, so that copying is learnt, not reciting."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from tools.nano.lexicon import NOUNS
from tools.nano.prose import particle

__all__ = [
    "THINGS", "Dialogue", "Turn", "ask", "english_name", "korean_name", "listed", "made_up", "noun", "nouns",
    "number", "one", "particle", "plural", "value",
]  # fmt: skip

Turn = tuple[str, str]
"""What the user says, what the assistant answers."""

_BEGINNINGS = "B D F G H J K L M N P R S T V W Z Br Dr Gr Kl Pl St Tr Sh Ch Th".split()  # noqa: SIM905
_VOWELS = ("a", "e", "i", "o", "u", "ai", "ei", "ou")
_ENDS = ("", "", "", "n", "l", "r", "s", "m", "t", "x")
_FAMILY = "김 이 박 최 정 강 조 윤 장 임 한 오 서 신 권 황 안 송 류 홍 전 고 문 손 배 백 허 남 심 노".split()  # noqa: SIM905
_GIVEN = tuple("민서지우현준하은도윤채원태성호연진수영재훈아라별솔빈찬결새봄늘해강산")

THINGS: tuple[tuple[str, str], ...] = (
    ("apple", "사과"), ("bread", "빵"), ("book", "책"), ("chair", "의자"), ("clock", "시계"), ("milk", "우유"),
    ("pencil", "연필"), ("shoe", "신발"), ("tree", "나무"), ("flower", "꽃"), ("water", "물"), ("lamp", "등불"),
    ("window", "창문"), ("paper", "종이"), ("letter", "편지"), ("ticket", "표"), ("camera", "사진기"),
    ("bicycle", "자전거"), ("umbrella", "우산"), ("basket", "바구니"), ("blanket", "담요"), ("mirror", "거울"),
    ("bottle", "병"), ("table", "책상"), ("bag", "가방"), ("hat", "모자"), ("ring", "반지"), ("cup", "컵"),
    ("plate", "접시"), ("spoon", "숟가락"), ("knife", "칼"), ("key", "열쇠"), ("map", "지도"), ("box", "상자"),
    ("onion", "양파"), ("carrot", "당근"), ("potato", "감자"), ("rice", "쌀"), ("salt", "소금"), ("sugar", "설탕"),
)  # fmt: skip


_SYLLABLES = "가나다라마바사아자차카타파하고노도로모보소오조호구누두루무부수우주후기니디리미비시이지치히"


@dataclass(frozen=True, slots=True)
class Dialogue:
    turns: tuple[Turn, ...]
    system: str | None = None


def ask(question: str, answer: str, system: str | None = None) -> Dialogue:
    return Dialogue(((question, answer),), system)


def one(rng: random.Random, *choices: str) -> str:
    return rng.choice(choices)


def made_up(rng: random.Random, syllables: int = 2) -> str:
    """A word that is in no dictionary."""
    parts = (rng.choice(_BEGINNINGS).lower() + rng.choice(_VOWELS) for _ in range(syllables))
    return "".join(parts) + rng.choice(_ENDS)


def made_up_korean(rng: random.Random) -> str:
    return "".join(rng.choice(_SYLLABLES) for _ in range(rng.randint(2, 4)))


def noun(rng: random.Random) -> tuple[str, str]:
    """Its name in English and in Korean. Every third is made up: then only reading the question helps."""
    kind = rng.randrange(3)
    if kind == 0:
        return made_up(rng, rng.randint(1, 2)), made_up_korean(rng)
    return rng.choice(THINGS if kind == 1 else NOUNS)


def nouns(rng: random.Random, count: int) -> list[tuple[str, str]]:
    """Different ones."""
    found: dict[str, str] = {}
    while len(found) < count:
        english, korean = noun(rng)
        if korean not in found.values():
            found.setdefault(english, korean)
    return list(found.items())


def plural(word: str) -> str:
    if word.endswith("y") and word[-2] not in "aeiou":
        return f"{word[:-1]}ies"
    return word + ("es" if word.endswith(("s", "x", "ch", "sh")) else "s")


def value(rng: random.Random, korean: bool) -> str:
    """A name, a thing or both."""
    name, called = (korean_name if korean else english_name)(rng), noun(rng)[korean]
    return one(rng, name, called, f"{called} {noun(rng)[korean]}", f"{name} {called}")


def english_name(rng: random.Random) -> str:
    return made_up(rng, rng.randint(1, 3)).capitalize()


def korean_name(rng: random.Random) -> str:
    return rng.choice(_FAMILY) + "".join(rng.sample(_GIVEN, 2))


def number(rng: random.Random) -> int:
    """Small ones as often as large ones."""
    return rng.randint(*rng.choice(((2, 9), (10, 99), (10, 99), (100, 999), (1000, 9999))))


def listed(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} and {words[-1]}"
