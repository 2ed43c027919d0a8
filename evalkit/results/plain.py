"""Plain JSON: numbers are numbers, no NaN, no keys, Korean as it is."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from evalkit.scrub import Scrubber
from evalkit.types import JsonObject

__all__ = ["encode", "plain"]


def encode(value: Any, scrubber: Scrubber, *, indent: int | None = None) -> bytes:
    """One JSON text in UTF-8, without a line break where no indent is asked for."""
    if not scrubber.active:
        try:
            return _bytes(json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent, default=_cast))
        except (ValueError, TypeError):
            pass  # a NaN or an odd key somewhere: take the slow way
    return _bytes(json.dumps(plain(value, scrubber), ensure_ascii=False, allow_nan=False, indent=indent))


def plain(value: Any, scrubber: Scrubber, *, settings: bool = False) -> Any:
    """The value in JSON's own types. What is not a finite number becomes null, and the entry beside it says why.

    `settings`: strike out entries that hold keys by their name as well (`api_key`), and `api_key=…` in words.
    """
    if isinstance(value, str):
        return scrubber.argument(value) if settings else scrubber.text(value)
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return _mapping(value, scrubber, settings)
    if isinstance(value, list | tuple):
        return [plain(item, scrubber, settings=settings) for item in value]
    return plain(_cast(value), scrubber, settings=settings)


def _mapping(value: Mapping[Any, Any], scrubber: Scrubber, settings: bool) -> JsonObject:
    out: dict[str, Any] = {}
    reasons: dict[str, str] = {}
    for key, item in value.items():
        name = scrubber.text(str(key))
        if settings and isinstance(item, str) and item and scrubber.is_secret_entry(name):
            out[name] = "[key]"
            continue
        out[name] = plain(item, scrubber, settings=settings)
        if why := _not_finite(item):
            reasons["reason" if name == "value" else f"{name}_reason"] = why
    for name, why in reasons.items():
        if out.get(name) is None:
            out[name] = why
    return out


def _not_finite(value: Any) -> str | None:
    """Why a number, or a list of them, does not go into JSON. A mapping inside says it of its own entries."""
    if isinstance(value, list | tuple):
        return next((why for item in value if (why := _not_finite(item))), None)
    if not isinstance(value, str | int | float | bool | Mapping | None):
        value = _cast(value)
    if isinstance(value, float) and not math.isfinite(value):
        return "not a number" if math.isnan(value) else "infinite"
    return None


def _cast(value: Any) -> Any:
    """numpy's and other libraries' values in Python's own types."""
    if isinstance(value, set | frozenset):
        return sorted(value, key=str)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    for method in ("item", "tolist"):  # numpy scalars, then arrays
        if hasattr(value, method):
            try:
                return getattr(value, method)()
            except (TypeError, ValueError):
                continue
    return str(value)


def _bytes(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair, as broken documents have them
        return json.dumps(json.loads(text), ensure_ascii=True).encode()
