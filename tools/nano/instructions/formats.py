"""Answers whose form is what was asked for: one of some letters, one word, a number, so many lines."""

from __future__ import annotations

import random
from collections.abc import Callable

from tools.nano.facts import RELATIONS
from tools.nano.instructions.dialogue import (
    Dialogue,
    ask,
    english_name,
    korean_name,
    listed,
    made_up,
    noun,
    nouns,
    number,
    one,
)
from tools.nano.prose import particle

__all__ = ["FAMILY"]

_LETTERS = (("A", "B", "C"), ("A", "B", "C", "D"), ("A", "B"), ("X", "Y", "Z"), ("1", "2", "3"))
_COLOURS = (
    ("red", "빨강"),
    ("blue", "파랑"),
    ("green", "초록"),
    ("black", "검정"),
    ("white", "하양"),
    ("grey", "회색"),
)


def _korean(rng: random.Random) -> bool:
    return rng.random() < 0.45


def _choice(rng: random.Random) -> Dialogue:
    letters = list(rng.choice(_LETTERS))
    korean = _korean(rng)
    if rng.random() < 0.5:
        # The answer stands in the question, so that reading it is enough.
        things = [pair[korean] for pair in nouns(rng, len(letters))]
        at = rng.randrange(len(letters))
        question = f"{things[at]} 은(는) 어느 것입니까?" if korean else f"Which one is the {things[at]}?"
    else:
        relation = rng.choice(RELATIONS)
        entity, value = rng.choice(relation.pairs)
        wrong = rng.sample([other for other in relation.values if other != value], len(letters) - 1)
        things = [value, *wrong]
        rng.shuffle(things)
        at = things.index(value)
        question = rng.choice(relation.questions).format(entity)
        question = question[0].upper() + question[1:]
    mark, between = rng.choice(((") ", "\n"), (". ", "\n"), (": ", ", "), (") ", "  ")))
    options = between.join(f"{letter}{mark}{thing}" for letter, thing in zip(letters, things, strict=True))
    named = ", ".join(letters[:-1])
    if korean:
        rule = one(
            rng,
            f"{named}, {letters[-1]} 가운데 하나만 쓰세요.",
            "글자 하나로만 답하세요.",
            f"답은 {'/'.join(letters)} 중 하나, 설명 없이.",
        )
    else:
        rule = one(
            rng,
            f"Reply with just {named} or {letters[-1]}.",
            "One letter, nothing else." if letters[0] != "1" else "One digit, nothing else.",
            f"Say only {'/'.join(letters)}.",
            "Give the letter alone, without explaining." if letters[0] != "1" else "Give the number alone.",
        )
    return ask(one(rng, f"{question}\n{options}\n{rule}", f"{rule}\n{question}\n{options}"), letters[at])


def _yes_no(rng: random.Random) -> Dialogue:
    a, b = number(rng), number(rng)
    colour, other = rng.sample(_COLOURS, 2)
    thing = noun(rng)
    if _korean(rng):
        true = rng.random() < 0.5
        question, answer = rng.choice(
            (
                (f"{a}은 {b}보다 큽니까?", a > b),
                (f"{thing[1]}의 색은 {colour[1]}입니다. 그 색이 {(colour if true else other)[1]}입니까?", true),
            )
        )
        return ask(
            one(rng, f"{question} '예' 또는 '아니요'로만 답하세요.", f"예/아니요만 쓰세요. {question}"),
            "예" if answer else "아니요",
        )
    true = rng.random() < 0.5
    question, answer = rng.choice(
        (
            (f"Is {a} more than {b}?", a > b),
            (f"The {thing[0]} is {colour[0]}. Is it {(colour if true else other)[0]}?", true),
        )
    )
    yes, no = rng.choice((("yes", "no"), ("Yes", "No"), ("YES", "NO"), ("true", "false"), ("TRUE", "FALSE")))
    return ask(
        one(
            rng,
            f"{question} Just {yes} or {no}.",
            f"{question} Say {yes} or {no}, no more.",
            f"({yes}/{no}) {question}",
        ),
        yes if answer else no,
    )


