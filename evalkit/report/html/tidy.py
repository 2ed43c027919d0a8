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


def tidy(value: Any, scrubber: Scrubber) -> Any:
    """The value in JSON's own types; a number that is none becomes null."""
    if isinstance(value, str):
        return scrubber.text(_HALVES.sub("\ufffd", value))
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {tidy(str(key), scrubber): tidy(item, scrubber) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [tidy(item, scrubber) for item in value]
    return tidy(str(value), scrubber)


def in_script(value: Any) -> str:
    """JSON that can stand in a script element: nothing in it opens or closes one."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def shortened(text: str, head: int, tail: int) -> str | list[str | int]:
    """The text, or of a long one its head, how many characters are left out, and its tail."""
    if len(text) <= head + tail + 80:
        return text
    return [text[:head], len(text) - head - tail, text[len(text) - tail :]]
