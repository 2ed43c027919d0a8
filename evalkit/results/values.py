"""Single values of a run folder, read tolerantly: what is not of its kind counts as not known."""

from __future__ import annotations

import json
import math
import numbers
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator

from evalkit.validation import refuse

__all__ = [
    "Flag",
    "Number",
    "Numbers",
    "Pair",
    "Text",
    "Whole",
    "bounded",
    "entries",
    "kind_of",
    "named",
    "names",
    "object_or",
]

_EXACT = 2**53
"""Whole numbers above this are not counts of anything that a run holds, and no float holds them exactly."""


def _number(value: Any) -> float | int | None:
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return None
    try:
        real = float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf  # type: ignore[operator]
    return int(value) if isinstance(value, numbers.Integral) else real


def bounded(value: Any) -> Any:
    """The value, unless it is a number that no float can hold."""
    return None if isinstance(value, int) and math.isinf(_number(value) or 0) else value


def _whole(value: Any) -> int | None:
    number = _number(value)
    if number is None or not math.isfinite(number) or number != int(number) or abs(number) > _EXACT:
        return None
    return int(number)


def _pair(value: Any) -> tuple[float, float] | None:
    if isinstance(value, Mapping):
        value = [value.get("min"), value.get("max")]
    ends = [_number(end) for end in value] if isinstance(value, list | tuple) else []
    return (ends[0], ends[1]) if len(ends) == 2 and ends[0] is not None and ends[1] is not None else None


def _numbers(value: Any) -> dict[str, float | int] | None:
    if not isinstance(value, Mapping):
        return None
    return {str(key): number for key, item in value.items() if (number := _number(item)) is not None}


def _text(value: Any) -> str | None:
    """The text, with a mark where it holds half of a surrogate pair, which no file can."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else None


Number = Annotated[float | int | None, BeforeValidator(_number)]
Whole = Annotated[int | None, BeforeValidator(_whole)]
Text = Annotated[str | None, BeforeValidator(_text)]
Flag = Annotated[bool | None, BeforeValidator(lambda value: value if isinstance(value, bool) else None)]
Pair = Annotated[tuple[float | int, float | int] | None, BeforeValidator(_pair)]
Numbers = Annotated[Mapping[str, float | int] | None, BeforeValidator(_numbers)]


def kind_of(
    kind: Any, record: type[BaseModel] | None = None, default: Any = None, *, text: str = "", objects: bool = False
) -> Callable[[Any], Any]:
    """A validator that takes what is of the kind and the default for all else.

    `text`: the entry that a text stands for. `objects`: of an object's values, only those that are objects.
    """

    def check(value: Any) -> Any:
        if record is not None and isinstance(value, record):
            return value
        if not isinstance(value, kind):
            return default
        if isinstance(value, str) and text:
            return {text: value}
        if objects:
            return {str(key): item for key, item in value.items() if isinstance(item, Mapping | BaseModel)}
        return value

    return check


def object_or(text: str, default: Any = ...) -> Callable[[Any], Any]:
    """A validator of an object, or of the text that stands for its entry `text`. Null is the default."""

    def check(value: Any) -> Any:
        if value is None:
            return {} if default is ... else default
        if isinstance(value, str):
            return {text: value}
        if not isinstance(value, Mapping | BaseModel):
            refuse(f"is {_short(value)}, not an object or text")
        return value

    return check


def named(value: Any) -> Any:
    """Entries by name; null is no entry."""
    if value is None:
        return {}
    return {str(key): item for key, item in value.items() if item is not None} if isinstance(value, Mapping) else value


def names(value: Any) -> Any:
    """A list of names, whatever their kind."""
    return tuple(str(item) for item in value) if isinstance(value, list | tuple) else value


def entries(value: Any) -> Any:
    """Those entries of a list that are objects."""
    if not isinstance(value, list | tuple):
        return ()
    return tuple(item for item in value if isinstance(item, Mapping | BaseModel))


def _short(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)[:60]
