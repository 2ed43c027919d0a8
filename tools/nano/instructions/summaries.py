"""Short reports, and one sentence that says what happened."""

from __future__ import annotations

import random
from collections.abc import Callable

from tools.nano.instructions.dialogue import (
    Dialogue,
    ask,
    english_name,
    korean_name,
    made_up,
    noun,
    number,
    one,
    plural,
)
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


_LIMITS = (("in one sentence", "한 문장으로"), ("in a few words", "몇 마디로"), ("in one line", "한 줄로"),
           ("with 20 words or fewer", "스무 낱말 안으로"), ("as briefly as you can", "되도록 짧게"))  # fmt: skip


def _news(rng: random.Random) -> tuple[str, str]:
    """A first sentence with its details, and what is left without them."""
    place, did = rng.choice(_PLACES)[0], rng.choice(_DID)[0]
    town, who, day = made_up(rng).capitalize(), english_name(rng), one(rng, "Monday", "Tuesday", "Friday")
    thing, other, n = noun(rng)[0], noun(rng)[0], number(rng)
    return rng.choice(
        (
            (f"The {place} of {town} {did} on {day} after {n} days of work.", f"The {place} of {town} {did}."),
            (f"The {thing} of {town}, which is {n} years old, has a new {other}.",
             f"The {thing} of {town} has a new {other}."),
            (f"{who} from {town} found a {thing} under the {other} last {day}.", f"{who} found a {thing}."),
            (f"Most {plural(thing)} need {other} and a {made_up(rng)}, even in {town}.",
             f"{plural(thing).capitalize()} need {other}."),
            (f"On {day} the {thing} and the {other} of {town} {did} again.",
             f"The {thing} and the {other} of {town} {did}."),
            (f"{n} {plural(thing)} in {town} like the {other} better than before.",
             f"{plural(thing).capitalize()} like the {other}."),
            (f"Hello everyone, the {thing} near the {place} {did} this morning.", f"The {thing} {did}."),
        )
    )  # fmt: skip


def _korean_news(rng: random.Random) -> tuple[str, str]:
    place, (_, did) = rng.choice(_PLACES)[1], rng.choice(_DID)
    town, who = korean_name(rng)[1:] + one(rng, "시", "군", "읍"), korean_name(rng)
    day, n = one(rng, "월요일", "수요일", "금요일"), number(rng)
    thing, other = noun(rng)[1], noun(rng)[1]
    subject = particle(thing, "이", "가")
    return rng.choice(
        (
            (f"{town}의 {particle(place, '이', '가')} {n}일 동안의 공사 끝에 {day}에 {did}.",
             f"{town}의 {particle(place, '이', '가')} {did}."),
            (f"{town}에 사는 {who} 씨는 {day}에 {other} 아래에서 {particle(thing, '을', '를')} 찾았습니다.",
             f"{who} 씨는 {particle(thing, '을', '를')} 찾았습니다."),
            (f"{n}년 된 {town}의 {subject} {day}에 {did}.", f"{town}의 {subject} {did}."),
            (f"{particle(thing, '은', '는')} {town}에서도 {particle(other, '과', '와')} 물이 필요합니다.",
             f"{particle(thing, '은', '는')} {particle(other, '이', '가')} 필요합니다."),
            (f"여러분, 오늘 아침 {place} 옆의 {subject} {did}.", f"{subject} {did}."),
        )
    )  # fmt: skip


def _points(rng: random.Random) -> Dialogue:
    """So many points instead of a sentence."""
    korean = rng.random() < 0.45
    facts = [(_korean_news if korean else _news)(rng) for _ in range(rng.randint(2, 4))]
    text = " ".join(long for long, _ in facts)
    mark = rng.choice(("-", "-", "*"))
    count = ("두", "세", "네")[len(facts) - 2] if korean else ("two", "three", "four")[len(facts) - 2]
    asked = (
        one(rng, f"{text}\n\n'{mark}' 목록 {count} 줄로 줄이세요.", f"요점 {count} 개를 '{mark}' 목록으로: {text}")
        if korean
        else one(
            rng,
            f"{text}\n\nShorten to {count} points, each with '{mark}'.",
            f"The {count} points as a '{mark}' list: {text}",
        )
    )
    return ask(asked, "\n".join(f"{mark} {short.rstrip('.')}" for _, short in facts))


def _english(rng: random.Random) -> Dialogue:
    first, answer = _news(rng)
    town, who = made_up(rng).capitalize(), english_name(rng)
    place = rng.choice(_PLACES)[0]
    details = [
        f"{who}, who leads the {place}, thanked the {number(rng)} helpers.",
        f"Visitors can see {number(rng)} {plural(noun(rng)[0])} there.",
        f"The work cost {number(rng)} dollars, and much of it came from people in {town}.",
        f"Many families came with {plural(noun(rng)[0])} and stayed until the evening.",
        f"A second {noun(rng)[0]} is planned for next year, according to {who}.",
        "It rained all day, but nobody minded.",
        f"The mayor said that {town} had waited for this for {number(rng)} years.",
        f"When the {noun(rng)[0]} is old, a {noun(rng)[0]} helps for {number(rng)} weeks.",
        f"If you have no {noun(rng)[0]}, take a {noun(rng)[0]} until then.",
    ]
    text = " ".join([first, *rng.sample(details, rng.randint(2, 4))])
    limit = rng.choice(_LIMITS)[0]
    return ask(
        one(
            rng,
            f"{text}\n\nWhat is this about, {limit}?",
            f"Sum up {limit}: {text}",
            f"Text: {text}\nShort version:",
            f"{text}\n\nTell me the main point {limit}.",
            f"Summarise {limit}.\n\n{text}",
            f"A summary {limit}, please.\n{text}",
            f"Make this much shorter, one sentence at most.\n\n{text}",
        ),
        answer,
    )


def _korean(rng: random.Random) -> Dialogue:
    first, answer = _korean_news(rng)
    who, thing = korean_name(rng), noun(rng)[1]
    details = [
        f"책임자 {who} 씨는 도와준 {number(rng)}명에게 감사하다고 말했습니다.",
        f"방문객은 그곳에서 {thing} {number(rng)}개를 볼 수 있습니다.",
        f"비용은 {number(rng)}만 원이었고 많은 부분을 주민들이 냈습니다.",
        f"많은 가족이 {particle(thing, '을', '를')} 들고 와서 저녁까지 머물렀습니다.",
        f"내년에는 두 번째 {noun(rng)[1]}도 지을 계획입니다.",
        "하루 종일 비가 왔지만 아무도 신경 쓰지 않았습니다.",
    ]
    text = " ".join([first, *rng.sample(details, rng.randint(2, 4))])
    limit = rng.choice(_LIMITS)[1]
    return ask(
        one(
            rng,
            f"{text}\n\n{limit} 무슨 내용입니까?",
            f"{limit} 줄이세요: {text}",
            f"글: {text}\n핵심만 {limit}:",
            f"{limit} 요약해 주세요.\n{text}",
            f"{text}\n\n중심 내용을 {limit} 말해 주세요.",
        ),
        answer,
    )


def summary(rng: random.Random) -> Dialogue:
    return rng.choices((_english, _korean, _points), (5, 4, 2))[0](rng)


FAMILY: Callable[[random.Random], Dialogue] = summary
