"""Finds the score in a reply that holds a JSON object. Text inside the object's strings is not searched."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from evalkit.types import JsonObject

__all__ = ["JsonScore", "find_score"]

_KEYS = ("score", "rating", "verdict", "grade", "점수", "평점")
_INSIDE = ("scores", "ratings", "evaluation", "result")
_NAMES = ("dimension", "criterion", "aspect", "metric", "name", "항목", "기준")


@dataclass(frozen=True, slots=True)
class JsonScore:
    """The value under the score's key, its offset, and the offsets of the object."""

    value: Any
    at: int
    start: int
    end: int


def _objects(text: str) -> Iterator[tuple[JsonObject, int, int]]:
    """The JSON objects in a text, with the offsets at which they start and end."""
    decoder = json.JSONDecoder()
    start = text.find("{")
    while start >= 0:
        try:
            value, end = decoder.raw_decode(text, start)
        except ValueError:
            end = start + 1
        except RecursionError:
            return
        else:
            if isinstance(value, dict):
                yield value, start, end
        start = text.find("{", end)


def find_score(text: str, dimension: str | None) -> JsonScore | None:
    """The score of the last object, or of the last one that names the dimension. None if no object has a score."""
    last: JsonScore | None = None
    own: JsonScore | None = None
    for content, start, end in _objects(text):
        score = _in(content, text, start, end, dimension)
        named = next((str(content[name]) for name in _NAMES if isinstance(content.get(name), str)), None)
        if score is not None and named is not None and dimension and _plain(named) == _plain(dimension):
            own = score
        last = score
    return own or last


def _in(content: JsonObject, text: str, start: int, end: int, dimension: str | None) -> JsonScore | None:
    for holder in (content, *(content[name] for name in _INSIDE if isinstance(content.get(name), dict))):
        key = next(_keys(holder, dimension), None)
        if key is None:
            continue
        value = holder[key]
        if isinstance(value, dict):
            inner = next(_keys(value, None), None)
            if inner is None:
                return None
            value, key = value[inner], inner
        return JsonScore(value, _offset_of(json.dumps(key, ensure_ascii=False), text, start, end), start, end)
    return None


def _keys(holder: JsonObject, dimension: str | None) -> Iterator[str]:
    """Keys that may hold the score: the dimension's name, then the usual names, then one such as `final_score`."""
    folded = {_plain(str(key)): str(key) for key in holder}
    own = _plain(dimension) if dimension else ""
    for name in (*((own, *(f"{own} {key}" for key in _KEYS)) if own else ()), *_KEYS):
        if name in folded:
            yield folded[name]
    ends = [key for name, key in folded.items() if re.search(rf"(?:{'|'.join(_KEYS)})$", name)]
    if len(ends) == 1:
        yield ends[0]


def _plain(name: str) -> str:
    return " ".join(re.sub(r"[_\-]|\([^()]*\)", " ", name).casefold().split())


def _offset_of(key: str, text: str, start: int, end: int) -> int:
    """The offset of the value behind the last such key."""
    matches = list(re.finditer(re.escape(key) + r"\s*:\s*\"?", text[start:end]))
    return start + matches[-1].end() if matches else -1
