"""One end of the link between tester and candidate: asks the other process, and answers what it asks meanwhile.

Each side keeps its own objects and sends numbers for them. The other side can only ask for an operation from this
side's table on the object with a number. The candidate offers many operations, the tester few.
"""

from __future__ import annotations

import builtins
import operator
import os
import struct
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from .decoding import decode
from .encoding import encode
from .wire import BY_NAME, Malformed, Untransferable, refill

__all__ = ["Broken", "Operation", "Peer", "Proxy"]

_HEADER = struct.Struct("<I")
_ASK, _VALUE, _RAISED = b"A", b"V", b"R"
_MAX_NESTING = 60
_MAX_OBJECTS = 200_000
_MAX_TEXT = 2000

Operation = Callable[..., Any]


class Broken(Exception):
    """The other side is gone, or sent what the protocol does not allow."""


class Proxy:
    """Stands for an object of the other side, by its number."""

    __slots__ = ("_number", "_peer", "_word")

    def __init__(self, peer: Peer, number: int, word: str) -> None:
        object.__setattr__(self, "_peer", peer)
        object.__setattr__(self, "_number", number)
        object.__setattr__(self, "_word", word)


class Peer:
    """One end of the link.

    `proxy` makes the stand-in for an object of the other side; `broken` is called, and does not return, where the other
    side is gone or breaks the protocol.
    """

    types: Mapping[str, type] = BY_NAME
    """What the names of builtin types that arrive stand for."""

    def __init__(
        self,
        inbox: int,
        outbox: int,
        operations: Mapping[str, Operation],
        proxy: Callable[[Peer, int, str], Any],
        broken: Callable[[str], NoReturn],
        limit: int,
    ) -> None:
        self._inbox = inbox
        self._outbox = outbox
        self._operations = operations
        self._proxy = proxy
        self._broken = broken
        self._limit = limit
        self._objects: list[Any] = []
        self._numbers: dict[int, int] = {}
        self._proxies: dict[int, Any] = {}
        self._classes: dict[int, type[BaseException]] = {}
        self._nesting = 0

    # ── asking ───────────────────────────────────────────────────────────────

    def ask(self, operation: str, *arguments: Any, **named: Any) -> Any:
        """Asks for an operation. Returns its result, or raises the exception that it raised there."""
        containers: list[Any] = []
        self._send(_ASK + encode((operation, arguments, named), self._export, containers, self._limit))
        while True:
            message = self._receive()
            kind, body = message[:1], message[1:]
            if kind == _ASK:
                self._answer(body)
            elif kind == _VALUE:
                value, changed = self._read_pair(body, containers)
                self._write_back(changed, containers)
                return value
            elif kind == _RAISED:
                raise self._exception(self._read(body, containers))
            else:
                self._broken("a message of no known kind")

    def serve(self) -> None:
        """Answers until the other side is gone."""
        while True:
            message = self._receive()
            if message[:1] != _ASK:
                self._broken("an answer to no question")
            self._answer(message[1:])

    # ── answering ────────────────────────────────────────────────────────────

    def _answer(self, body: bytes) -> None:
        """Does what the other side asked and sends the result, with the containers among the arguments that changed."""
        if self._nesting >= _MAX_NESTING:
            self._broken(f"calls nested deeper than {_MAX_NESTING}")
        containers: list[Any] = []
        asked = self._read(body, containers)
        try:
            name, arguments, named = asked
            operation = self._operations[name]
        except (TypeError, ValueError, LookupError):
            self._broken("a question of no known form")
        before = [(c, _shallow(c)) for c in containers]
        self._nesting += 1
        try:
            value = operation(*arguments, **named)
            changed = [(i, _shallow(c)) for i, (c, was) in enumerate(before) if not _unchanged(c, was)]
            answer = _VALUE + encode((value, changed), self._export, containers, self._limit)
        except Broken:
            raise
        except BaseException as error:
            answer = _RAISED + self._describe(error)
        finally:
            self._nesting -= 1
        self._send(answer)

    def _describe(self, error: BaseException) -> bytes:
        """An exception as bytes: its nearest builtin class, its name, text and arguments."""
        kind = type(error)
        base = _builtin_base(kind)
        number = -1 if kind is base else self._number(kind)
        plain = (base.__name__, kind.__name__[:200], number, _text(error))
        try:
            return encode((*plain, error.args), self._export, [], min(self._limit, 1 << 16))
        except BaseException:
            return encode((*plain, None), self._export, [], self._limit)

    def _exception(self, described: Any) -> BaseException:
        """The exception that the other side described."""
        try:
            base_name, name, number, text, args = described
            base = getattr(builtins, base_name)
            if not (isinstance(base, type) and issubclass(base, BaseException) and isinstance(text, str)):
                raise ValueError
            kind: type[BaseException] = base if number < 0 else self.exception_class(number, name, base)
        except (TypeError, ValueError, AttributeError):
            self._broken("an exception of no known form")
        for attempt in (args if isinstance(args, tuple) else (text,), (text,)):
            if not _safe_arguments(kind, attempt):
                continue
            try:
                return kind(*attempt)
            except Exception:
                continue
        return Exception(f"{name}: {text}")

    def exception_class(self, number: int, name: str, base: type[BaseException]) -> type[BaseException]:
        """The class on this side that stands for an exception class of the other side, for `except`."""
        if number not in self._classes:
            self._classes[number] = type(str(name), (base,), {"__module__": "candidate"})
        return self._classes[number]

    # ── objects and values ───────────────────────────────────────────────────

    def _number(self, value: Any) -> int:
        """The number that names this object to the other side."""
        number = self._numbers.get(id(value))
        if number is None:
            if len(self._objects) >= _MAX_OBJECTS:
                raise Untransferable(f"more than {_MAX_OBJECTS} objects")
            number = self._numbers[id(value)] = len(self._objects)
            self._objects.append(value)
        return number

    def _export(self, value: Any) -> tuple[str, int, str]:
        """How a value without a form of its own is sent: whose object it is, its number, a word on its kind."""
        if isinstance(value, Proxy):
            return "theirs", object.__getattribute__(value, "_number"), ""
        for number, kind in self._classes.items():
            if kind is value:
                return "theirs", number, ""
        if isinstance(value, type) and issubclass(value, BaseException):
            return "ours", self._number(value), f"exception {_builtin_base(value).__name__} {value.__name__}"
        return "ours", self._number(value), "module" if type(value) is type(os) else "object"

    def _resolve(self, number: int, word: str) -> Any:
        """The object that arrived as a number: one of this side's, or a stand-in for one of the other's."""
        if not word:
            return self._objects[number]
        if word.startswith("exception "):
            _, base_name, name = word.split(" ", 2)
            base = getattr(builtins, base_name, None)
            if isinstance(base, type) and issubclass(base, BaseException):
                return self.exception_class(number, name, base)
            raise Malformed("no such exception")
        if number not in self._proxies:
            self._proxies[number] = self._proxy(self, number, word)
        return self._proxies[number]

    def _read(self, body: bytes, containers: list[Any]) -> Any:
        try:
            return decode(body, self._resolve, containers, self.types)
        except Malformed as error:
            self._broken(f"a malformed message ({error})")

    def _read_pair(self, body: bytes, containers: list[Any]) -> tuple[Any, Any]:
        pair = self._read(body, containers)
        if type(pair) is not tuple or len(pair) != 2:
            self._broken("an answer of no known form")
        return pair

    def _write_back(self, changed: Any, containers: list[Any]) -> None:
        """Gives the containers that were passed as arguments the content that they have on the other side."""
        try:
            for index, content in changed:
                refill(containers[index], content)
        except (Malformed, TypeError, ValueError, LookupError) as error:
            self._broken(f"a malformed message ({error})")

    def close(self) -> None:
        """Forgets the pipes: an object that outlives its program must not write to the next program."""
        self._inbox = self._outbox = -1

    def owns(self, value: Any) -> bool:
        """Whether this object was handed to the other side before."""
        number = self._numbers.get(id(value))
        return number is not None and self._objects[number] is value

    # ── bytes ────────────────────────────────────────────────────────────────

    def _send(self, payload: bytes) -> None:
        data = memoryview(_HEADER.pack(len(payload)) + payload)
        try:
            while data:
                data = data[os.write(self._outbox, data) :]
        except OSError:
            self._broken("")

    def _receive(self) -> bytes:
        try:
            data = os.read(self._inbox, 1 << 16)
            while 0 < len(data) < 4:
                more = os.read(self._inbox, 1 << 16)
                data = data + more if more else b""
            if not data:
                self._broken("")
            (size,) = _HEADER.unpack_from(data)
            if size > self._limit + 64:
                self._broken("a message larger than the limit")
            if len(data) < size + 4:
                parts, missing = [data], size + 4 - len(data)
                while missing > 0:
                    part = os.read(self._inbox, min(missing, 1 << 20))
                    if not part:
                        self._broken("")
                    parts.append(part)
                    missing -= len(part)
                data = b"".join(parts)
        except OSError:
            self._broken("")
        if len(data) != size + 4:
            self._broken("more than one message at a time")
        return data[4:]


