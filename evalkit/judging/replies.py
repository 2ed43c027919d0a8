"""The score in a judge's reply, as a careful reader would find it; or why there is none."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from evalkit.judging.json_replies import NOTHING, find_score
from evalkit.judging.reply_patterns import (
    ASSIGN,
    BARE,
    BETWEEN,
    DIGITS,
    FIRST_LINE,
    GIVEN,
    IS_A,
    KEY,
    KEYED,
    KOREAN,
    LONG_RUN,
    NAMED_SCALE,
    NEGATED,
    NUMBER,
    OUT_OF_TEXT,
    RANGE_NEXT,
    REFUSAL,
    STARS,
    THINK,
    WORDS,
    YES,
)
from evalkit.judging.scale import Scale

__all__ = ["Reading", "read_reply"]

_KEPT = 25
"""Characters at either end of a long run that stay."""
_LONG = 1500


@dataclass(frozen=True, slots=True)
class Reading:
    """A score and where it stood, or the reason why there is none: never a made-up number."""

    value: float | None
    reason: str | None = None
    start: int = -1
    """Offset of the label in the reply, so that its token can be found."""

    @property
    def missing(self) -> bool:
        return self.value is None


def read_reply(text: str, scale: Scale, dimension: str | None = None) -> Reading:
    """Only what the judge itself says last counts: not what it quotes, not what stands in a fenced block."""
    short, places = _shortened(text)
    reading = _read(short, scale, dimension)
    return reading if places is None or reading.start < 0 else replace(reading, start=places[reading.start])


def _read(text: str, scale: Scale, dimension: str | None) -> Reading:
    own = _without_reasoning(text)
    if own is None:
        return Reading(None, "unfinished")
    if not own.strip():
        return Reading(None, "empty")
    plain = own.translate(DIGITS)
    as_json = _from_json(plain, scale, dimension)
    if as_json is not None:
        return as_json
    named = _named_label(plain, scale)
    if named is not None:
        return named
    said = _without_quotations(plain)
    tops, said = _without_scale(said, scale)
    if any(top != scale.high for top in tops):
        return Reading(None, "another scale")
    for find in (_bare, _keyed, _own_line, _leading, _stated):
        readings = list(find(said, scale, dimension))
        if readings:
            return _agreed(readings)
    return Reading(None, "refusal" if REFUSAL.search(own) else "unparsed")


# ── what may be read ─────────────────────────────────────────────────────────


def _blank(found: re.Match[str]) -> str:
    return re.sub(r"[^\n]", " ", found.group())


def _shortened(text: str) -> tuple[str, list[int] | None]:
    """A judge that loops writes the same thousands of times, in which patterns would search for minutes.

    With the offsets that the characters had, where any were left out.
    """
    if len(text) < _LONG:
        return text, None
    kept: list[int] = []
    end = 0
    for run in LONG_RUN.finditer(text):
        kept += range(end, run.start() + _KEPT)
        end = run.end() - _KEPT
    if not end:
        return text, None
    kept += range(end, len(text))
    return "".join(text[place] for place in kept), kept


def _without_reasoning(text: str) -> str | None:
    """Offsets stay: what is left out becomes spaces. None where a trace never ends."""
    opened: int | None = None
    spans: list[tuple[int, int]] = []
    for tag in THINK.finditer(text):
        if not tag.group().startswith("</"):
            opened = tag.start() if opened is None else opened
        else:
            # Some templates open the trace in the prompt: then its end comes without a start.
            spans.append((0 if opened is None else opened, tag.end()))
            opened = None
    if opened is not None:
        return None
    for start, end in spans:
        text = text[:start] + re.sub(r"[^\n]", " ", text[start:end]) + text[end:]
    return text


def _without_quotations(text: str) -> str:
    whole = text.strip()
    fenced = re.fullmatch(r"```\w*\s*([^`]*?)\s*```", whole)
    if fenced:
        start = text.index(fenced.group(1), text.index("```") + 3)
        return " " * start + fenced.group(1)
    text = re.sub(r"```.*?(?:```|\Z)", _blank, text, flags=re.DOTALL)
    text = re.sub(r"(?m)^\s*>.*$", _blank, text)
    # A quotation of one short word is emphasis ("4"), a longer one is somebody else's words.
    return re.sub(r"[\"“][^\"”\n]{4,}[\"”]", _blank, text)


def _without_scale(text: str, scale: Scale) -> tuple[list[float], str]:
    """`on a scale of 1 to 5` and `(1-5)` are no scores. With the tops that they name."""
    tops: list[float] = []
    for pattern in NAMED_SCALE:
        named = re.compile(pattern.format(low=scale.low), re.IGNORECASE)
        tops += [float(found.group("top")) for found in named.finditer(text)]
        text = named.sub(_blank, text)
    return tops, text


# ── ways of saying it, the surest first ──────────────────────────────────────


def _bare(text: str, scale: Scale, dimension: str | None) -> Iterator[Reading]:
    if found := BARE.fullmatch(text):
        yield _reading(found, text, scale)
    elif scale.numeric and (stars := STARS.fullmatch(text)):
        full, empty = len(re.findall("[★⭐]", stars.group("full"))), len(stars.group("empty"))
        whole = not empty or full + empty == scale.high
        yield (
            Reading(float(full), start=stars.start("full"))
            if whole and full in scale
            else Reading(None, "another scale")
        )
    elif scale.numeric and scale.describe() == [0.0, 1.0] and (answer := YES.fullmatch(text)):
        yield Reading(float(answer.group("yes") is not None), start=answer.start())


def _keyed(text: str, scale: Scale, dimension: str | None) -> Iterator[Reading]:
    """`Score: 4`. A line that names the dimension beats one that names a score, and the last of equals counts."""
    own: list[Reading] = []
    general: list[Reading] = []
    others: dict[str, Reading] = {}
    for line in re.finditer(r"[^\n]+", text):
        for found in KEYED.finditer(text, line.start(), line.end()):
            key = " ".join(re.sub(r"[*_`#\-\"']", " ", found.group("key")).casefold().split())
            reading = _reading(found, text, scale)
            if dimension and key and _same_name(dimension, key):
                own.append(reading)
            elif re.search(rf"(?:^|\s){KEY}$", key) and not NEGATED.search(key):
                general.append(reading)
            elif key and len(key.split()) <= 3 and re.match(r"[\s*_`#\-•]*$", text[line.start() : found.start("key")]):
                others[key] = reading
    if own or general:
        yield (own or general)[-1]
    elif len(others) == 1:
        yield from others.values()
    elif others:
        yield Reading(None, "ambiguous")


def _own_line(text: str, scale: Scale, dimension: str | None) -> Iterator[Reading]:
    """A number that has the first or the last line for itself. Two that differ say nothing."""
    lines = [line for line in re.finditer(r"[^\n]+", text) if line.group().strip()]
    for line in (lines[0], lines[-1]) if lines else ():
        if found := BARE.fullmatch(text, line.start(), line.end()):
            yield _reading(found, text, scale)


def _leading(text: str, scale: Scale, dimension: str | None) -> Iterator[Reading]:
    """A number that opens the reply, with words after it; not the first item of a list."""
    found = FIRST_LINE.match(text)
    listed = found and found.group("end").startswith(".") and re.search(r"\n\s*\d+[.)]\s|\.\s+\d+\W*$", text)
    if found and not listed:
        yield _reading(found, text, scale)


def _stated(text: str, scale: Scale, dimension: str | None) -> Iterator[Reading]:
    """In a sentence: given, out of a top, is a. Several that disagree say nothing."""
    taken: set[int] = set()
    for pattern in (OUT_OF_TEXT, KOREAN, GIVEN, IS_A):
        for found in pattern.finditer(text):
            sentence = re.split(r"[.!?\n]\s", text[: found.start()])[-1]
            between = found.groupdict().get("between") or ""
            if found.start("n") in taken or NEGATED.search(sentence) or NEGATED.search(between):
                continue
            if BETWEEN.search(between):
                yield Reading(None, "ambiguous")
                continue
            taken.add(found.start("n"))
            yield _reading(found, text, scale)


def _agreed(readings: list[Reading]) -> Reading:
    if len({(reading.value, reading.reason) for reading in readings}) == 1:
        return readings[-1]
    return Reading(None, "ambiguous")


def _reading(found: re.Match[str], text: str, scale: Scale) -> Reading:
    number = found.group("n").lower()
    value = float(WORDS[number]) if number in WORDS else float(number)
    top = found.groupdict().get("top")
    if top is not None and float(WORDS.get(top.lower(), top)) != scale.high:
        return Reading(None, "another scale")
    if top is None and RANGE_NEXT.match(text, found.end("n")):
        return Reading(None, "ambiguous")
    if scale.numeric:
        return Reading(value, start=found.start("n")) if value in scale else Reading(None, "off the scale")
    named = scale.value_of(number)
    return Reading(None, "off the scale") if named is None else Reading(named, start=found.start("n"))


def _same_name(dimension: str, key: str) -> bool:
    name = " ".join(re.sub(r"[_\-]", " ", dimension).casefold().split())
    return key == name or re.sub(rf"\s*{KEY}$", "", key) == name


def _named_label(text: str, scale: Scale) -> Reading | None:
    """Labels that are words: the whole reply, or the last `Verdict: word`."""
    words = {label for label in scale if not re.fullmatch(NUMBER, label)}
    if not words:
        return None
    whole = text.strip(" \t\n*_`\"'[](){}<>.!")
    if whole in words or scale.value_of(whole) is not None:
        return Reading(scale.value_of(whole), start=text.index(whole))
    said = _without_quotations(text)
    choice = "|".join(sorted(map(re.escape, words), key=len, reverse=True))
    found = list(re.finditer(rf"{KEY}{ASSIGN}(?P<n>{choice})(?!\w)", said, re.IGNORECASE))
    if found:
        return Reading(scale.value_of(found[-1].group("n")), start=found[-1].start("n"))
    return None


def _from_json(text: str, scale: Scale, dimension: str | None) -> Reading | None:
    found = find_score(text, dimension)
    if found is None or found[0] is NOTHING:
        return None
    value, start = found
    if value is None:
        return Reading(None, "no score given")
    if isinstance(value, str):
        inner = read_reply(value, scale, dimension)
        return replace(inner, start=start + inner.start) if inner.value is not None and start >= 0 else inner
    if isinstance(value, bool) or not isinstance(value, int | float):
        return Reading(None, "unparsed")
    if scale.numeric:
        return Reading(float(value), start=start) if value in scale else Reading(None, "off the scale")
    worth = scale.value_of(f"{value:g}") if abs(value) < 1e15 else None
    return Reading(None, "off the scale") if worth is None else Reading(worth, start=start)
