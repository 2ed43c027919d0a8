"""Makes values readable as JSON in every browser: no NaN, no lone surrogates, no API keys."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from evalkit.scrub import Scrubber

__all__ = ["in_script", "shortened", "tidy"]

_HALVES = re.compile("[\ud800-\udfff]")
_TURNS = re.compile("[\u202a-\u202e\u2066-\u2069]")
"""Characters that change the direction of the text after them."""


def tidy(value: Any, scrubber: Scrubber, *, steady: bool = False) -> Any:
    """The value in JSON's types; NaN and infinity become null.

    `steady`: show characters that change the text direction as escapes, for names that appear within sentences.
    """
    if isinstance(value, str):
        text = scrubber.text(_HALVES.sub("\ufffd", value))
        return _TURNS.sub(lambda match: f"\\u{ord(match[0]):04x}", text) if steady else text
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {
            tidy(str(key), scrubber, steady=steady): tidy(item, scrubber, steady=steady) for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [tidy(item, scrubber, steady=steady) for item in value]
    return tidy(str(value), scrubber, steady=steady)


def in_script(value: Any) -> str:
    """JSON for a script element: nothing in it can open or close an element."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def shortened(text: str, head: int, tail: int) -> str | list[str | int]:
    """The text; for a long text, its head, the number of characters left out, and its tail."""
    if len(text) <= head + tail + 80:
        return text
    return [text[:head], len(text) - head - tail, text[len(text) - tail :]]
