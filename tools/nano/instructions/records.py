"""Texts to be turned into JSON."""

from __future__ import annotations

import json
import random
from collections.abc import Callable

from tools.nano.instructions.dialogue import (
    Dialogue,
    ask,
    english_name,
    korean_name,
    made_up,
    noun,
    nouns,
    number,
    one,
    value,
)

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


_TYPES = ("string", "number", "flag")
_FLAGS = ((("yes", True), ("no", False)), (("on", True), ("off", False)), (("true", True), ("false", False)))
_KOREAN_FLAGS = ((("예", True), ("아니요", False)), (("있음", True), ("없음", False)))


def _field(rng: random.Random, korean: bool) -> tuple[tuple[str, str], str, Value]:
    """What it is called in English and in Korean, how its value is written, and the value."""
    kind = rng.choices(_TYPES, (5, 4, 1))[0]
    if kind == "number":
        field = rng.choice(_NUMBERS) if rng.random() < 0.5 else noun(rng)
        n = number(rng)
        return field, str(n), n
    if kind == "flag":
        said, true = rng.choice(rng.choice(_KOREAN_FLAGS if korean else _FLAGS))
        return noun(rng), said, true
    field = rng.choice(_WORDS) if rng.random() < 0.5 else noun(rng)
    text = value(rng, korean)
    return field, text, text


def _dumps(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _fields(rng: random.Random) -> Dialogue:
    """Label and value, one after the other."""
    korean = rng.random() < 0.45
    found = {field: (text, meant) for field, text, meant in (_field(rng, korean) for _ in range(rng.randint(2, 4)))}
    values, texts = [meant for _, meant in found.values()], [text for text, _ in found.values()]
    own = korean and rng.random() < 0.85
    keys = [field[own] for field in found]
    shown = [field[korean] for field in found]
    if not korean and rng.random() < 0.3:
        shown = [word.capitalize() for word in shown]
    mark, between = rng.choice(((": ", ", "), (" = ", "; "), (": ", "\n"), (": ", " / "), (" is ", ", ")))
    if korean and mark == " is ":
        mark = ": "
    text = between.join(f"{label}{mark}{said}" for label, said in zip(shown, texts, strict=True))
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
    (job, korean_job), (thing, korean_thing) = rng.choice(_JOBS), noun(rng)
    if rng.random() < 0.45:
        who, place = korean_name(rng), korean_name(rng)[1:] + one(rng, "시", "동", "읍")
        label = noun(rng)[1]
        text, record = rng.choice(
            (
                (f"{who} 씨는 {m}살이고 {place}에 삽니다.", {"name": who, "age": m, "city": place}),
                (f"{place}에 사는 {who} 씨는 {korean_job}입니다.", {"name": who, "city": place, "job": korean_job}),
                (f"{korean_thing} {m}개의 가격은 {n}원입니다.", {"product": korean_thing, "quantity": m, "price": n}),
                (
                    f"{who} 씨는 {korean_thing} {m}개를 주문했습니다.",
                    {"name": who, "product": korean_thing, "quantity": m},
                ),
                (f"{korean_thing}의 {label}은(는) {n}입니다.", {"이름": korean_thing, label: n}),
                (f"{who}의 {label}: {korean_thing}, {m}", {"이름": who, label: korean_thing, "수": m}),
                (f"{place}의 {korean_thing}은(는) {who}입니다.", {"장소": place, korean_thing: who}),
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
    who, place, label = english_name(rng), made_up(rng, 2).capitalize(), noun(rng)[0]
    text, record = rng.choice(
        (
            (f"{who} is {m} and comes from {place}.", {"name": who, "age": m, "city": place}),
            (f"{who}, {m} years old, lives in {place}.", {"name": who, "age": m, "city": place}),
            (f"{who} from {place} is {job}.", {"name": who, "city": place, "job": job[2:]}),
            (f"We sold {m} of the {thing} for {n} dollars.", {"product": thing, "quantity": m, "price": n}),
            (f"{who} ordered {m} times the {thing}.", {"name": who, "product": thing, "quantity": m}),
            (f"The {thing} from {place} costs {n}.", {"product": thing, "city": place, "price": n}),
            (f"The {label} of {who} is {n}.", {"name": who, label: n}),
            (f"{thing.capitalize()} {n} belongs to {who}.", {thing: n, "owner": who}),
            (f"From {place} to {who}: {m} {thing}s.", {"from": place, "to": who, thing: m}),
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
    items = [pair[korean] for pair in nouns(rng, rng.randint(2, 5))]
    text = rng.choice((", ", "; ", "\n", " / ", " ")).join(items)
    if korean:
        return ask(one(rng, f"{text}\nJSON 배열로 쓰세요.", f"JSON 배열만 답하세요: {text}"), _dumps(items))
    return ask(one(rng, f"{text}\nAs a JSON array.", f"Only a JSON array, please: {text}"), _dumps(items))


def _rows(rng: random.Random) -> Dialogue:
    """Lines with commas between the values, under a line of names."""
    korean = rng.random() < 0.45
    fields = [field for field, _, _ in (_field(rng, korean) for _ in range(rng.randint(2, 3)))]
    names = list(dict.fromkeys(field[korean] for field in fields))
    lines = [[rng.choice((number(rng), noun(rng)[korean])) for _ in names] for _ in range(2)]
    text = "\n".join(",".join(map(str, line)) for line in (names, *lines))
    records = [dict(zip(names, line, strict=True)) for line in lines]
    asked = (
        one(rng, f"{text}\n이 표를 JSON 배열로.", f"표의 줄마다 JSON 객체 하나씩, 배열로 쓰세요.\n{text}")
        if korean
        else one(rng, f"{text}\nAs a JSON array, one object per line.", f"Table:\n{text}\nGive me JSON for it.")
    )
    return ask(asked, _dumps(records))


def _nested(rng: random.Random) -> Dialogue:
    """A name that has a list."""
    korean = rng.random() < 0.45
    who, key = noun(rng)[korean], rng.choice(_WORDS)[0]
    items = [pair[korean] for pair in nouns(rng, rng.randint(2, 4))]
    text = f"{who}: {', '.join(items)}" if rng.random() < 0.5 or korean else f"{who} has {', '.join(items)}."
    asked = (
        one(rng, f"{text}\n{key}와 list를 키로 하는 JSON. list는 배열입니다.", f"JSON ({key}, list 배열): {text}")
        if korean
        else one(rng, f"{text}\nJSON with {key} and list, an array.", f"Keys {key} and list (array), as JSON: {text}")
    )
    return ask(asked, _dumps({key: who, "list": items}))


def record(rng: random.Random) -> Dialogue:
    return rng.choices((_fields, _sentence, _list, _rows, _nested), (5, 4, 2, 1, 1))[0](rng)


FAMILY: Callable[[random.Random], Dialogue] = record
