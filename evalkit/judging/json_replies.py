"""What a reply that holds a JSON object gives as its score. What stands in a string inside it is not the verdict."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Found", "find_score"]

_KEYS = ("score", "rating", "verdict", "grade", "점수", "평점")
_INSIDE = ("scores", "ratings", "evaluation", "result")
_NAMES = ("dimension", "criterion", "aspect", "metric", "name", "항목", "기준")


@dataclass(frozen=True, slots=True)
class Found:
    """The value under the score's key, the offset at which it is written, and where the object stands."""

    value: Any
    at: int
    start: int
    end: int


def _objects(text: str) -> Iterator[tuple[dict[str, Any], int, int]]:
    """Those at top level, with the first and the last offset of each."""
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


def find_score(text: str, dimension: str | None) -> Found | None:
    """In the last object that is not about another dimension. None where no object has such a key."""
    last: Found | None = None
    own: Found | None = None
    for content, start, end in _objects(text):
        found = _in(content, text, start, end, dimension)
        named = next((str(content[name]) for name in _NAMES if isinstance(content.get(name), str)), None)
        if found is not None and named is not None and dimension and _plain(named) == _plain(dimension):
            own = found
        last = found
    return own or last


def _in(content: Mapping[str, Any], text: str, start: int, end: int, dimension: str | None) -> Found | None:
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
        return Found(value, _offset_of(json.dumps(key, ensure_ascii=False), text, start, end), start, end)
    return None


def _keys(holder: Mapping[str, Any], dimension: str | None) -> Iterator[str]:
    """The dimension's own name first, then the usual ones, then one that ends so: final_score."""
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
    """Where the value behind the last such key starts."""
    found = list(re.finditer(re.escape(key) + r"\s*:\s*\"?", text[start:end]))
    return start + found[-1].end() if found else -1
