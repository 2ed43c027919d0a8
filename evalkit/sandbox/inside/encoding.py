"""Turns a value into bytes for the other process."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from typing import Any

from .wire import BY_NAME, COMPLEX, CONTAINERS, EXACT, FLOAT, INT, MAX_DEPTH, SIZE, Untransferable

__all__ = ["Export", "encode"]

_MIN, _MAX = -(2**63), 2**63 - 1
_NAME_OF = {value: name for name, value in BY_NAME.items()}
_VIEWS = {type({}.keys()): "k", type({}.values()): "v", type({}.items()): "w"}
# A set and not a tuple: looking into a tuple would call the __eq__ of a class that has its own.
_SERIES = frozenset((*CONTAINERS, tuple, frozenset))

Export = Callable[[Any], tuple[str, int, str]]
"""For a value with no wire form: whose it is ("theirs" or "ours"), its number, and a word on its kind."""


def encode(value: Any, export: Export, containers: list[Any], limit: int) -> bytes:
    """Returns the value as bytes; raises Untransferable where it is too deep or larger than `limit`.

    `containers` are those that both sides know from this exchange. The containers in the value are added to them.
    """
    return _Encoder(export, containers, limit).finish(value)


class _Encoder:
    """Writes one message."""

    def __init__(self, export: Export, containers: list[Any], limit: int) -> None:
        self.out = bytearray()
        self.export = export
        self.containers = containers
        self.known = {id(c): i for i, c in enumerate(containers)}
        self.limit = limit

    def finish(self, value: Any) -> bytes:
        self.put(value, 0)
        if len(self.out) > self.limit:
            raise Untransferable(f"larger than {self.limit} bytes")
        return bytes(self.out)

    def put(self, value: Any, depth: int) -> None:
        """Adds a value, with what it contains."""
        kind = type(value)
        out = self.out
        if kind is int:
            if _MIN <= value <= _MAX:
                out += b"i" + INT.pack(value)
            else:
                size = value.bit_length() // 8 + 1
                self.room(size)
                out += b"I" + SIZE.pack(size) + value.to_bytes(size, "little", signed=True)
        elif kind is str:
            self.blob(b"s", value.encode("utf-8", "surrogatepass"))
        elif kind is float:
            out += b"f" + FLOAT.pack(value)
        elif value is None or value is True or value is False:
            out += b"N" if value is None else b"T" if value else b"F"
        elif kind in _SERIES:
            self.container(value, kind, depth)
        elif kind is bytes:
            self.blob(b"b", value)
        else:
            self.rare(value, kind, depth)

    def room(self, size: int) -> None:
        """Raises Untransferable where so many more bytes would be too many."""
        if len(self.out) + size > self.limit:
            raise Untransferable(f"larger than {self.limit} bytes")

    def blob(self, tag: bytes, data: bytes | bytearray) -> None:
        """Adds bytes of any length."""
        self.room(len(data))
        self.out += tag + SIZE.pack(len(data))
        self.out += data

    def container(self, value: Any, kind: type, depth: int) -> None:
        """Adds a container, or where both sides know it already, its number."""
        if depth > MAX_DEPTH:
            raise Untransferable(f"nested deeper than {MAX_DEPTH}")
        if kind is tuple or kind is frozenset:
            self.series(b"t" if kind is tuple else b"z", value, depth)
            return
        at = self.known.get(id(value))
        if at is not None:
            self.out += b"m" + SIZE.pack(at)
            return
        self.register(value)
        self.content(value, kind, depth)

    def register(self, value: Any) -> None:
        self.known[id(value)] = len(self.containers)
        self.containers.append(value)

    def content(self, value: Any, kind: type, depth: int) -> None:
        if kind is list:
            if len(value) > 16 and self.packed(value):
                return
            self.series(b"l", value, depth)
        elif kind is dict:
            self.room(2 * len(value))
            self.out += b"d" + SIZE.pack(len(value))
            for key, item in list(value.items()):
                self.put(key, depth + 1)
                self.put(item, depth + 1)
        elif kind is set:
            self.series(b"S", value, depth)
        elif kind is bytearray:
            self.blob(b"B", value)
        else:
            self.series(b"q", value, depth)
            self.put(value.maxlen, depth)

    def series(self, tag: bytes, items: Any, depth: int) -> None:
        self.room(len(items))
        out, deeper = self.out, depth + 1
        out += tag + SIZE.pack(len(items))
        for item in tuple(items):
            if type(item) is int and _MIN <= item <= _MAX:  # as `put` does, without the call
                out += b"i" + INT.pack(item)
            else:
                self.put(item, deeper)

    def packed(self, value: list[Any]) -> bool:
        """Adds a long list of only integers or only floats as an array, which is tens of times faster."""
        kinds = set(map(type, value))
        if kinds == {int}:
            try:
                data = array("q", value).tobytes()
            except OverflowError:
                return False
            self.blob(b"L", data)
            return True
        if kinds == {float}:
            self.blob(b"D", array("d", value).tobytes())
            return True
        return False

    def rare(self, value: Any, kind: type, depth: int) -> None:
        """Adds a value of a less common type, or the number of an object."""
        if kind is complex:
            self.out += b"c" + COMPLEX.pack(value.real, value.imag)
        elif kind is range:
            self.out += b"r"
            for end in (value.start, value.stop, value.step):
                self.put(end, depth)
        elif kind in _VIEWS:
            self.blob(b"V", _VIEWS[kind].encode())
            self.series(b"t", value, depth)
        elif value is ...:
            self.out += b"e"
        elif value is NotImplemented:
            self.out += b"n"
        elif kind is type and value in _NAME_OF:
            self.blob(b"y", _NAME_OF[value].encode())
        elif _module_of(kind) == "numpy" and hasattr(value, "item") and getattr(value, "ndim", 1) == 0:
            self.put(value.item(), depth + 1)
        elif not self.exact(value, kind, depth) and not self.derived(value, kind, depth):
            owner, number, word = self.export(value)
            self.out += (b"o" if owner == "ours" else b"p") + SIZE.pack(number)
            if owner == "ours":
                self.blob(b"", word.encode("utf-8", "replace")[:200])

    def exact(self, value: Any, kind: type, depth: int) -> bool:
        """Adds an object of one of the few library classes that stand for a plain value; False for any other."""
        name = f"{_module_of(kind)}.{kind.__name__}"
        parts = EXACT[name][0](value) if name in EXACT else None
        if parts is None:
            return False
        self.blob(b"x", name.encode())
        self.put(parts, depth + 1)
        return True

    def derived(self, value: Any, kind: type, depth: int) -> bool:
        """Adds an object of a subclass as its builtin type; False where it derives from none that travels."""
        if depth > MAX_DEPTH:
            raise Untransferable(f"nested deeper than {MAX_DEPTH}")
        if isinstance(value, (int, float, complex, str, bytes)):
            for base, plain in _PLAIN:
                if isinstance(value, base):
                    self.put(plain(value), depth)
                    return True
        if isinstance(value, tuple):
            self.series(b"t", tuple(tuple.__iter__(value)), depth)
            return True
        if isinstance(value, frozenset):
            self.series(b"z", tuple(frozenset.__iter__(value)), depth)
            return True
        for base in CONTAINERS:
            if isinstance(value, base):
                at = self.known.get(id(value))
                if at is not None:
                    self.out += b"m" + SIZE.pack(at)
                else:
                    self.register(value)
                    self.content(value, base, depth)
                return True
        return False


def _module_of(kind: type) -> str:
    module = getattr(kind, "__module__", "")
    return module if isinstance(module, str) else ""


_PLAIN: tuple[tuple[type, Callable[[Any], Any]], ...] = (
    (int, int.__int__),
    (float, float.__float__),
    (complex, lambda v: complex(complex.__add__(v, 0))),
    (str, str.__str__),
    (bytes, lambda v: bytes(memoryview(v))),
)
