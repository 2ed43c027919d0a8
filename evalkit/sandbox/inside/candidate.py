"""The process that runs untrusted code: executes the source, then does to its objects what the tester asks."""

from __future__ import annotations

import operator
import os
import select
import sys
import types
from typing import Any, NoReturn

from .confine import Confinement
from .limits import Limits
from .peer import Peer, Proxy

__all__ = ["MODULE", "run"]

MODULE = "candidate"
_INBOX, _OUTBOX = 900, 901
"""High numbers, out of the way of code that closes or replaces whatever it finds open."""


def run(source: int, inbox: int, outbox: int, confinement: Confinement, limits: Limits) -> NoReturn:
    try:
        text = _read(source).decode("utf-8", "surrogatepass")
        os.dup2(inbox, _INBOX)
        os.dup2(outbox, _OUTBOX)
        os.closerange(3, _INBOX) if confinement.rules < 0 else _close_but(confinement.rules)
        confinement.apply(limits)
        if confinement.rules >= 0:
            os.close(confinement.rules)
        _leave_if_orphan()
        module = types.ModuleType(MODULE)
        sys.modules[MODULE] = module
        Peer(_INBOX, _OUTBOX, _operations(module, text), Borrowed, _gone, limits.answer_bytes).serve()
    except BaseException:
        os._exit(70)
    finally:
        os._exit(71)


def _gone(reason: str) -> NoReturn:
    os._exit(0)


def _read(fd: int) -> bytes:
    size = os.fstat(fd).st_size
    return os.pread(fd, size, 0) if size else b""


def _close_but(kept: int) -> None:
    os.closerange(3, kept)
    os.closerange(kept + 1, _INBOX)
    os.closerange(_OUTBOX + 1, 4096)


def _leave_if_orphan() -> None:
    """The tester may have gone before its death was made to be ours."""
    poll = select.poll()
    poll.register(_INBOX, 0)
    if poll.poll(0):
        os._exit(0)


class Borrowed(Proxy):
    """An object of the tests' that was passed as an argument: it can be called and iterated over."""

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
    space = module.__dict__

    def load() -> str:
        """Runs the source; what stopped it, or nothing."""
        try:
            code = compile(source, "<candidate>", "exec", dont_inherit=True, optimize=0)
        except (SyntaxError, ValueError, OverflowError, RecursionError) as error:
            return f"syntax: {type(error).__name__}: {error}"
        exec(code, space)
        return ""

    def name(wanted: str) -> tuple[bool, Any]:
        return wanted in space, space.get(wanted)

    def call(target: Any, /, *arguments: Any, **named: Any) -> Any:
        return target(*arguments, **named)

    def leave(target: Any) -> None:
        target.__exit__(None, None, None)

    return {
        "load": load,
        "name": name,
        "call": call,
        "callable": callable,
        "get": getattr,
        "set": setattr,
        "del": delattr,
        "iter": iter,
        "next": next,
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
        "leave": leave,
        **{o: getattr(operator, o) for o in _BINARY},
        **{o: getattr(operator, o) for o in ("neg", "pos", "invert")},
    }


_BINARY = (
    "eq", "ne", "lt", "le", "gt", "ge", "add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul",
    "and_", "or_", "xor", "lshift", "rshift",
)  # fmt: skip
