"""Values as JSON that every browser reads: no NaN, no half characters, no keys."""

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
"""Characters that turn the direction of what follows."""


def tidy(value: Any, scrubber: Scrubber, *, steady: bool = False) -> Any:
    """The value in JSON's own types; a number that is none becomes null.

    `steady`: names stand in sentences here, and one that would turn the words after it shows how it does instead.
    """
    if isinstance(value, str):
        text = scrubber.text(_HALVES.sub("\ufffd", value))
        return _TURNS.sub(lambda found: f"\\u{ord(found[0]):04x}", text) if steady else text
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
    """JSON that can stand in a script element: nothing in it opens or closes one."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def shortened(text: str, head: int, tail: int) -> str | list[str | int]:
    """The text, or of a long one its head, how many characters are left out, and its tail."""
    if len(text) <= head + tail + 80:
        return text
    return [text[:head], len(text) - head - tail, text[len(text) - tail :]]
