"""Plain text of made-up words, so that every token is met and what was said can be said again.

The five tasks use few words: more than half of the vocabulary never came up while `nano` learnt them. None of this
is an instruction or an answer to one; that is left to tuning.
"""

from __future__ import annotations

import random

from tools.nano.corpus import END, document
from tools.nano.instructions.dialogue import THINGS, english_name, korean_name, made_up, number
from tools.nano.instructions.translation import pair
from tools.nano.prose import particle
from tools.nano.render import Span

__all__ = ["wider"]

_SHARE = 0.5
"""Of documents. The others are what `nano` began with."""
_MARKS = (" / ", ", ", "; ", "\n", ": ", " | ", " - ", ' "', "(", " = ")
_FINALS = (0, 0, 0, 1, 4, 8, 16, 17, 19, 20, 21)
"""Common last consonants of a syllable."""


def _syllable(rng: random.Random) -> str:
    return chr(0xAC00 + rng.randrange(19) * 588 + rng.randrange(21) * 28 + rng.choice(_FINALS))


def _word(rng: random.Random) -> str:
    kind = rng.randrange(6)
    if kind == 0:
        return "".join(_syllable(rng) for _ in range(rng.randint(1, 4)))
    if kind == 1:
        return str(number(rng))
    if kind == 2:
        return rng.choice(THINGS)[rng.randrange(2)]
    if kind == 3:
        return korean_name(rng)
    word = made_up(rng, rng.randint(1, 3))
    return rng.choice((word, word.capitalize(), word.upper()))


def _again(rng: random.Random) -> list[Span]:
    """Some words, and then the same words: all of them, some, or the one after a word."""
    words = [_word(rng) for _ in range(rng.randint(2, 8))]
    mark, other = rng.choice(_MARKS), rng.choice(_MARKS)
    spans: list[Span] = [(mark.join(words), 0.0)]
    for _ in range(rng.randint(1, 3)):
        kind = rng.randrange(3)
        if kind == 0:
            spans.append(("\n" + other.join(words), 1.0))
        elif kind == 1:
            start = rng.randrange(len(words))
            spans += [(f"\n{words[start]}", 0.0), (other + other.join([*words[start + 1 :], "."]), 1.0)]
        else:
            spans.append(("\n" + other.join(rng.sample(words, min(3, len(words)))), 0.5))
    return spans


def _people(rng: random.Random) -> str:
    who, town, thing = english_name(rng), made_up(rng).capitalize(), rng.choice(THINGS)
    return (
        f"{who} lives in {town} and has {number(rng)} {thing[0]}s. One day {who} left {town}. "
        f"The {thing[0]}s stayed in {town}. Where is {who}? {who} is not in {town}."
    )


def _korean_people(rng: random.Random) -> str:
    who, town, thing = korean_name(rng), korean_name(rng)[1:] + "시", rng.choice(THINGS)[1]
    return (
        f"{who} 씨는 {town}에 살고 {particle(thing, '을', '를')} {number(rng)}개 가지고 있습니다. 어느 날 {who} 씨는 "
        f"{particle(town, '을', '를')} 떠났습니다. {particle(thing, '은', '는')} {town}에 남았습니다."
    )


def _pairs(rng: random.Random) -> str:
    lines = [pair(rng) for _ in range(rng.randint(1, 4))]
    return "\n".join(
        f"{english} = {korean}" if rng.random() < 0.5 else f"{korean} = {english}" for english, korean in lines
    )


def wider(rng: random.Random) -> list[Span]:
    """A document of the second stage."""
    if rng.random() >= _SHARE:
        return document(rng)
    kind = rng.randrange(10)
    if kind < 5:
        return [*_again(rng), (END, 1.0)]
    text = (_people, _korean_people, _pairs)[kind % 3](rng)
    return [(text, 1.0), (END, 1.0)]