def _shallow(container: Any) -> Any:
    """A copy of the container that holds the same elements."""
    if isinstance(container, (list, deque)):
        return list(container)
    if isinstance(container, dict):
        return dict(container)
    return bytearray(container) if isinstance(container, bytearray) else set(container)


def _unchanged(now: Any, was: Any) -> bool:
    """Whether a container holds the same elements as before. What changed inside an element does not count."""
    if len(now) != len(was):
        return False
    if isinstance(now, dict):
        return all(map(operator.is_, now, was)) and all(map(operator.is_, now.values(), was.values()))
    if isinstance(now, bytearray):
        return bytes(now) == bytes(was)
    if isinstance(now, (set, frozenset)):
        return not now - was
    return all(map(operator.is_, now, was))


def _safe_arguments(kind: type[BaseException], arguments: tuple[Any, ...]) -> bool:
    """False for a UnicodeError whose positions lie outside of its text: C code reads there, and crashes."""
    if not issubclass(kind, UnicodeError) or len(arguments) < 4:
        return True
    text, start, end = arguments[-4:-1]
    try:
        return bool(0 <= start <= end <= len(text))
    except TypeError:
        return False


def _builtin_base(kind: type) -> type:
    """The nearest builtin class that this one derives from."""
    return next(c for c in kind.__mro__ if c.__module__ == "builtins" and hasattr(builtins, c.__name__))


def _text(error: BaseException) -> str:
    try:
        return str.__str__(str(error))[:_MAX_TEXT]
    except BaseException as second:
        return f"<its text raised {type(second).__name__}>"
