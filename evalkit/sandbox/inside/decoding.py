"""Turns bytes from the other process into a value."""

from __future__ import annotations

import struct
from array import array
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from .wire import BY_NAME, COMPLEX, EXACT, FLOAT, INT, MAX_DEPTH, SIZE, Malformed

__all__ = ["Import", "decode"]

_MAX_HEIGHT = 1000
"""How deep containers may lie in each other by way of references. The C code that frees a deque calls itself for each
deque inside it, and would overflow the stack of the process that reads such a message."""

_SINGLES: dict[bytes, Any] = {b"N": None, b"T": True, b"F": False, b"e": ..., b"n": NotImplemented}

Import = Callable[[int, str], Any]
"""A reference that arrived: the sender's number and its word for the kind; "" where the object is our own."""


def decode(data: bytes, resolve: Import, containers: list[Any], types: Mapping[str, type] = BY_NAME) -> Any:
    """Returns the value. Raises Malformed, and nothing else, where the bytes are no message.

    `containers` are those that both sides know; the containers in the message are added to them. `types` are the
    builtin types by name.
    """
    decoder = _Decoder(data, resolve, containers, types)
    try:
        value = decoder.take(0)
    except (struct.error, ValueError, TypeError, ArithmeticError, LookupError, RecursionError) as error:
        raise Malformed(f"{type(error).__name__}: {error}") from None
    if decoder.at != len(data):
        raise Malformed("bytes left over")
    return value


class _Decoder:
    """Reads one message."""

    def __init__(self, data: bytes, resolve: Import, containers: list[Any], types: Mapping[str, type]) -> None:
        self.data = data
        self.types = types
        self.at = 0
        self.resolve = resolve
        self.containers = containers
        self.heights = [0] * len(containers)
        """For each container how many lie in each other inside it; 0 while it is being read."""
        self.tallest = 0
        """The greatest height among the values read so far inside the container that is being read."""

    def size(self) -> int:
        """Reads the size of what follows."""
        (size,) = SIZE.unpack_from(self.data, self.at)
        self.at += 4
        if size > len(self.data) - self.at:
            raise Malformed("a size beyond the message")
        return int(size)

    def number(self) -> int:
        (value,) = SIZE.unpack_from(self.data, self.at)
        self.at += 4
        return int(value)

    def blob(self) -> bytes:
        size = self.size()
        start = self.at
        self.at += size
        return self.data[start : self.at]

    def take(self, depth: int) -> Any:
        """Reads the next value, with what it contains."""
        tag = self.data[self.at : self.at + 1]
        self.at += 1
        if tag == b"i":
            (whole,) = INT.unpack_from(self.data, self.at)
            self.at += 8
            return whole
        if tag == b"s":
            return self.blob().decode("utf-8", "surrogatepass")
        if tag == b"f":
            (real,) = FLOAT.unpack_from(self.data, self.at)
            self.at += 8
            return real
        if tag in _SINGLES:
            return _SINGLES[tag]
        if depth > MAX_DEPTH + 4:
            raise Malformed("nested too deep")
        if tag not in _READERS:
            raise Malformed(f"no such tag {tag!r}")
        place, beside, self.tallest = len(self.heights), self.tallest, 0
        value = _READERS[tag](self, depth)
        height = self.tallest + 1
        if height > _MAX_HEIGHT:
            raise Malformed("nested too deep by references")
        if tag in _KEPT:
            self.heights[place] = height
        self.tallest = max(beside, height)
        return value

    def items(self, depth: int) -> list[Any]:
        values: list[Any] = []
        data, deeper = self.data, depth + 1
        for _ in range(self.size()):
            at = self.at
            tag = data[at : at + 1]
            if tag == b"i":  # as `take` does, without the call
                values.append(INT.unpack_from(data, at + 1)[0])
                self.at = at + 9
            elif tag == b"s":
                self.at = at + 1
                values.append(self.blob().decode("utf-8", "surrogatepass"))
            elif tag in _SINGLES:
                values.append(_SINGLES[tag])
                self.at = at + 1
            else:
                values.append(self.take(deeper))
        return values

    def keep(self, container: Any) -> Any:
        """Makes the container known, so that a later part of the message can refer to it."""
        self.containers.append(container)
        self.heights.append(0)
        return container

    def list_(self, depth: int) -> Any:
        target: list[Any] = self.keep([])
        target.extend(self.items(depth))
        return target

    def numbers(self, code: str) -> Any:
        data = self.blob()
        return self.keep(array(code, data).tolist())

    def dict_(self, depth: int) -> Any:
        target: dict[Any, Any] = self.keep({})
        for _ in range(self.size()):
            key = self.take(depth + 1)
            target[key] = self.take(depth + 1)
        return target

    def set_(self, depth: int) -> Any:
        target: set[Any] = self.keep(set())
        target.update(self.items(depth))
        return target

    def deque_(self, depth: int) -> Any:
        at = len(self.containers)
        self.keep(None)
        items = self.items(depth)
        self.containers[at] = deque(items, self.take(depth))
        return self.containers[at]

    def same(self, depth: int) -> Any:
        number = self.number()
        self.tallest = self.heights[number]
        return self.containers[number]

    def big(self, depth: int) -> int:
        return int.from_bytes(self.blob(), "little", signed=True)

    def complex_(self, depth: int) -> complex:
        real, imaginary = COMPLEX.unpack_from(self.data, self.at)
        self.at += COMPLEX.size
        return complex(real, imaginary)

    def range_(self, depth: int) -> range:
        return range(self.take(depth + 1), self.take(depth + 1), self.take(depth + 1))

    def view(self, depth: int) -> Any:
        which, items = self.blob(), self.take(depth + 1)
        if which == b"k":
            return dict.fromkeys(items).keys()
        return dict(items).items() if which == b"w" else dict(enumerate(items)).values()

    def type_(self, depth: int) -> type:
        return self.types[self.blob().decode()]

    def exact(self, depth: int) -> Any:
        return EXACT[self.blob().decode()][1](self.take(depth + 1))

    def theirs(self, depth: int) -> Any:
        number = self.number()
        return self.resolve(number, self.blob().decode() or "object")

    def ours(self, depth: int) -> Any:
        return self.resolve(self.number(), "")


_KEPT = frozenset((b"l", b"d", b"S", b"q", b"B", b"L", b"D"))
"""Tags of the containers that a later part of the message can refer to."""
_READERS: dict[bytes, Callable[[_Decoder, int], Any]] = {
    b"l": _Decoder.list_,
    b"t": lambda self, depth: tuple(self.items(depth)),
    b"d": _Decoder.dict_,
    b"S": _Decoder.set_,
    b"z": lambda self, depth: frozenset(self.items(depth)),
    b"q": _Decoder.deque_,
    b"m": _Decoder.same,
    b"b": lambda self, depth: self.blob(),
    b"B": lambda self, depth: self.keep(bytearray(self.blob())),
    b"I": _Decoder.big,
    b"L": lambda self, depth: self.numbers("q"),
    b"D": lambda self, depth: self.numbers("d"),
    b"c": _Decoder.complex_,
    b"r": _Decoder.range_,
    b"V": _Decoder.view,
    b"y": _Decoder.type_,
    b"x": _Decoder.exact,
    b"o": _Decoder.theirs,
    b"p": _Decoder.ours,
}
