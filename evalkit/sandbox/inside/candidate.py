"""The process that runs untrusted code: it executes the source, then does what the tester asks with its objects."""

from __future__ import annotations

import operator
import os
import resource
import sys
import types
from typing import Any, NoReturn

from .confine import Confinement
from .descriptors import close_but
from .limits import Limits
from .peer import Peer, Proxy

__all__ = ["MODULE", "run"]

MODULE = "candidate"
"""The `__name__` of the program's module."""
_HIGH = 900
"""The pipes to the tester get this number and the next, or the highest that the limit on open files allows: out of the
way of code that closes or replaces the descriptors it finds."""


def run(source: int, inbox: int, outbox: int, confinement: Confinement, limits: Limits) -> NoReturn:
    """Confines this process, and answers the tester until it is gone. `source` is a file with the program."""
    try:
        text = _read(source).decode("utf-8", "surrogatepass")
        high = min(_HIGH, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 2)
        os.dup2(inbox, high)
        os.dup2(outbox, high + 1)
        close_but(confinement.rules, high, high + 1)
        confinement.apply(limits)
        if confinement.rules >= 0:
            os.close(confinement.rules)
        module = types.ModuleType(MODULE)
        sys.modules[MODULE] = module
        Peer(high, high + 1, _operations(module, text), Borrowed, _gone, limits.answer_bytes).serve()
    finally:
        os._exit(70)


def _gone(reason: str) -> NoReturn:
    """Ends this process: the tester is gone, or sent something that it never sends."""
    os._exit(0)


def _read(fd: int) -> bytes:
    size = os.fstat(fd).st_size
    return os.pread(fd, size, 0) if size else b""


class Borrowed(Proxy):
    """An object of the tests' that was passed as an argument. It can be called, iterated, and read by attribute."""

    __slots__ = ()

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return self._peer.ask("call", self, *arguments, **named)

    def __iter__(self) -> Any:
        return self._peer.ask("iter", self)

    def __next__(self) -> Any:
        return self._peer.ask("next", self)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return self._peer.ask("get", self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        self._peer.ask("set", self, name, value)


def _operations(module: types.ModuleType, source: str) -> dict[str, Any]:
    """What the tester may ask for, by name."""
    space = module.__dict__

    def load() -> str:
        """Runs the source. Returns what is wrong with its syntax, or an empty text."""
        try:
            code = compile(source, "<candidate>", "exec", dont_inherit=True, optimize=0)
        except (SyntaxError, ValueError, OverflowError, RecursionError) as error:
            return f"syntax: {type(error).__name__}: {error}"
        exec(code, space)
        return ""

    def name(wanted: str) -> tuple[bool, Any]:
        """Whether the program has this name, and its value."""
        return wanted in space, space.get(wanted)

    return {**_ON_OBJECTS, "load": load, "name": name}


def _call(target: Any, /, *arguments: Any, **named: Any) -> Any:
    return target(*arguments, **named)


def _leave(target: Any) -> None:
    target.__exit__(None, None, None)


_BINARY = (
    "eq", "ne", "lt", "le", "gt", "ge", "add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul",
    "and_", "or_", "xor", "lshift", "rshift",
)  # fmt: skip

_ON_OBJECTS: dict[str, Any] = {
    "call": _call,
    "callable": callable,
    "get": getattr,
    "set": setattr,
    "del": delattr,
    "iter": iter,
    "next": next,
    "reversed": reversed,
    "len": len,
    "bool": bool,
    "str": str,
    "repr": repr,
    "hash": hash,
    "int": int,
    "float": float,
    "index": operator.index,
    "item": operator.getitem,
    "put": operator.setitem,
    "drop": operator.delitem,
    "isinstance": isinstance,
    "issubclass": issubclass,
    "enter": lambda target: target.__enter__(),
    "leave": _leave,
    **{name: getattr(operator, name) for name in (*_BINARY, "neg", "pos", "invert")},
}
"""Operations on the candidate's objects."""
