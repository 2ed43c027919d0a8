"""Questions about a table, answered in SQL."""

from __future__ import annotations

import random
from collections.abc import Callable

from tools.nano.instructions.dialogue import Dialogue, ask, english_name, made_up, noun, nouns, number, one, particle

__all__ = ["FAMILY"]

_TABLES = (
    ("ships", "배"), ("rooms", "방"), ("songs", "노래"), ("horses", "말"), ("clients", "고객"), ("parcels", "소포"),
    ("bridges", "다리"), ("farms", "농장"), ("tools", "도구"), ("films", "영화"), ("lessons", "수업"),
    ("cars", "자동차"), ("rivers", "강"), ("teams", "팀"), ("meals", "음식"), ("toys", "장난감"),
    ("flights", "항공편"), ("shops", "가게"),
)  # fmt: skip
_NUMBERS = (
    ("age", "나이"), ("price", "가격"), ("length", "길이"), ("weight", "무게"), ("year", "연도"), ("height", "높이"),
    ("score", "점수"), ("speed", "속도"), ("size", "크기"), ("cost", "비용"), ("seats", "좌석"), ("stock", "재고"),
    ("salary", "급여"), ("amount", "금액"), ("points", "포인트"), ("width", "너비"), ("hours", "시간"),
)  # fmt: skip
_TEXTS = (
    ("name", "이름"), ("title", "제목"), ("city", "도시"), ("colour", "색"), ("country", "나라"), ("owner", "주인"),
    ("kind", "종류"), ("brand", "상표"), ("status", "상태"), ("region", "지역"), ("author", "저자"),
)  # fmt: skip

Column = tuple[str, str]


def _schema(rng: random.Random, table: str, columns: list[Column], numbers: tuple[Column, ...]) -> str:
    typed = [f"{name} {'INTEGER' if (name, korean) in numbers else 'TEXT'}" for name, korean in columns]
    names = [name for name, _ in columns]
    return one(
        rng,
        f"CREATE TABLE {table} ({', '.join(typed)});",
        f"CREATE TABLE {table} (id INTEGER PRIMARY KEY, {', '.join(typed)});",
        f"{table}({', '.join(names)})",
        f"{table} (id, {', '.join(names)})",
        f"table {table}, columns {', '.join(names)}",
        f"A table {table} has {', '.join(names)}.",
        f"{table} 표의 열: {', '.join(names)}",
    )


def _filters(rng: random.Random, count: Column, text: Column) -> tuple[str, str, str]:
    """The condition in English, in Korean and in SQL."""
    n = number(rng)
    (name, korean), word = count, one(rng, made_up(rng).capitalize(), noun(rng)[0], english_name(rng), noun(rng)[1])
    return rng.choice(
        (
            (f"with {name} over {n}", f"{korean}{_subject(korean)} {n}보다 큰", f"{name} > {n}"),
            (f"whose {name} is greater than {n}", f"{korean}{_subject(korean)} {n}을 넘는", f"{name} > {n}"),
            (f"whose {name} is at least {n}", f"{korean}{_subject(korean)} {n} 이상인", f"{name} >= {n}"),
            (f"with {name} under {n}", f"{korean}{_subject(korean)} {n}보다 작은", f"{name} < {n}"),
            (f"whose {name} is less than {n}", f"{korean}{_subject(korean)} {n} 미만인", f"{name} < {n}"),
            (f"whose {name} is at most {n}", f"{korean}{_subject(korean)} {n} 이하인", f"{name} <= {n}"),
            (f"whose {text[0]} is {word}", f"{text[1]}{_subject(text[1])} {word}인", f"{text[0]} = '{word}'"),
            (f"with the {text[0]} '{word}'", f"{text[1]}{_subject(text[1])} '{word}'인", f"{text[0]} = '{word}'"),
        )
    )


def _subject(word: str) -> str:
    return particle(word, "이", "가")[len(word) :]


def _object(word: str) -> str:
    return particle(word, "을", "를")[len(word) :]


