"""Ways of saying a score, the surest first. Each finds what it finds in a text that is the judge's own."""

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
    start = len(text) - len(text.lstrip(" \n*_#-"))
    if dimension and _starts_with(text, start, dimension):
        start += len(dimension)  # Coherence 4
    if found := BARE.fullmatch(text, start) or LABELLED.fullmatch(text):
        yield reading_of(found, text, scale)
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
    """`Score: 4`. A line that names the dimension beats one that names a score, and the last of equals counts."""
    own: list[tuple[int, Reading]] = []
    general = [(found.start("n"), reading_of(found, text, scale)) for found in BRACKETED.finditer(text)]
    for name, found in _named(text):
        said = found.start("n"), reading_of(found, text, scale)
        if dimension and name and same_name(dimension, name):
            own.append(said)
        elif re.search(rf"(?:^|\s){KEY}$", name) and not NEGATED.search(name):
            general.append(said)
    if own or general:
        yield max(own or general, key=lambda said: said[0])[1]


def _other_keys(text: str, scale: Scale, dimension: str | None) -> Iterator[Reading]:
    """`Engagingness: 2`, whatever was asked for. Several such names, and nobody knows which is meant."""
    others: dict[str, Reading] = {}
    for name, found in _named(text):
        listed = found.re is not KEYED or _begins_an_entry(text, found.start())
        counted = found.re is KEYED and not ENDS_CLAUSE.match(text, found.end())
        if len(name) > 1 and len(name.split()) <= 3 and listed and not counted:
            others[name] = reading_of(found, text, scale)
    if len(others) > 1:
        yield Reading(None, "ambiguous")
    yield from others.values()


def _starts_with(text: str, place: int, name: str) -> bool:
    return text[place : place + 2 * len(name)].casefold().startswith(name.casefold())


def _begins_an_entry(text: str, place: int) -> bool:
    """Whether a name there begins its line, or follows a comma: an entry of a list and not a part of a sentence."""
    while place > 0 and text[place - 1] != "\n" and (text[place - 1].isspace() or text[place - 1] in "*_`#-•"):
        place -= 1
    return place == 0 or text[place - 1] in "\n,;"


def _named(text: str) -> Iterator[tuple[str, re.Match[str]]]:
    for line in re.finditer(r"[^\n]+", text):
        for found in KEYED.finditer(text, line.start(), line.end()):
            yield " ".join(re.sub(r"[*_`#\-\"']", " ", found.group("key")).casefold().split()), found
    yield from table_cells(text)


def _own_line(text: str, scale: Scale, dimension: str | None) -> Iterator[Reading]:
    """A number that has the first or the last line for itself. Two that differ say nothing."""
    lines = [line for line in re.finditer(r"[^\n]+", text) if line.group().strip()]
    for line in (lines[0], lines[-1]) if lines else ():
        if found := BARE.fullmatch(text, line.start(), line.end()):
            yield reading_of(found, text, scale)


def _leading(text: str, scale: Scale, dimension: str | None) -> Iterator[Reading]:
    """A number that opens the reply, with words after it; not the first item of a list."""
    found = FIRST_LINE.match(text)
    listed = found and found.group("end").startswith(".") and re.search(r"\n\s*\d+[.)]\s|\.\s+\d+\W*$", text)
    if found and not listed:
        yield reading_of(found, text, scale)


def _stated(text: str, scale: Scale, dimension: str | None) -> Iterator[Reading]:
    """In a sentence: given, out of a top, is a. Several that disagree say nothing, but for one of this dimension."""
    readings: dict[int, tuple[bool, Reading]] = {}
    for pattern in (OUT_OF_TEXT, KOREAN, KOREAN_STARS, KOREAN_NAMED, GIVEN, IS_A, CONTRAST):
        for found in pattern.finditer(text):
            place = found.start("n")
            between = found.groupdict().get("between") or ""
            if place in readings or _unreal(text, found.start()) or NEGATED.search(between) or COMPARED.search(between):
                continue
            if pattern is CONTRAST and not readings:
                continue  # it goes on from nothing
            if COMPARED.search(text[max(0, place - 15) : place]):
                continue
            respect = RESPECT.match(text, found.end())
            own = bool(dimension and respect and _starts_with(text, respect.end(), dimension))
            if BETWEEN.search(between):
                yield Reading(None, "ambiguous")
                return
            readings[place] = own, reading_of(found, text, scale)
    own_readings = [reading for own, reading in readings.values() if own]
    yield from own_readings or [reading for _, reading in readings.values()]


def _unreal(text: str, end: int) -> bool:
    """Whether what is said up to there is denied in its clause, or supposed in its sentence."""
    sentence = re.split(r"[.!?\n]\s", text[max(0, end - LONGEST_SENTENCE) : end])[-1]
    clause = re.split(
        r";|\b(?:but|however|therefore|hence|thus)\b|,\s+(?=(?:i|it|my|so|this|the|overall)\b)", sentence, flags=re.I
    )[-1]
    return CONDITIONAL.search(sentence) is not None or NEGATED.search(clause) is not None


def _agreeing(text: str, scale: Scale, dimension: str | None) -> Iterator[Reading]:
    """Yes or no with words after it, or under a key."""
    if not _yes_or_no(scale):
        return
    found = next(reversed(list(YES_KEYED.finditer(text))), None) or YES_FIRST.match(text)
    if found:
        yield Reading(float(found.group("yes") is not None), start=found.start("n"))


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
