"""What a reply that holds a JSON object gives as its score. What stands in a string inside it is not the verdict."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["NOTHING", "find_score", "last_object"]

NOTHING = object()
"""There is no such key: unlike a null, which is an answer."""
_KEYS = ("score", "rating", "verdict", "grade", "점수", "평점")
_INSIDE = ("scores", "ratings", "evaluation", "result")


def last_object(text: str) -> tuple[Mapping[str, Any], int] | None:
    """The last object at top level, and where it starts."""
    decoder = json.JSONDecoder()
    last: tuple[Mapping[str, Any], int] | None = None
    start = text.find("{")
    while start >= 0:
        try:
            value, end = decoder.raw_decode(text, start)
        except ValueError:
            end = start + 1
        except RecursionError:
            break
        else:
            if isinstance(value, dict):
                last = value, start
        start = text.find("{", end)
    return last


def find_score(text: str, dimension: str | None) -> tuple[Any, int] | None:
    """The value, or NOTHING, and the offset at which it is written. None where the text holds no object."""
    found = last_object(text)
    if found is None:
        return None
    content, start = found
    for holder in (content, *(content[name] for name in _INSIDE if isinstance(content.get(name), dict))):
        key = next(_keys(holder, dimension), None)
        if key is None:
            continue
        value = holder[key]
        if isinstance(value, dict):
            inner = next(_keys(value, None), None)
            value, key = (NOTHING, key) if inner is None else (value[inner], inner)
        return value, _offset_of(json.dumps(key, ensure_ascii=False), text, start)
    return NOTHING, -1


def _keys(holder: Mapping[str, Any], dimension: str | None) -> Iterator[str]:
    """The dimension's own name first, then the usual ones, then one that ends so: final_score."""
    folded = {str(key).casefold(): str(key) for key in holder}
    for name in (*([dimension.casefold()] if dimension else []), *_KEYS):
        if name in folded:
            yield folded[name]
    ends = [key for name, key in folded.items() if re.search(rf"(?:{'|'.join(_KEYS)})$", name)]
    if len(ends) == 1:
        yield ends[0]


def _offset_of(key: str, text: str, start: int) -> int:
    """Where the value behind the last such key starts."""
    found = list(re.finditer(re.escape(key) + r"\s*:\s*\"?", text[start:]))
    return start + found[-1].end() if found else -1