def _number(rng: random.Random) -> Dialogue:
    a, b = rng.randint(1, rng.choice((9, 20, 60))), rng.randint(1, 20)
    thing = noun(rng)
    n = number(rng)
    if _korean(rng):
        question, answer = rng.choice(
            (
                (f"{a} 더하기 {b}는?", a + b),
                (f"상자에 {particle(thing[1], '이', '가')} {n}개 있습니다. 몇 개입니까?", n),
                (f"{max(a, b)} 빼기 {min(a, b)}는?", max(a, b) - min(a, b)),
            )
        )
        return ask(
            one(
                rng,
                f"{question} 숫자만 쓰세요.",
                f"숫자 하나로 답하세요. {question}",
                f"{question} 단위 없이 숫자로만.",
            ),
            str(answer),
        )
    question, answer = rng.choice(
        (
            (f"{a} plus {b}?", a + b),
            (f"There are {n} {thing[0]}s in the box. How many?", n),
            (f"{max(a, b)} minus {min(a, b)}?", max(a, b) - min(a, b)),
        )
    )
    return ask(
        one(rng, f"{question} Just the number.", f"Digits only: {question}", f"{question} No words, a number."),
        str(answer),
    )


def _one_word(rng: random.Random) -> Dialogue:
    colour, thing = rng.choice(_COLOURS), noun(rng)
    if _korean(rng):
        who = korean_name(rng)
        question, answer = rng.choice(
            (
                (f"{who} 씨의 {particle(thing[1], '은', '는')} {colour[1]}입니다. 무슨 색입니까?", colour[1]),
                (f"{who} 씨가 {particle(thing[1], '을', '를')} 샀습니다. 무엇을 샀습니까?", thing[1]),
                (f"{who} 씨가 {particle(thing[1], '을', '를')} 샀습니다. 누가 샀습니까?", who),
            )
        )
        return ask(one(rng, f"{question} 낱말 하나만.", f"단어 하나로 답하세요. {question}"), answer)
    who, place = english_name(rng), made_up(rng).capitalize()
    relation = rng.choice(RELATIONS)
    entity, value = rng.choice(relation.pairs)
    fact = rng.choice(relation.questions).format(entity)
    question, answer = rng.choice(
        (
            (f"{who} has a {colour[0]} {thing[0]}. Which colour?", colour[0]),
            (f"{who} lives in {place}. Where?", place),
            (f"{who} bought a {thing[0]} in {place}. Who bought it?", who),
            (fact[0].upper() + fact[1:], value),
        )
    )
    if " " in answer:
        answer = who
        question = f"{who} lives in {place}. Who?"
    return ask(
        one(rng, f"{question} A single word.", f"{question} Use one word and no more.", f"In one word: {question}"),
        answer,
    )


_NUMERALS = (("two", "두", "둘"), ("three", "세", "셋"), ("four", "네", "넷"), ("five", "다섯", "다섯"))


def _lines(rng: random.Random) -> Dialogue:
    korean = _korean(rng)
    n = rng.randint(2, 5)
    items = [pair[korean] for pair in nouns(rng, n)]
    mark = rng.choice(("- ", "- ", "* ", "1"))
    lines = "\n".join(f"{i + 1}. {item}" if mark == "1" else f"{mark}{item}" for i, item in enumerate(items))
    comma = ", ".join(items)
    said = _NUMERALS[n - 2][1 if korean else 0] if rng.random() < 0.5 else str(n)
    which = rng.randrange(3)
    if which == 0:
        return ask(
            comma + ("\n쉼표 없이 한 줄에 하나씩 쓰세요." if korean else "\nOne on each line, no commas."),
            "\n".join(items),
        )
    if korean:
        kind = "번호 목록" if mark == "1" else f"'{mark.strip()}' 목록"
        given = (
            f"{comma}\n이것을 {kind}으로 쓰세요."
            if which == 1
            else f"집에 있는 물건 {said} 가지를 {kind}으로만 쓰세요."
        )
        return ask(given, lines)
    kind = "numbered list" if mark == "1" else f"list with '{mark.strip()}' before each item"
    bullet = kind if mark == "1" else rng.choice(("bullet list", kind)) if mark == "- " else kind
    given = one(rng, f"{listed(items)}\nAs a {bullet}.", f"Turn into a {bullet}: {comma}")
    if which == 2:
        given = one(
            rng, f"Name {said} things in a house as a {bullet}.", f"A {bullet} of {said} objects, nothing else."
        )
    return ask(given, lines)


