"""The score in a judge's reply, as a careful reader would find it; or why there is none."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from evalkit.judging.scale import Scale

__all__ = ["Reading", "read_reply"]


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


_WORDS = {word: n for n, word in enumerate("zero one two three four five six seven eight nine ten".split())}  # noqa: SIM905
_DIGITS = str.maketrans("０１２３４５６７８９．：／－", "0123456789.:/-")
_NUMBER = (
    rf"(?<![\w.,/\-–~])[+-]?(?:\d+(?:\.\d+)?|(?:{'|'.join(_WORDS)})\b)"
    r"(?!\d|[.,]\d|\s?%|(?:st|nd|rd|th)\b)"
)
_RANGE_NEXT = re.compile(r"\s*(?:[-–~]\s*\d|to\s+\d|or\s+\d|에서\s*\d)", re.IGNORECASE)
_OUT_OF = (
    r"(?:\s*(?:/|out\s+of(?:\s+a\s+possible)?|of|on\s+a\s+scale\s+of\s+\d+\s*(?:-|–|to))\s*"
    r"(?P<top>\d+(?:\.\d+)?|three|four|five|seven|ten))"
)
_TAIL = r"(?:\s*(?:points?|stars?|점(?:입니다|이다|을 드립니다)?))?"

_KEY = r"(?:score|rating|rate|grade|verdict|mark|points?|answer|점수|평점|등급|평가|총점|결론)"
_ASSIGN = r"(?:\s*\([^()\n]*\))?[*_`\"']*\s*(?:is\s*:?|would\s+be|[:=]|-{1,2}>?|→|은|는)\s*[*_`\"'\[(<]*\s*"
_BARE = re.compile(rf"[\s*_`\"'\[(<#-]*(?P<n>{_NUMBER}){_OUT_OF}?{_TAIL}[\s*_`\"'\])>.!]*", re.IGNORECASE)
_KEYED = re.compile(rf"(?P<key>(?:[^\W\d_][\w '&/-]{{0,40}}?)?){_ASSIGN}(?P<n>{_NUMBER}){_OUT_OF}?", re.IGNORECASE)
_FIRST_LINE = re.compile(
    rf"\s*[*_`\"'\[(]*(?P<n>{_NUMBER}){_OUT_OF}?{_TAIL}[*_`\"'\])]*\s*(?P<end>[.:;,–—(-]\s|\n|\()", re.IGNORECASE
)
_OUT_OF_TEXT = re.compile(rf"(?<!not )(?<!not a )(?P<n>{_NUMBER}){_OUT_OF}", re.IGNORECASE)
_KOREAN = re.compile(rf"(?:(?P<top>\d+(?:\.\d+)?)\s*점\s*만점(?:에서|에|\s*중)?\s*)?(?P<n>{_NUMBER})\s*점")
_GIVEN = re.compile(
    r"\b(?:give|giving|gave|assign(?:ing)?|award(?:ing)?|deserves?|merits?|warrants?|earns?|gets?|receives?|rate|rated|"
    r"rating|scor(?:e|ed|ing)|grade)\b(?P<between>[^.\n\d]{0,60}?)"
    rf"(?P<n>{_NUMBER}){_OUT_OF}?",
    re.IGNORECASE,
)
_IS_A = re.compile(
    r"\b(?:is|be|it's|it’s|that's|was)\s+(?:definitely |clearly |about |roughly )?"
    r"(?:an?\s+)(?:solid |strong |clear |weak |perfect )?"
    rf"(?P<n>{_NUMBER}){_OUT_OF}?\s*(?=[.!\n]|$)",
    re.IGNORECASE,
)
_NEGATED = re.compile(r"\b(?:not|never|n't|cannot|neither|unless|if)\b", re.IGNORECASE)
_REFUSAL = re.compile(
    r"\b(?:i(?:'|’)?m sorry|i am sorry|i apologi[sz]e|i (?:can(?:no|')?t|can’t|am unable|am not able|won't|will not)|"
    r"as an ai|unable to (?:rate|score|assess|evaluate))|죄송|평가할 수 없|할 수 없습니다|도와드릴 수 없",
    re.IGNORECASE,
)
_KEYS_OF_JSON = ("score", "rating", "verdict", "grade", "점수", "평점")


def read_reply(text: str, scale: Scale, dimension: str | None = None) -> Reading:
    """Only what the judge itself says last counts: not what it quotes, not what stands in a fenced block."""
    own = _without_reasoning(text)
    if own is None:
        return Reading(None, "unfinished")
    if not own.strip():
        return Reading(None, "empty")
    plain = own.translate(_DIGITS)
    as_json = _from_json(plain, scale, dimension)
    if as_json is not None:
        return as_json
    named = _named_label(plain, scale)
    if named is not None:
        return named
    said = _without_quotations(plain)
    for find in (_bare, _keyed, _leading, _stated):
        readings = list(find(said, scale, dimension))
        if readings:
            return _agreed(readings)
    return Reading(None, "refusal" if _REFUSAL.search(own) else "unparsed")


# ── what may be read ─────────────────────────────────────────────────────────


def _blank(found: re.Match[str]) -> str:
    return re.sub(r"[^\n]", " ", found.group())


def _without_reasoning(text: str) -> str | None:
    """Offsets stay: what is left out becomes spaces. None where a trace never ends."""
    closed = re.sub(r"<think(?:ing)?>.*?</think(?:ing)?>", _blank, text, flags=re.DOTALL | re.IGNORECASE)
    end = list(re.finditer(r"</think(?:ing)?>", closed, re.IGNORECASE))
    if end:
        closed = re.sub(r"[^\n]", " ", closed[: end[-1].end()]) + closed[end[-1].end() :]
    return None if re.search(r"<think(?:ing)?>", closed, re.IGNORECASE) else closed


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


# ── ways of saying it, the surest first ──────────────────────────────────────


def _bare(text: str, scale: Scale, dimension: str | None) -> Iterator[Reading]:
    found = _BARE.fullmatch(text)
    if found:
        yield _reading(found, text, scale)


def _keyed(text: str, scale: Scale, dimension: str | None) -> Iterator[Reading]:
    """`Score: 4`. A line that names the dimension beats one that names a score, and the last of equals counts."""
    own: list[Reading] = []
    general: list[Reading] = []
    others: dict[str, Reading] = {}
    for line in re.finditer(r"[^\n]+", text):
        for found in _KEYED.finditer(text, line.start(), line.end()):
            key = " ".join(re.sub(r"[*_`#\-\"']", " ", found.group("key")).casefold().split())
            reading = _reading(found, text, scale)
            if dimension and key and _same_name(dimension, key):
                own.append(reading)
            elif re.search(rf"(?:^|\s){_KEY}$", key) and not _NEGATED.search(key):
                general.append(reading)
            elif key and len(key.split()) <= 3 and re.match(r"[\s*_`#\-•]*$", text[line.start() : found.start("key")]):
                others[key] = reading
    if own or general:
        yield (own or general)[-1]
    elif len(others) == 1:
        yield from others.values()
    elif others:
        yield Reading(None, "ambiguous")


def _leading(text: str, scale: Scale, dimension: str | None) -> Iterator[Reading]:
    """A number that opens the reply, with words after it; not the first item of a list."""
    found = _FIRST_LINE.match(text)
    if found and not (found.group("end").startswith(".") and re.search(r"\n\s*\d+[.)]\s", text)):
        yield _reading(found, text, scale)


def _stated(text: str, scale: Scale, dimension: str | None) -> Iterator[Reading]:
    """In a sentence: given, out of a top, is a. Several that disagree say nothing."""
    taken: set[int] = set()
    for pattern in (_OUT_OF_TEXT, _KOREAN, _GIVEN, _IS_A):
        for found in pattern.finditer(text):
            sentence = re.split(r"[.!?\n]\s", text[: found.start()])[-1]
            between = found.groupdict().get("between") or ""
            if found.start("n") in taken or _NEGATED.search(sentence) or _NEGATED.search(between):
                continue
            taken.add(found.start("n"))
            yield _reading(found, text, scale)


def _agreed(readings: list[Reading]) -> Reading:
    if len({(reading.value, reading.reason) for reading in readings}) == 1:
        return readings[-1]
    return Reading(None, "ambiguous")


def _reading(found: re.Match[str], text: str, scale: Scale) -> Reading:
    number = found.group("n").lower()
    value = float(_WORDS[number]) if number in _WORDS else float(number)
    top = found.groupdict().get("top")
    if top is not None and float(_WORDS.get(top.lower(), top)) != scale.high:
        return Reading(None, "another scale")
    if top is None and _RANGE_NEXT.match(text, found.end("n")):
        return Reading(None, "ambiguous")
    if scale.numeric:
        return Reading(value, start=found.start("n")) if value in scale else Reading(None, "off the scale")
    named = scale.value_of(number)
    return Reading(None, "off the scale") if named is None else Reading(named, start=found.start("n"))


def _same_name(dimension: str, key: str) -> bool:
    name = " ".join(re.sub(r"[_\-]", " ", dimension).casefold().split())
    return key == name or re.sub(rf"\s*{_KEY}$", "", key) == name


def _named_label(text: str, scale: Scale) -> Reading | None:
    """Labels that are words: the whole reply, or the last `Verdict: word`."""
    words = {label for label in scale if not re.fullmatch(_NUMBER, label)}
    if not words:
        return None
    whole = text.strip(" \t\n*_`\"'[](){}<>.!")
    if whole in words or scale.value_of(whole) is not None:
        return Reading(scale.value_of(whole), start=text.index(whole))
    said = _without_quotations(text)
    choice = "|".join(sorted(map(re.escape, words), key=len, reverse=True))
    found = list(re.finditer(rf"{_KEY}{_ASSIGN}(?P<n>{choice})(?!\w)", said, re.IGNORECASE))
    if found:
        return Reading(scale.value_of(found[-1].group("n")), start=found[-1].start("n"))
    return None


def _from_json(text: str, scale: Scale, dimension: str | None) -> Reading | None:
    """The last object at top level. What stands in a string inside it is not the judge's verdict."""
    decoder = json.JSONDecoder()
    last, at, start = None, 0, text.find("{")
    while start >= 0:
        try:
            value, end = decoder.raw_decode(text, start)
        except ValueError:
            end = start + 1
        else:
            if isinstance(value, dict):
                last, at = value, start
        start = text.find("{", end)
    if last is None:
        return None
    keys = {str(key).casefold(): key for key in last}
    for name in (*([dimension.casefold()] if dimension else []), *_KEYS_OF_JSON):
        if name not in keys:
            continue
        value = last[keys[name]]
        if isinstance(value, dict):
            value = value.get("score", value.get("rating"))
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            return Reading(None, "unparsed")
        if isinstance(value, str):
            return read_reply(value, scale, dimension)
        start = _offset_of(json.dumps(keys[name], ensure_ascii=False), text, at)
        if not scale.numeric:
            worth = scale.value_of(f"{value:g}")
            return Reading(None, "off the scale") if worth is None else Reading(worth, start=start)
        return Reading(float(value), start=start) if value in scale else Reading(None, "off the scale")
    return None


def _offset_of(key: str, text: str, start: int) -> int:
    """Where the number behind the last such key starts."""
    found = list(re.finditer(re.escape(key) + r"\s*:\s*", text[start:]))
    return start + found[-1].end() if found else -1
