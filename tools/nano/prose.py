"""Plain text beside the benchmarks: facts, sums, Korean, and the forms that instructions often ask for."""

from __future__ import annotations

import json
import random

from tools.nano import endings
from tools.nano.facts import RELATIONS
from tools.nano.split import draw
from tools.nano.words import NAMES, OBJECTS, article

__all__ = ["FORMS", "korean_pair", "particle"]

_NOUNS = {word: korean for relation in RELATIONS if relation.name == "korean" for word, korean in relation.pairs}
_WHO = {"The cat": "고양이", "The dog": "개", "The bird": "새", "The teacher": "선생님", "The student": "학생",
        "Mother": "어머니", "Father": "아버지", "My friend": "친구"}  # fmt: skip
_DOES = {"sees": "봅니다", "likes": "좋아합니다", "finds": "찾습니다", "draws": "그립니다", "buys": "삽니다"}
_WHAT = ("water", "tree", "flower", "house", "book", "bread", "milk", "apple", "sea", "mountain", "moon", "star")
_CITIES = ("Seoul", "Paris", "Rome", "Tokyo", "Berlin", "Madrid")


def particle(word: str, after_consonant: str, after_vowel: str) -> str:
    """The Korean particle that fits the word's last syllable."""
    return word + (after_consonant if (ord(word[-1]) - 0xAC00) % 28 else after_vowel)


def korean_pair(rng: random.Random) -> tuple[str, str]:
    who, does, what = rng.choice(list(_WHO)), rng.choice(list(_DOES)), rng.choice(_WHAT)
    korean = f"{particle(_WHO[who], '이', '가')} {particle(_NOUNS[what], '을', '를')} {_DOES[does]}."
    return f"{who} {does} the {what}.", korean


def _facts(rng: random.Random) -> str:
    lines = []
    for _ in range(4):
        relation = rng.choice(RELATIONS)
        entity, value = rng.choice(relation.pairs)
        line = relation.statement.format(e=entity, v=value)
        lines.append(line[0].upper() + line[1:])
    return " ".join(lines)


def _asked_facts(rng: random.Random) -> str:
    relation = rng.choice(RELATIONS)
    entity, value = rng.choice(relation.pairs)
    question = rng.choice(relation.questions).format(entity)
    return f"{question[0].upper()}{question[1:]} {value}"


def _sums(rng: random.Random) -> str:
    lines = []
    for _ in range(8):
        sign = rng.choice("++-**/")
        a, b = rng.randint(1, 30), rng.randint(1, 20)
        if sign == "-":
            a, b = max(a, b), min(a, b)
        if sign in "*/":
            a, b = rng.randint(2, 9), rng.randint(2, 9)
        value = {"+": a + b, "-": a - b, "*": a * b, "/": a}[sign]
        lines.append(f"{a * b if sign == '/' else a} {sign} {b} = {value}")
    return "\n".join(lines)


def _parity(rng: random.Random) -> str:
    return " ".join(f"{n} is {'odd' if n % 2 else 'even'}." for n in rng.sample(range(1, 31), 6))


def _story(rng: random.Random) -> str:
    return str(draw(endings.story, rng, "train").doc["text"])


def _korean(rng: random.Random) -> str:
    return " ".join(korean_pair(rng)[1] for _ in range(3))


def _translation(rng: random.Random) -> str:
    english, korean = korean_pair(rng)
    return f"{english} = {korean}" if rng.random() < 0.5 else f"{korean} = {english}"


def _sql(rng: random.Random) -> str:
    column, table = rng.choice(("name", "age", "city")), rng.choice(("people", "pets", "friends", "students"))
    age, sign = rng.randint(2, 60), rng.choice("<>")
    said = f"{column} of {table} with age {'over' if sign == '>' else 'under'} {age}"
    return f"{said}: SELECT {column} FROM {table} WHERE age {sign} {age};"


def _json(rng: random.Random) -> str:
    name, age, city = rng.choice(list(NAMES)), rng.randint(5, 60), rng.choice(_CITIES)
    record = json.dumps({"name": name, "age": age, "city": city})
    return f"{name} is {age} years old and lives in {city}. {record}"


def _email(rng: random.Random) -> str:
    to, sender = rng.sample(list(NAMES), 2)
    topic = rng.choice(("the meeting", "the report", "the order", "the invoice", "the schedule"))
    day = rng.choice(("Monday", "Tuesday", "Wednesday", "Thursday", "Friday"))
    return (
        f"Subject: About {topic}\n\nDear {to},\n\nI am writing about {topic} on {day}. "
        f"Please let me know if you have any questions.\n\nKind regards,\n{sender}"
    )


def _list(rng: random.Random) -> str:
    things = ", ".join(rng.sample(OBJECTS, 3))
    scene = rng.choice(endings.SCENES)
    return f"{rng.choice(list(NAMES))} has {things} and {article(rng.choice(scene.things))}."


FORMS = (
    (_facts, 3), (_asked_facts, 2), (_sums, 6), (_parity, 1), (_story, 1), (_korean, 1), (_translation, 2), (_sql, 1),
    (_json, 1), (_email, 1), (_list, 1),
)  # fmt: skip
"""Each form and how often it is drawn."""
