"""Short reports, and one sentence that says what happened."""

from __future__ import annotations

import random
from collections.abc import Callable

from tools.nano.instructions.dialogue import THINGS, Dialogue, ask, english_name, korean_name, made_up, number, one
from tools.nano.prose import particle

__all__ = ["FAMILY"]

_PLACES = (
    ("library", "도서관"), ("harbour", "항구"), ("museum", "박물관"), ("school", "학교"), ("market", "시장"),
    ("theatre", "극장"), ("factory", "공장"), ("garden", "정원"), ("station", "역"), ("clinic", "병원"),
)  # fmt: skip
_DID = (
    ("opened", "문을 열었습니다"), ("closed", "문을 닫았습니다"),
    ("moved", "이전했습니다"), ("grew", "규모를 늘렸습니다"),
    ("was repaired", "수리되었습니다"), ("won a prize", "상을 받았습니다"),
)  # fmt: skip


def _english(rng: random.Random) -> Dialogue:
    place, did = rng.choice(_PLACES)[0], rng.choice(_DID)[0]
    town, who = made_up(rng).capitalize(), english_name(rng)
    first = (
        f"The {place} of {town} {did} on {one(rng, 'Monday', 'Tuesday', 'Friday')} after {number(rng)} days of work."
    )
    details = [
        f"{who}, who leads the {place}, thanked the {number(rng)} helpers.",
        f"Visitors can see {number(rng)} {rng.choice(THINGS)[0]}s there.",
        f"The work cost {number(rng)} dollars, and much of it came from people in {town}.",
        f"Many families came with {rng.choice(THINGS)[0]}s and stayed until the evening.",
        f"A second {place} is planned for next year, according to {who}.",
        "It rained all day, but nobody minded.",
        f"The mayor said that {town} had waited for this for {number(rng)} years.",
    ]
    text = " ".join([first, *rng.sample(details, rng.randint(2, 5))])
    answer = f"The {place} of {town} {did}."
    return ask(
        one(
            rng,
            f"{text}\n\nWhat is this about, in one sentence?",
            f"Sum up in one short sentence: {text}",
            f"Text: {text}\nShort version:",
            f"{text}\n\nTell me the main point in one line.",
            f"Make this much shorter, one sentence at most.\n\n{text}",
        ),
        answer,
    )


def _korean(rng: random.Random) -> Dialogue:
    place, (_, did) = rng.choice(_PLACES)[1], rng.choice(_DID)
    town, who = korean_name(rng)[1:] + one(rng, "시", "군", "읍"), korean_name(rng)
    day = one(rng, "월요일", "수요일", "금요일")
    first = f"{town}의 {particle(place, '이', '가')} {number(rng)}일 동안의 공사 끝에 {day}에 {did}."
    thing = rng.choice(THINGS)[1]
    details = [
        f"책임자 {who} 씨는 도와준 {number(rng)}명에게 감사하다고 말했습니다.",
        f"방문객은 그곳에서 {thing} {number(rng)}개를 볼 수 있습니다.",
        f"비용은 {number(rng)}만 원이었고 많은 부분을 주민들이 냈습니다.",
        f"많은 가족이 {particle(thing, '을', '를')} 들고 와서 저녁까지 머물렀습니다.",
        f"내년에는 두 번째 {place}도 지을 계획입니다.",
        "하루 종일 비가 왔지만 아무도 신경 쓰지 않았습니다.",
    ]
    text = " ".join([first, *rng.sample(details, rng.randint(2, 4))])
    return ask(
        one(
            rng,
            f"{text}\n\n한 문장으로 무슨 내용입니까?",
            f"짧게 한 문장으로 줄이세요: {text}",
            f"글: {text}\n핵심만 한 줄로:",
            f"{text}\n\n중심 내용을 한 문장으로 말해 주세요.",
        ),
        f"{town}의 {particle(place, '이', '가')} {did}.",
    )


def summary(rng: random.Random) -> Dialogue:
    return (_english if rng.random() < 0.55 else _korean)(rng)


FAMILY: Callable[[random.Random], Dialogue] = summary
