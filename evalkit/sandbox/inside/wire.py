"""Values as bytes, and back, between a process that is trusted and one that is not.

Only exact builtin types travel, so what arrives has the operators of the language and no others. A subclass
is sent as the builtin it derives from. Everything else travels as a reference that its owner resolves. Reading
never runs code of the sender's; depth and size are bounded. Lists, dicts, sets, bytearrays and deques keep their
identity within a message: shared and recursive ones arrive as such.
"""

from __future__ import annotations

import builtins
import struct
from array import array
from collections import deque
from collections.abc import Callable
from typing import Any

__all__ = ["MAX_DEPTH", "Malformed", "Untransferable", "decode", "encode", "refill"]

MAX_DEPTH = 150
_MAX_HEIGHT = 1000
"""How deep containers may lie in each other by way of references. The C code that frees a deque calls itself for each
deque inside it, and would overflow the stack of the process that reads such a message."""

_INT = struct.Struct("<q")
_FLOAT = struct.Struct("<d")
_COMPLEX = struct.Struct("<dd")
_SIZE = struct.Struct("<I")
_MIN, _MAX = -(2**63), 2**63 - 1

_BY_NAME = {name: value for name, value in vars(builtins).items() if type(value) is type}
_NAME_OF = {value: name for name, value in _BY_NAME.items()}
_VIEWS = {type({}.keys()): "k", type({}.values()): "v", type({}.items()): "w"}
_SINGLES: dict[bytes, Any] = {b"N": None, b"T": True, b"F": False, b"e": ..., b"n": NotImplemented}
_CONTAINERS = (list, dict, set, bytearray, deque)
# A set, not a tuple: a class may have an __eq__ of its own.
_SERIES = frozenset((*_CONTAINERS, tuple, frozenset))


class Untransferable(Exception):
    """The value is too deep or too large to be sent."""


class Malformed(Exception):
    """What arrived is not a message."""


Export = Callable[[Any], tuple[str, int, str]]
"""For a value with no wire form: whose it is ("theirs" or "ours"), its number, and a word on its kind."""


def encode(value: Any, export: Export, containers: list[Any], limit: int) -> bytes:
    """`containers` are those that both sides know; those met are added in order, and kept alive by it."""
    return _Encoder(export, containers, limit).finish(value)


class _Encoder:
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
        kind = type(value)
        out = self.out
        if kind is int:
            if _MIN <= value <= _MAX:
                out += b"i" + _INT.pack(value)
            else:
                size = value.bit_length() // 8 + 1
                self.room(size)
                out += b"I" + _SIZE.pack(size) + value.to_bytes(size, "little", signed=True)
        elif kind is str:
            self.blob(b"s", value.encode("utf-8", "surrogatepass"))
        elif kind is float:
            out += b"f" + _FLOAT.pack(value)
        elif value is None or value is True or value is False:
            out += b"N" if value is None else b"T" if value else b"F"
        elif kind in _SERIES:
            self.container(value, kind, depth)
        elif kind is bytes:
            self.blob(b"b", value)
        else:
            self.rare(value, kind, depth)

    def room(self, size: int) -> None:
        if len(self.out) + size > self.limit:
            raise Untransferable(f"larger than {self.limit} bytes")

    def blob(self, tag: bytes, data: bytes | bytearray) -> None:
        self.room(len(data))
        self.out += tag + _SIZE.pack(len(data))
        self.out += data

    def container(self, value: Any, kind: type, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise Untransferable(f"nested deeper than {MAX_DEPTH}")
        if kind is tuple or kind is frozenset:
            self.series(b"t" if kind is tuple else b"z", value, depth)
            return
        at = self.known.get(id(value))
        if at is not None:
            self.out += b"m" + _SIZE.pack(at)
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
            self.out += b"d" + _SIZE.pack(len(value))
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
        self.out += tag + _SIZE.pack(len(items))
        for item in tuple(items):
            self.put(item, depth + 1)

    def packed(self, value: list[Any]) -> bool:
        """A long list of one kind of number goes as an array: tens of times faster."""
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
        if kind is complex:
            self.out += b"c" + _COMPLEX.pack(value.real, value.imag)
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
            self.out += (b"o" if owner == "ours" else b"p") + _SIZE.pack(number)
            if owner == "ours":
                self.blob(b"", word.encode("utf-8", "replace")[:200])

    def exact(self, value: Any, kind: type, depth: int) -> bool:
        """The few classes of the standard library that stand for a plain value."""
        name = f"{_module_of(kind)}.{kind.__name__}"
        if name not in _EXACT:
            return False
        self.blob(b"x", name.encode())
        self.put(_EXACT[name][0](value), depth + 1)
        return True

    def derived(self, value: Any, kind: type, depth: int) -> bool:
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
        for base in _CONTAINERS:
            if isinstance(value, base):
                at = self.known.get(id(value))
                if at is not None:
                    self.out += b"m" + _SIZE.pack(at)
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


def _decimal(text: Any) -> Any:
    from decimal import Decimal

    return Decimal(text)


def _fraction(pair: Any) -> Any:
    from fractions import Fraction

    return Fraction(*pair)


def _moment(name: str) -> Callable[[Any], Any]:
    def read(text: Any) -> Any:
        import datetime

        return getattr(datetime, name).fromisoformat(text)

    return read


def _duration(parts: Any) -> Any:
    import datetime

    return datetime.timedelta(*parts)


_EXACT: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "decimal.Decimal": (str, _decimal),
    "fractions.Fraction": (lambda v: (v.numerator, v.denominator), _fraction),
    "datetime.date": (lambda v: v.isoformat(), _moment("date")),
    "datetime.datetime": (lambda v: v.isoformat(), _moment("datetime")),
    "datetime.time": (lambda v: v.isoformat(), _moment("time")),
    "datetime.timedelta": (lambda v: (v.days, v.seconds, v.microseconds), _duration),
}


