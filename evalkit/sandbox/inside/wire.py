"""The form in which values travel between the tester and a candidate, which is not trusted.

Only exact builtin types travel, and a few plain classes of the library. A subclass is sent as the builtin type that it
derives from. Anything else is sent as a number that names the object to its owner. Reading runs no code of the
sender's, and depth and size are bounded. Lists, dicts, sets, bytearrays and deques keep their identity within a
message: shared and recursive ones arrive as such.
"""

from __future__ import annotations

import builtins
import struct
from collections import deque
from collections.abc import Callable
from typing import Any

__all__ = [
    "BY_NAME", "COMPLEX", "CONTAINERS", "EXACT", "FLOAT", "INT", "MAX_DEPTH", "SIZE", "Malformed", "Untransferable",
    "refill",
]  # fmt: skip

MAX_DEPTH = 150
"""How deep values may be nested in a message."""

INT = struct.Struct("<q")
FLOAT = struct.Struct("<d")
COMPLEX = struct.Struct("<dd")
SIZE = struct.Struct("<I")

BY_NAME = {name: value for name, value in vars(builtins).items() if type(value) is type}
"""The builtin types, which travel by their names."""
CONTAINERS = (list, dict, set, bytearray, deque)
"""Types whose objects can be changed, and keep their identity."""


class Untransferable(Exception):
    """The value is too deep or too large to be sent."""


class Malformed(Exception):
    """What arrived is not a message."""


def _decimal(text: Any) -> Any:
    from decimal import Decimal

    return Decimal(text)


def _fraction(pair: Any) -> Any:
    from fractions import Fraction

    return Fraction(*pair)


def _array_parts(value: Any) -> Any:
    """None for an array of Python objects, which stays where it is."""
    return (value.dtype.str, tuple(value.shape), value.tobytes()) if value.dtype.kind in "biufc" else None


def _array(parts: Any) -> Any:
    try:
        import numpy
    except ImportError:  # not allowed here, so no honest program sends one
        raise ValueError("an array, and there is no numpy") from None
    kind, shape, data = parts
    if len(kind) > 4 or kind[1:2] not in set("biufc"):
        raise ValueError("no array of numbers")
    return numpy.frombuffer(data, numpy.dtype(kind)).reshape(shape).copy()


def _moment(name: str) -> Callable[[Any], Any]:
    def read(text: Any) -> Any:
        import datetime

        return getattr(datetime, name).fromisoformat(text)

    return read


def _duration(parts: Any) -> Any:
    import datetime

    return datetime.timedelta(*parts)


EXACT: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "decimal.Decimal": (str, _decimal),
    "fractions.Fraction": (lambda v: (v.numerator, v.denominator), _fraction),
    "datetime.date": (lambda v: v.isoformat(), _moment("date")),
    "datetime.datetime": (lambda v: v.isoformat(), _moment("datetime")),
    "datetime.time": (lambda v: v.isoformat(), _moment("time")),
    "numpy.ndarray": (_array_parts, _array),
    "datetime.timedelta": (lambda v: (v.days, v.seconds, v.microseconds), _duration),
}
"""Classes that stand for a plain value: how each becomes a simpler value (None: it does not), and is made from it."""


def refill(container: Any, content: Any) -> None:
    """Makes `container` hold what the other side's copy of it holds now, as the same object."""
    if isinstance(container, list) and type(content) is list:
        list.__setitem__(container, slice(None), content)
    elif isinstance(container, dict) and type(content) is dict:
        dict.clear(container)
        dict.update(container, content)
    elif isinstance(container, set) and type(content) is set:
        set.clear(container)
        set.update(container, content)
    elif isinstance(container, bytearray) and type(content) is bytearray:
        bytearray.__setitem__(container, slice(None), content)
    elif isinstance(container, deque) and type(content) is list:
        deque.clear(container)
        deque.extend(container, content)
    else:
        raise Malformed("another kind of container than was sent")
