"""The forms in which replies give a score, the most reliable form first. Each looks at the judge's own words only."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from evalkit.judging.reply_patterns import (
    BARE,
    BETWEEN,
    BRACKETED,
    COMPARED,
    CONDITIONAL,
    CONTRAST,
    ENDS_CLAUSE,
    FIRST_LINE,
    GIVEN,
    IS_A,
    KEY,
    KEYED,
    KOREAN,
    KOREAN_NAMED,
    KOREAN_STARS,
    LABELLED,
    LONGEST_SENTENCE,
    NEGATED,
    OUT_OF_TEXT,
    RESPECT,
    STARS,
    YES,
    YES_FIRST,
    YES_KEYED,
)
from evalkit.judging.reply_reading import Reading, reading_of, same_name
from evalkit.judging.reply_tables import table_cells
from evalkit.judging.scale import Scale

__all__ = ["WAYS"]


def _bare(text: str, scale: Scale, dimension: str | None) -> Iterator[Reading]:
    """The reply is the score and nothing else: `4`, `Score: 4`, `Coherence 4`, stars, yes or no."""
    start = len(text) - len(text.lstrip(" \n*_#-"))
    if dimension and _starts_with(text, start, dimension):
        start += len(dimension)
    if match := BARE.fullmatch(text, start) or LABELLED.fullmatch(text):
        yield reading_of(match, text, scale)
    elif scale.numeric and (stars := STARS.fullmatch(text)):
        full, empty = len(re.findall("[★⭐]", stars.group("full"))), len(stars.group("empty"))
        whole = not empty or full + empty == scale.high
        yield (
            Reading(float(full), start=stars.start("full"))
            if whole and full in scale
            else Reading(None, "another scale")
        )
    elif _yes_or_no(scale) and (answer := YES.fullmatch(text)):
        yield Reading(float(answer.group("yes") is not None), start=answer.start())


def _keyed(text: str, scale: Scale, dimension: str | None) -> Iterator[Reading]:
    """`Score: 4`. A line with the dimension's name counts before one with `score`; of several, the last one counts."""
    own: list[tuple[int, Reading]] = []
    general = [(match.start("n"), reading_of(match, text, scale)) for match in BRACKETED.finditer(text)]
    for name, match in _named(text):
        placed = match.start("n"), reading_of(match, text, scale)
        if dimension and name and same_name(dimension, name):
            own.append(placed)
        elif re.search(rf"(?:^|\s){KEY}$", name) and not NEGATED.search(name):
            general.append(placed)
    if own or general:
        yield max(own or general, key=lambda placed: placed[0])[1]


def _other_keys(text: str, scale: Scale, dimension: str | None) -> Iterator[Reading]:
    """`Engagingness: 2`, under any name. Several such names are ambiguous."""
    others: dict[str, Reading] = {}
    for name, match in _named(text):
        listed = match.re is not KEYED or _begins_an_entry(text, match.start())
        counted = match.re is KEYED and not ENDS_CLAUSE.match(text, match.end())
        if len(name) > 1 and len(name.split()) <= 3 and listed and not counted:
            others[name] = reading_of(match, text, scale)
    if len(others) > 1:
        yield Reading(None, "ambiguous")
    yield from others.values()


def _starts_with(text: str, place: int, name: str) -> bool:
    return text[place : place + 2 * len(name)].casefold().startswith(name.casefold())


def _begins_an_entry(text: str, place: int) -> bool:
    """Whether a name at this place begins its line or follows a comma, as in a list, and is no part of a sentence."""
    while place > 0 and text[place - 1] != "\n" and (text[place - 1].isspace() or text[place - 1] in "*_`#-•"):
        place -= 1
    return place == 0 or text[place - 1] in "\n,;"


def _named(text: str) -> Iterator[tuple[str, re.Match[str]]]:
    """Each name with the number after it, on lines and in table cells."""
    for line in re.finditer(r"[^\n]+", text):
        for match in KEYED.finditer(text, line.start(), line.end()):
            yield " ".join(re.sub(r"[*_`#\-\"']", " ", match.group("key")).casefold().split()), match
    yield from table_cells(text)


def _own_line(text: str, scale: Scale, dimension: str | None) -> Iterator[Reading]:
    """A number alone on the first or the last line."""
    lines = [line for line in re.finditer(r"[^\n]+", text) if line.group().strip()]
    for line in (lines[0], lines[-1]) if lines else ():
        if match := BARE.fullmatch(text, line.start(), line.end()):
            yield reading_of(match, text, scale)


def _leading(text: str, scale: Scale, dimension: str | None) -> Iterator[Reading]:
    """A number at the start of the reply with words after it, unless it numbers a list."""
    match = FIRST_LINE.match(text)
    listed = match and match.group("end").startswith(".") and re.search(r"\n\s*\d+[.)]\s|\.\s+\d+\W*$", text)
    if match and not listed:
        yield reading_of(match, text, scale)


def _stated(text: str, scale: Scale, dimension: str | None) -> Iterator[Reading]:
    """A number in a sentence: `I give it 4`, `4 out of 5`, `it is a 4`. One about this dimension counts first."""
    readings: dict[int, tuple[bool, Reading]] = {}
    for pattern in (OUT_OF_TEXT, KOREAN, KOREAN_STARS, KOREAN_NAMED, GIVEN, IS_A, CONTRAST):
        for match in pattern.finditer(text):
            place = match.start("n")
            between = match.groupdict().get("between") or ""
            if place in readings or _unreal(text, match.start()) or NEGATED.search(between) or COMPARED.search(between):
                continue
            if pattern is CONTRAST and not readings:
                continue  # there is no score before it to contrast with
            if COMPARED.search(text[max(0, place - 15) : place]):
                continue
            respect = RESPECT.match(text, match.end())
            own = bool(dimension and respect and _starts_with(text, respect.end(), dimension))
            if BETWEEN.search(between):
                yield Reading(None, "ambiguous")
                return
            readings[place] = own, reading_of(match, text, scale)
    own_readings = [reading for own, reading in readings.values() if own]
    yield from own_readings or [reading for _, reading in readings.values()]


def _unreal(text: str, end: int) -> bool:
    """Whether the words before this place negate their clause, or make their sentence a condition."""
    sentence = re.split(r"[.!?\n]\s", text[max(0, end - LONGEST_SENTENCE) : end])[-1]
    clause = re.split(
        r";|\b(?:but|however|therefore|hence|thus)\b|,\s+(?=(?:i|it|my|so|this|the|overall)\b)", sentence, flags=re.I
    )[-1]
    return CONDITIONAL.search(sentence) is not None or NEGATED.search(clause) is not None


def _agreeing(text: str, scale: Scale, dimension: str | None) -> Iterator[Reading]:
    """Yes or no at the start, or after a key as in `Verdict: yes`."""
    if not _yes_or_no(scale):
        return
    match = next(reversed(list(YES_KEYED.finditer(text))), None) or YES_FIRST.match(text)
    if match:
        yield Reading(float(match.group("yes") is not None), start=match.start("n"))


def _yes_or_no(scale: Scale) -> bool:
    return scale.numeric and scale.describe() == [0.0, 1.0]


WAYS: tuple[Callable[[str, Scale, str | None], Iterator[Reading]], ...] = (
    _bare,
    _keyed,
    _own_line,
    _leading,
    _other_keys,
    _stated,
    _agreeing,
)