Import = Callable[[int, str], Any]
"""A reference that arrived: the sender's number and its word for the kind; "" where the object is our own."""


def decode(data: bytes, resolve: Import, containers: list[Any]) -> Any:
    """Raises Malformed, and nothing else, on bytes that are no message."""
    decoder = _Decoder(data, resolve, containers)
    try:
        value = decoder.take(0)
    except (struct.error, ValueError, TypeError, ArithmeticError, LookupError, RecursionError) as error:
        raise Malformed(f"{type(error).__name__}: {error}") from None
    if decoder.at != len(data):
        raise Malformed("bytes left over")
    return value


class _Decoder:
    def __init__(self, data: bytes, resolve: Import, containers: list[Any]) -> None:
        self.data = data
        self.at = 0
        self.resolve = resolve
        self.containers = containers
        self.heights = [0] * len(containers)
        """For each container how many lie in each other inside it; 0 while it is being read."""
        self.tallest = 0
        """The greatest height among the values read so far inside the container that is being read."""

    def size(self) -> int:
        (size,) = _SIZE.unpack_from(self.data, self.at)
        self.at += 4
        if size > len(self.data) - self.at:
            raise Malformed("a size beyond the message")
        return int(size)

    def number(self) -> int:
        (value,) = _SIZE.unpack_from(self.data, self.at)
        self.at += 4
        return int(value)

    def blob(self) -> bytes:
        size = self.size()
        start = self.at
        self.at += size
        return self.data[start : self.at]

    def take(self, depth: int) -> Any:
        tag = self.data[self.at : self.at + 1]
        self.at += 1
        if tag == b"i":
            (whole,) = _INT.unpack_from(self.data, self.at)
            self.at += 8
            return whole
        if tag == b"s":
            return self.blob().decode("utf-8", "surrogatepass")
        if tag == b"f":
            (real,) = _FLOAT.unpack_from(self.data, self.at)
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
        return [self.take(depth + 1) for _ in range(self.size())]

    def keep(self, container: Any) -> Any:
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
        real, imaginary = _COMPLEX.unpack_from(self.data, self.at)
        self.at += _COMPLEX.size
        return complex(real, imaginary)

    def range_(self, depth: int) -> range:
        return range(self.take(depth + 1), self.take(depth + 1), self.take(depth + 1))

    def view(self, depth: int) -> Any:
        which, items = self.blob(), self.take(depth + 1)
        if which == b"k":
            return dict.fromkeys(items).keys()
        return dict(items).items() if which == b"w" else dict(enumerate(items)).values()

    def type_(self, depth: int) -> type:
        return _BY_NAME[self.blob().decode()]

    def exact(self, depth: int) -> Any:
        return _EXACT[self.blob().decode()][1](self.take(depth + 1))

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
