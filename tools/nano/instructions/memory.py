"""Several turns, of which a later one leans on an earlier one."""

from __future__ import annotations

import json
import random
from collections.abc import Callable

from tools.nano.instructions import translation
from tools.nano.instructions.dialogue import (
    Dialogue,
    Turn,
    english_name,
    korean_name,
    made_up,
    noun,
    nouns,
    number,
    one,
    particle,
    plural,
)

__all__ = ["FAMILY"]


_ALONE = ("Just that.", "One word.", "Nothing else.", "No sentence, please.", "Only what I asked for.")
_KOREAN_ALONE = ("그것만 답하세요.", "낱말 하나로.", "다른 말 없이요.", "문장은 쓰지 마세요.")


def _alone(rng: random.Random) -> Dialogue:
    """As `_recall`, but the answer is the thing that was told and no sentence. It may have changed meanwhile."""
    korean = rng.random() < 0.5
    n, later = number(rng), number(rng)
    (thing, korean_thing), (other, korean_other) = nouns(rng, 2)
    if korean:
        who, called = korean_name(rng), korean_name(rng)[1:]
        town = korean_name(rng)[1:] + one(rng, "시", "", "읍")
        told, asked, answer, changed = rng.choice(
            (
                (f"나는 {who}, {town}에서 왔어요.", "제가 온 곳은?", town, ""),
                (f"나는 {who}, {town}에서 왔어요.", "제 이름은?", who, ""),
                (
                    f"{korean_thing} 이름은 {called}, {korean_other} 이름은 {who}예요.",
                    f"{korean_other} 이름은?",
                    who,
                    "",
                ),
                (
                    f"{korean_thing} 이름은 {called}, {korean_other} 이름은 {who}예요.",
                    f"{korean_thing} 이름은?",
                    called,
                    "",
                ),
                (
                    f"{korean_thing} 값은 {n}원입니다.",
                    f"{korean_thing} 값이 얼마지요?",
                    f"{later}",
                    f"아니, {later}원으로 올랐어요.",
                ),
                (f"비밀 숫자는 {n}, 잊지 마세요.", "비밀 숫자는?", f"{n}", ""),
                (f"{korean_thing} {n}개를 샀어요.", f"{particle(korean_thing, '은', '는')} 몇 개?", f"{n}", ""),
            )
        )
        rule, first = one(rng, *_KOREAN_ALONE), one(rng, "네.", "알겠습니다.", "네, 기억하겠습니다.")
    else:
        who, called, town = english_name(rng), english_name(rng), made_up(rng).capitalize()
        told, asked, answer, changed = rng.choice(
            (
                (f"I am {who} from {town}.", "Where am I from?", town, ""),
                (f"I am {who} from {town}.", "And my name?", who, ""),
                (f"The {thing} is {called} and the {other} is {who}.", f"How is the {other} called?", who, ""),
                (f"The {thing} is {called} and the {other} is {who}.", f"How is the {thing} called?", called, ""),
                (f"The {thing} costs {n}.", f"Price of the {thing}?", f"{later}", f"Sorry, it costs {later}."),
                (f"My lucky number is {n}, do not forget it.", "My lucky number?", f"{n}", ""),
                (f"I bought {n} {plural(thing)}.", f"How many {plural(thing)}?", f"{n}", ""),
            )
        )
        rule, first = one(rng, *_ALONE), one(rng, "OK.", "All right.", "Noted, thank you.")
    turns: list[Turn] = [(told, first)]
    if changed:
        turns.append((changed, first))
    return Dialogue((*turns, (one(rng, f"{asked} {rule}", f"{rule} {asked}"), answer)))


def _recall(rng: random.Random) -> Dialogue:
    """Told, perhaps something between, asked."""
    korean = rng.random() < 0.5
    thing = noun(rng)
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
    things = nouns(rng, 3)
    names, hangul = [thing[0] for thing in things], [thing[1] for thing in things]
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
            ((f"A line with {commas}.", commas), ("The same as a JSON array.", json.dumps(names))),
            (
                (f"{names[0]}, {names[1]}", "OK."),
                (f"With {names[2]} after them, as JSON.", json.dumps(names)),
            ),
            (
                (f"{hangul[0]}, {hangul[1]}", "네."),
                (f"{hangul[2]}도 넣어서 JSON 배열로.", json.dumps(hangul, ensure_ascii=False)),
            ),
            ((f"Say: {names[0]}", names[0]), (capitals, names[0].upper())),
            ((f"Colours: {names[0]} red, {names[1]} blue.", "All right."), (f"The {names[1]}?", "blue")),
        )
    )
    return Dialogue(turns)


def memory(rng: random.Random) -> Dialogue:
    return rng.choice((_recall, _alone, _alone, _change))(rng)


FAMILY: Callable[[random.Random], Dialogue] = memory
