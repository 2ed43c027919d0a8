"""Several turns, of which a later one leans on an earlier one."""

from __future__ import annotations

import random
from collections.abc import Callable

from tools.nano.instructions import translation
from tools.nano.instructions.dialogue import (
    THINGS,
    Dialogue,
    Turn,
    english_name,
    korean_name,
    made_up,
    number,
    one,
    particle,
)

__all__ = ["FAMILY"]


def _recall(rng: random.Random) -> Dialogue:
    """Told, perhaps something between, asked."""
    korean = rng.random() < 0.5
    thing = rng.choice(THINGS)
    n = number(rng)
    if korean:
        who, town = korean_name(rng), korean_name(rng)[1:] + "시"
        told, asked, answer = rng.choice(
            (
                (f"{who}라고 불러 주세요.", "제가 누구라고 했지요?", f"{who} 님입니다."),
                (f"제 이름은 {who}이고 {town}에 삽니다.", "제가 사는 곳은요?", f"{town}에 사십니다."),
                (f"숫자 {n}를 기억해 두세요.", "기억한 숫자는요?", f"{n}"),
                (
                    f"{particle(thing[1], '을', '를')} 하나 샀어요.",
                    "제가 뭘 샀다고 했나요?",
                    f"{particle(thing[1], '을', '를')} 사셨습니다.",
                ),
            )
        )
        first, between = one(rng, "네, 알겠습니다.", "알겠습니다.", "네, 기억하겠습니다."), ("고마워요.", "천만에요.")
    else:
        who, town = english_name(rng), made_up(rng).capitalize()
        told, asked, answer = rng.choice(
            (
                (f"Call me {who}.", "So who am I?", f"You are {who}."),
                (f"I am {who} and I live in {town}.", "Where is my home?", f"You live in {town}."),
                (f"Keep the number {n} in mind.", "Which number was it?", f"{n}"),
                (f"I have a {thing[0]} called {who}.", f"What did I call the {thing[0]}?", f"You called it {who}."),
                (f"The code word is {who.lower()}.", "Say the code word.", who.lower()),
                (f"I bought a {thing[0]} for {n} dollars.", "How much did I pay?", f"You paid {n} dollars."),
            )
        )
        first, between = (
            one(rng, "All right.", "I will remember that.", "Thank you, noted."),
            ("Thanks.", "You are welcome."),
        )
    turns: list[Turn] = [(told, first)]
    if rng.random() < 0.5:
        english, hangul = translation.pair(rng)
        turns.append(rng.choice((between, (f"{english} 한국어로?", hangul), (f"In Korean: {english}", hangul))))
    return Dialogue((*turns, (asked, answer)))


def _change(rng: random.Random) -> Dialogue:
    """The same once more, in another form or language."""
    english, korean = translation.pair(rng)
    things = rng.sample(THINGS, 3)
    names = [thing[0] for thing in things]
    commas = ", ".join(names)
    bullets = "\n".join(f"- {name}" for name in names)
    capitals = one(rng, "Louder: in capitals.", "The same in capital letters.")
    to_korean, to_english = one(rng, "Now in Korean.", "이제 한국어로."), one(rng, "Now in English.", "이제 영어로.")
    turns: tuple[Turn, ...] = rng.choice(
        (
            ((f"Say: {english}", english), (to_korean, korean)),
            ((f"말해 보세요: {korean}", korean), (to_english, english)),
            ((f"Say: {english}", english), (capitals, english.upper())),
            ((f"A line with {commas}.", commas), ("Now a bullet list.", bullets)),
            (
                (f"Put down {names[0]} and {names[1]}.", f"{names[0]}, {names[1]}"),
                (f"Put down {names[2]} as well. Read it all.", commas),
            ),
            (
                (f"Put down {commas}.", commas),
                (f"Strike {names[1]}. What is left?", f"{names[0]}, {names[2]}"),
            ),
            ((f"Colours: {names[0]} red, {names[1]} blue.", "All right."), (f"The {names[1]}?", "blue")),
        )
    )
    return Dialogue(turns)


def memory(rng: random.Random) -> Dialogue:
    return (_recall if rng.random() < 0.6 else _change)(rng)


FAMILY: Callable[[random.Random], Dialogue] = memory
