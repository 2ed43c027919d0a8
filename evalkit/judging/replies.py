"""Reads the score in a judge's reply, or gives the reason why it can't be read.

reply_patterns.py   how scores are written      reply_reading.py    a number on the scale
reply_ways.py       the forms of a score
reply_labels.py     labels that are words       json_replies.py     objects
reply_tables.py     tables                      korean_numbers.py   numerals in words
"""

from __future__ import annotations

import re
from dataclasses import replace

from evalkit.judging.json_replies import JsonScore, find_score
from evalkit.judging.korean_numbers import points_in_digits
from evalkit.judging.reply_labels import named_label
from evalkit.judging.reply_patterns import (
    DENIED,
    DIGITS,
    LONG_RUN,
    NAMED_SCALE,
    REFUSAL,
    REVERSED,
    THINK,
)
from evalkit.judging.reply_reading import Reading, number_of
from evalkit.judging.reply_ways import WAYS
from evalkit.judging.scale import Scale

__all__ = ["Reading", "read_reply"]

_KEPT = 25
"""Characters at either end of a long run that stay."""
_LONG = 1500
"""Characters of a reply from which repetitions are shortened."""
_LONGEST = 1 << 20
"""Characters of a reply, with its reasoning and its repetitions. A longer one is not read."""
_LONGEST_OWN = 1 << 15
"""Characters of a reply without its reasoning: many times what an analysis takes."""
TOO_LONG = "reply too long"


def read_reply(text: str, scale: Scale, dimension: str | None = None) -> Reading:
    """Read the judge's own last verdict. Its reasoning, quotations and fenced blocks do not count."""
    if len(text) > _LONGEST:
        return Reading(None, TOO_LONG)
    own = _without_reasoning(text)
    if own is None:
        return Reading(None, "unfinished")
    if not own.strip():
        return Reading(None, "empty")
    short, places = _shortened(own)
    if len(short.strip()) > _LONGEST_OWN:
        return Reading(None, TOO_LONG)
    digits, moved = points_in_digits(short.translate(DIGITS))
    reading = _read(digits, scale, dimension)
    for origin in (moved, places):
        if origin is not None and reading.start >= 0:
            reading = replace(reading, start=origin[reading.start])
    return reading


def _read(own: str, scale: Scale, dimension: str | None) -> Reading:
    if scale.describe() == [0.0, 100.0]:
        own = own.replace("%", " ")
    entry = find_score(own, dimension)
    return _in_text(own, scale, dimension) if entry is None else _beside_json(entry, own, scale, dimension)


def _beside_json(entry: JsonScore, own: str, scale: Scale, dimension: str | None) -> Reading:
    """Weigh a score in a JSON object against scores in the text around it: the object may be a quotation."""
    before, after = own[: entry.start], own[entry.end :]
    later = _in_text(_spaces(own[: entry.end]) + re.sub(r"```", "   ", after), scale, dimension)
    if later.value is not None:
        return later
    as_json = _from_json(entry, scale, dimension)
    line, rest = before.rpartition("\n")[2], after.partition("\n")[0]
    fenced = "```" in before and after.lstrip().startswith("```")
    alone = not line.strip(" \t`[") and not rest.strip(" \t`],;.")
    if alone and not fenced:
        return as_json
    earlier = _in_text(re.sub(r"```\w*", _blank, before), scale, dimension)
    if earlier.value is None or earlier.value == as_json.value:
        return as_json
    return Reading(None, "ambiguous") if alone else earlier


def _in_text(own: str, scale: Scale, dimension: str | None) -> Reading:
    """The score in the judge's own words."""
    text = _without_quotations(own)
    named = named_label(own, text, scale)
    if named is not None:
        return named
    if any(re.search(pattern.format(low=scale.low, high=scale.high), text, re.I) for pattern in REVERSED):
        return Reading(None, "another scale")
    other, text = _without_scale(text, scale)
    if other:
        return Reading(None, "another scale")
    for pattern in DENIED:
        text = pattern.sub(_blank, text)
    for find in WAYS:
        readings = list(find(text, scale, dimension))
        if readings:
            return _agreed(readings)
    return Reading(None, "refusal" if REFUSAL.search(own) else "unparsed")


# ── the judge's own words ─────────────────────────────────────────────────────────


def _blank(match: re.Match[str]) -> str:
    return _spaces(match.group())


def _spaces(text: str) -> str:
    """Replace every character but line ends by a space, so that offsets stay."""
    return re.sub(r"[^\n]", " ", text)


def _shortened(text: str) -> tuple[str, list[int] | None]:
    """Shorten long repetitions, in which the patterns would search for minutes.

    Returned with the original offset of each character; None where nothing was left out.
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
    """Replace reasoning traces by spaces. None if a trace has no end."""
    opened: int | None = None
    spans: list[tuple[int, int]] = []
    for tag in THINK.finditer(text):
        if not tag.group().startswith("</"):
            opened = tag.start() if opened is None else opened
        elif opened is None:
            # Some templates open the trace in the prompt: then its end comes without a start.
            spans = [(0, tag.end())]
        else:
            spans.append((opened, tag.end()))
            opened = None
    if opened is not None:
        return None
    pieces: list[str] = []
    done = 0
    for start, end in spans:
        pieces += text[done:start], _spaces(text[start:end])
        done = end
    return "".join((*pieces, text[done:]))


def _without_quotations(text: str) -> str:
    """Replace quotations and fenced blocks by spaces; a reply that is one fenced block stays."""
    whole = text.strip()
    fenced = re.fullmatch(r"```\w*\s*([^`]*?)\s*```", whole)
    if fenced:
        start = text.index(fenced.group(1), text.index("```") + 3)
        return " " * start + fenced.group(1)
    if re.match(r"(?:```\w*)?\s*\{\s*[\"']", whole):
        return re.sub(r"```\w*", _blank, text)  # an object that was cut: its keys are no quotations
    text = re.sub(r"```.*?(?:```|\Z)", _blank, text, flags=re.DOTALL)
    text = re.sub(r"(?m)^\s*>.*$", _blank, text)
    # A quotation of one short word is emphasis ("4"), a longer one is somebody else's words.
    text = re.sub(r"[\"“][^\"”\n]{4,}[\"”]|「[^」\n]{4,}」|『[^』\n]{4,}』", _blank, text)
    return re.sub(r"(?<![\w'])['‘][^'’\n]{4,}['’](?![A-Za-z0-9'])", _blank, text)


def _without_scale(text: str, scale: Scale) -> tuple[bool, str]:
    """Replace `on a scale of 1 to 5` and `(1-5)` by spaces. First comes whether one of them is another scale."""
    other = False
    for pattern in NAMED_SCALE:
        named = re.compile(pattern.format(low=scale.low, high=scale.high), re.IGNORECASE)
        for match in named.finditer(text):
            stated = {name: number_of(value) for name, value in match.groupdict().items() if value}
            fitting = {scale.high} if "top" in stated else {scale.high, float(len(scale.labels))}
            other = other or not fitting & set(stated.values())
        text = named.sub(_blank, text)
    return other, text


def _agreed(readings: list[Reading]) -> Reading:
    if len({(reading.value, reading.reason) for reading in readings}) == 1:
        return readings[-1]
    return Reading(None, "ambiguous")


def _from_json(entry: JsonScore, scale: Scale, dimension: str | None) -> Reading:
    value, start = entry.value, entry.at
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
