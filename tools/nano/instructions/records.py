"""Texts to be turned into JSON."""

from __future__ import annotations

import json
import random
from collections.abc import Callable

from tools.nano.instructions.dialogue import THINGS, Dialogue, ask, english_name, korean_name, made_up, number, one

__all__ = ["FAMILY"]

Value = str | int | bool
_WORDS = (
    ("name", "이름"), ("city", "도시"), ("job", "직업"), ("country", "나라"), ("colour", "색"), ("title", "제목"),
    ("author", "저자"), ("team", "팀"), ("product", "상품"), ("place", "장소"), ("category", "분류"),
)  # fmt: skip
_NUMBERS = (
    ("age", "나이"), ("price", "가격"), ("year", "연도"), ("quantity", "수량"), ("weight", "무게"), ("pages", "쪽수"),
    ("score", "점수"), ("floor", "층"), ("seats", "좌석"), ("members", "인원"), ("rooms", "방"),
)  # fmt: skip
_JOBS = (
    ("a baker", "제빵사"), ("a pilot", "조종사"), ("a nurse", "간호사"), ("a farmer", "농부"), ("a painter", "화가"),
    ("a sailor", "선원"), ("a lawyer", "변호사"), ("a singer", "가수"),
)  # fmt: skip


def _value(rng: random.Random, korean: bool) -> str:
    if korean:
        return rng.choice((korean_name(rng), rng.choice(THINGS)[1]))
    return rng.choice((english_name(rng), rng.choice(THINGS)[0], f"{english_name(rng)} {english_name(rng)}"))


def _dumps(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _fields(rng: random.Random) -> Dialogue:
    """Label and value, one after the other."""
    korean = rng.random() < 0.45
    chosen = rng.sample([*_WORDS, *_NUMBERS, *_WORDS], rng.randint(2, 4))
    chosen = list(dict.fromkeys(chosen))
    numeric = set(_NUMBERS)
    values = [number(rng) if field in numeric else _value(rng, korean) for field in chosen]
    keys = [label if korean and rng.random() < 0.3 else name for name, label in chosen]
    shown = [label if korean else name for name, label in chosen]
    if not korean and rng.random() < 0.3:
        shown = [word.capitalize() for word in shown]
    mark, between = rng.choice(((": ", ", "), (" = ", "; "), (": ", "\n"), (": ", " / "), (" is ", ", ")))
    if korean and mark == " is ":
        mark = ": "
    text = between.join(f"{label}{mark}{value}" for label, value in zip(shown, values, strict=True))
    named = ", ".join(keys)
    answer = _dumps(dict(zip(keys, values, strict=True)))
    if korean:
        return ask(
            one(
                rng,
                f"{text}\n이것을 JSON 객체로 바꾸세요. 키: {named}",
                f"키 {named}인 JSON으로 쓰세요. {text}",
                f"아래 내용을 JSON으로만 답하세요 (키는 {named}).\n{text}",
                f"JSON으로 옮기세요. 사용할 키는 {named}입니다.\n\n{text}",
            ),
            answer,
        )
    return ask(
        one(
            rng,
            f"{text}\nGive this as a JSON object. Keys: {named}",
            f"As JSON with {named}: {text}",
            f"Reply with JSON only, keys {named}.\n{text}",
            f"Put the data below in a JSON object ({named}).\n\n{text}",
            f"Make one JSON object out of this. The keys are {named}.\n{text}",
        ),
        answer,
    )


def _sentence(rng: random.Random) -> Dialogue:
    """Values that stand in a sentence."""
    n, m = number(rng), rng.randint(5, 90)
    (job, korean_job), (thing, korean_thing) = rng.choice(_JOBS), rng.choice(THINGS)
    if rng.random() < 0.45:
        who, place = korean_name(rng), korean_name(rng)[1:] + one(rng, "시", "동", "읍")
        text, record = rng.choice(
            (
                (f"{who} 씨는 {m}살이고 {place}에 삽니다.", {"name": who, "age": m, "city": place}),
                (f"{place}에 사는 {who} 씨는 {korean_job}입니다.", {"name": who, "city": place, "job": korean_job}),
                (f"{korean_thing} {m}개의 가격은 {n}원입니다.", {"product": korean_thing, "quantity": m, "price": n}),
                (
                    f"{who} 씨는 {korean_thing} {m}개를 주문했습니다.",
                    {"name": who, "product": korean_thing, "quantity": m},
                ),
            )
        )
        named = ", ".join(record)
        return ask(
            one(
                rng,
                f"{text}\n{named} 키로 JSON을 만드세요.",
                f"문장에서 {named}를 뽑아 JSON으로만 답하세요.\n{text}",
                f"이 문장을 JSON으로: {text} (키: {named})",
            ),
            _dumps(record),
        )
    who, place = english_name(rng), made_up(rng, 2).capitalize()
    text, record = rng.choice(
        (
            (f"{who} is {m} and comes from {place}.", {"name": who, "age": m, "city": place}),
            (f"{who}, {m} years old, lives in {place}.", {"name": who, "age": m, "city": place}),
            (f"{who} from {place} is {job}.", {"name": who, "city": place, "job": job[2:]}),
            (f"We sold {m} of the {thing} for {n} dollars.", {"product": thing, "quantity": m, "price": n}),
            (f"{who} ordered {m} times the {thing}.", {"name": who, "product": thing, "quantity": m}),
            (f"The {thing} from {place} costs {n}.", {"product": thing, "city": place, "price": n}),
        )
    )
    named = ", ".join(record)
    return ask(
        one(
            rng,
            f"{text}\nJSON with {named}, please.",
            f"Take {named} from the sentence and reply in JSON only.\n{text}",
            f"Sentence: {text}\nAnswer with a JSON object that has {named}.",
        ),
        _dumps(record),
    )


def _list(rng: random.Random) -> Dialogue:
    korean = rng.random() < 0.45
    items = [pair[korean] for pair in rng.sample(THINGS, rng.randint(2, 5))]
    text = ", ".join(items)
    if korean:
        return ask(one(rng, f"{text}\nJSON 배열로 쓰세요.", f"JSON 배열만 답하세요: {text}"), _dumps(items))
    return ask(one(rng, f"{text}\nAs a JSON array.", f"Only a JSON array, please: {text}"), _dumps(items))


def record(rng: random.Random) -> Dialogue:
    return rng.choices((_fields, _sentence, _list), (5, 4, 1))[0](rng)


FAMILY: Callable[[random.Random], Dialogue] = record