def _letters(rng: random.Random) -> Dialogue:
    """Capitals, quotes, brackets, a first or a last phrase, a word left out."""
    thing = noun(rng)
    if _korean(rng):
        who, phrase = (
            korean_name(rng),
            one(rng, "이상입니다.", "감사합니다.", "끝.", f"{korean_name(rng)[1:]}!", "네,", "답:"),
        )
        sentence = f"{who} 씨는 {particle(thing[1], '을', '를')} 좋아합니다."
        if rng.random() < 0.5:
            return ask(
                one(
                    rng,
                    f"{sentence} 이 문장을 쓰고 '{phrase}'로 끝내세요.",
                    f"마지막에 '{phrase}'를 붙이세요: {sentence}",
                ),
                f"{sentence} {phrase}",
            )
        return ask(
            one(
                rng,
                f"'{phrase}'로 시작해서 이 문장을 쓰세요: {sentence}",
                f"먼저 '{phrase}'를 쓰고 다음 문장을 쓰세요. {sentence}",
            ),
            f"{phrase} {sentence}",
        )
    who = english_name(rng)
    sentence = f"{who} likes the {rng.choice(_COLOURS)[0]} {thing[0]}."
    phrase = one(
        rng, made_up(rng).capitalize() + "!", "Well,", "That is all.", f"Over and {made_up(rng)}.", "Done.", "Answer:"
    )
    first = one(rng, f"Start with '{phrase}' and go on: {sentence}", f'First write "{phrase}", then: {sentence}')
    last = one(rng, f"{sentence} Repeat that and finish with '{phrase}'", f'Add "{phrase}" at the end: {sentence}')
    asked, answer = rng.choice(
        (
            (one(rng, f"In capitals: {sentence}", f"All in capital letters, please: {sentence}"), sentence.upper()),
            (one(rng, f"No capitals: {sentence}", f"Small letters only: {sentence}"), sentence.lower()),
            (f"In double quotes: {sentence}", f'"{sentence}"'),
            (f"In square brackets: {sentence}", f"[{sentence}]"),
            (first, f"{phrase} {sentence}"),
            (last, f"{sentence} {phrase}"),
        )
    )
    return ask(asked, answer)


_IS = (("big", "큽니다"), ("small", "작습니다"), ("new", "새것입니다"), ("old", "낡았습니다"),
       ("warm", "따뜻합니다"), ("quiet", "조용합니다"), ("beautiful", "아름답습니다"))  # fmt: skip


def _own_words(rng: random.Random) -> Dialogue:
    """A sentence about something, with a rule for it."""
    (thing, korean_thing), (adjective, korean_adjective) = noun(rng), rng.choice(_IS)
    said, korean_said = f"The {thing} is {adjective}", f"{particle(korean_thing, '은', '는')} {korean_adjective}"
    where = one(rng, "here", "at home", "in the morning", "today", "for all of us", "in the end")
    if _korean(rng):
        ask_for = one(
            rng, f"{korean_thing} 이야기를 한 문장", f"{korean_thing}에 관해 한마디", f"{korean_thing} 문장 하나"
        )
        asked, answer = rng.choice(
            (
                (f"{ask_for}, 끝에는 느낌표를 붙여 주세요.", f"{korean_said.removesuffix('.')}!"),
                (
                    f"{ask_for} 하되 '{korean_adjective[:1]}'자로 끝내지 마세요.",
                    f"{particle(korean_thing, '을', '를')} 봅니다.",
                ),
                (f"{ask_for} 해 주세요. 첫 낱말은 '{korean_thing}'입니다.", f"{korean_thing} 하나를 보았습니다."),
                (f"{ask_for} 해 주세요. 짧게요.", f"{korean_said}."),
            )
        )
        return ask(asked, answer)
    ask_for = one(rng, f"Say something about the {thing}", f"One sentence on the {thing}", f"A sentence with {thing}")
    words = f"{said} {where}".split()
    asked, answer = rng.choice(
        (
            (f"{ask_for}. It should end in '!'.", f"{said} {where}!"),
            (f"{ask_for}. Finish with a question mark.", f"Is the {thing} {adjective}?"),
            (f"{ask_for}, with {len(words)} words.", f"{' '.join(words)}."),
            (f"{ask_for}, but leave out the word 'is'.", f"I like the {thing} {where}."),
            (f"{ask_for}, but leave out the word 'the'.", f"A {thing} can be {adjective}."),
            (
                f"{ask_for}. The first word is '{adjective.capitalize()}'.",
                f"{adjective.capitalize()} {thing}, well done.",
            ),
        )
    )
    return ask(asked, answer)


def form(rng: random.Random) -> Dialogue:
    kinds = (_choice, _yes_no, _number, _one_word, _lines, _letters, _own_words)
    return rng.choices(kinds, (3, 2, 2, 3, 3, 3, 2))[0](rng)


FAMILY: Callable[[random.Random], Dialogue] = form