def query(rng: random.Random) -> Dialogue:
    table, korean_table = rng.choice(_TABLES)
    if rng.random() < 0.5:
        table = korean_table = one(rng, made_up(rng) + "s", noun(rng)[0], noun(rng)[1])
    count, other = rng.sample(_NUMBERS, 2)
    wanted, text = rng.sample(_TEXTS, 2)
    in_korean, named = rng.random() < 0.5, rng.random() < 0.5
    if named:
        count, wanted, text = nouns(rng, 3)
    if in_korean and (named or rng.random() < 0.4):
        # A table whose columns have Korean names.
        table = korean_table
        count, other, wanted, text = ((korean, korean) for _, korean in (count, other, wanted, text))
    columns = [wanted, count, text, other]
    rng.shuffle(columns)
    schema = _schema(rng, table, columns, (count, other))
    said, korean_said, where = _filters(rng, count, text)
    (w, kw), (c, kc), (t, kt) = wanted, count, text
    find, order, size = f"{kw}{_object(kw)} 찾", f"{kw}{_object(kw)} 나열하", f"{kc}{_object(kc)} 구하"
    n = rng.randint(1, 9)
    some, all_of = f"FROM {table} WHERE {where};", f"FROM {table};"
    largest = f"{kc}{_subject(kc)}"
    shapes: tuple[tuple[str, str, str], ...] = (
        (f"the {w} of {table} {said}", f"{korean_said} {korean_table}의 {find}", f"SELECT {w} {some}"),
        (
            f"the {c} and {w} of {table} {said}",
            f"{korean_said} {korean_table}의 {kc}, {find}",
            f"SELECT {c}, {w} {some}",
        ),
        (f"the number of {table} {said}", f"{korean_said} {korean_table}의 수를 구하", f"SELECT COUNT(*) {some}"),
        (f"how many {table} there are", f"{korean_table}의 전체 수를 구하", f"SELECT COUNT(*) {all_of}"),
        (f"the highest {c} in {table}", f"{korean_table} 중 가장 큰 {size}", f"SELECT MAX({c}) {all_of}"),
        (f"the lowest {c} in {table}", f"{korean_table} 중 가장 작은 {size}", f"SELECT MIN({c}) {all_of}"),
        (f"the average {c} of {table}", f"{korean_table}의 평균 {size}", f"SELECT AVG({c}) {all_of}"),
        (f"the total {c} of all {table}", f"{korean_table}의 {kc} 합계를 구하", f"SELECT SUM({c}) {all_of}"),
        (
            f"the {w} of all {table}, sorted by {c}",
            f"{kc} 순서로 {korean_table}의 {order}",
            f"SELECT {w} FROM {table} ORDER BY {c};",
        ),
        (
            f"the {w} of all {table}, largest {c} first",
            f"{largest} 큰 순서로 {korean_table}의 {order}",
            f"SELECT {w} FROM {table} ORDER BY {c} DESC;",
        ),
        (
            f"the {w} of the one with the highest {c}",
            f"{largest} 가장 큰 {korean_table}의 {find}",
            f"SELECT {w} FROM {table} ORDER BY {c} DESC LIMIT 1;",
        ),
        (
            f"the {w} and {c} of {table} {said}, smallest {c} first",
            f"{korean_said} {korean_table}의 {kw}, {kc}{_object(kc)} {kc} 작은 순서로 나열하",
            f"SELECT {w}, {c} FROM {table} WHERE {where} ORDER BY {c};",
        ),
        (
            f"the average {c} for each {t}, largest first",
            f"{kt}별 평균 {kc}{_object(kc)} 큰 순서로 구하",
            f"SELECT {t}, AVG({c}) FROM {table} GROUP BY {t} ORDER BY AVG({c}) DESC;",
        ),
        (
            f"each {t} that has more than {n} {table}",
            f"{korean_table}의 수가 {n}보다 많은 {kt}{_object(kt)} 구하",
            f"SELECT {t} FROM {table} GROUP BY {t} HAVING COUNT(*) > {n};",
        ),
        (
            f"the number of {table} for each {t}",
            f"{kt}별 {korean_table}의 수를 구하",
            f"SELECT {t}, COUNT(*) FROM {table} GROUP BY {t};",
        ),
        (f"the total {c} for each {t}", f"{kt}별 {kc} 합계를 구하", f"SELECT {t}, SUM({c}) FROM {table} GROUP BY {t};"),
    )
    english, korean, sql = rng.choice(shapes)
    if in_korean:
        polite = korean + ("으세요" if korean.endswith("찾") else "세요")
        asked = one(
            rng,
            f"{schema}\n{polite}. SQL로만 답하세요.",
            f"스키마: {schema}\n질문: {polite}.\nSQL 쿼리만 쓰세요.",
            f"아래 표가 있습니다.\n{schema}\n{polite}. 다른 말 없이 SQL만.",
            f"{polite}. SQL로 쓰면?\n\n{schema}",
        )
        return ask(asked, sql)
    if rng.random() < 0.3:
        return ask(one(rng, f"{schema} I want {english}. Only SQL.", f"{schema} Query for {english}. No words."), sql)
    return ask(
        one(
            rng,
            f"{schema}\nSQL for {english}?",
            f"Here is a schema:\n{schema}\nGive me {english}. Reply with SQL only.",
            f"Schema: {schema}\nTask: find {english}. SQL and nothing else.",
            f"I have {schema}\nWhich query shows {english}? Only the query, please.",
            f"Write SQL: {english}.\n\n{schema}",
        ),
        sql,
    )


FAMILY: Callable[[random.Random], Dialogue] = query
