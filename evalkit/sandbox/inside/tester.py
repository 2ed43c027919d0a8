"""The process that runs the trusted tests and alone says the verdict. It judges one program after another.

It never starts anything and a candidate never descends from it, so nothing of the tests is in any candidate's
memory. It ends itself, and the worker starts another, whenever a program's tests may have left a trace in it.
"""

from __future__ import annotations

import _socket
import builtins
import functools
import json
import os
import sys
import traceback
import types
from collections.abc import Callable
from typing import Any, NoReturn

from .confine import Confinement
from .descriptors import receive
from .limits import Limits
from .peer import Peer
from .remote import Remote

__all__ = ["DONE", "GONE", "LEAVING", "PROGRAMS", "serve"]

DONE, LEAVING, GONE = b"d", b"l", b"g"
"""To the worker: reported; reported, and this process ends; the candidate is no longer there, and this one ends."""
PROGRAMS = 200
"""How many one process judges."""

_MAX_REASON = 400
_TESTS = "tests"


def serve(link: _socket.socket, confinement: Confinement, limits: Limits) -> NoReturn:
    try:
        confinement.apply(limits, PROGRAMS)
        before = dict(vars(builtins))
        for count in range(1, PROGRAMS + 1):
            message, fds = receive(link, 4)
            if not message:
                break
            _Exam(link, fds, limits).run()
            for fd in fds:
                os.close(fd)
            stays = count < PROGRAMS and _untouched(before)
            link.send(DONE if stays else LEAVING)
            if not stays:
                break
        os._exit(0)
    finally:
        os._exit(1)


def _untouched(before: dict[str, Any]) -> bool:
    """Whether the next program's tests find everything as these found it."""
    now = vars(builtins)
    threading = sys.modules.get("threading")
    if len(now) != len(before) or any(now.get(name) is not value for name, value in before.items()):
        return False
    if threading is not None and threading.active_count() > 1:
        return False
    sys.setrecursionlimit(1000)
    sys.modules["random"].seed()
    return True


@functools.lru_cache(maxsize=64)
def _compiled(text: str, name: str) -> types.CodeType:
    """Kept, for a problem's next sample."""
    return compile(text, name, "exec", dont_inherit=True, optimize=0)


class _Space(dict[str, Any]):
    """The tests' globals. A name that neither they nor the language define is looked up in the candidate."""

    def __init__(self, peer: Peer) -> None:
        super().__init__(__name__=_TESTS, __builtins__=builtins)
        self._peer = peer

    def __missing__(self, name: str) -> Any:
        # Were the candidate asked first, its own `abs` or `len` would judge it.
        if hasattr(builtins, name):
            raise KeyError(name)
        found, value = self._peer.ask("name", name)
        if found is not True:
            raise KeyError(name)
        if isinstance(value, Remote) and object.__getattribute__(value, "_word") == "module":
            value = self._module(value)
        return value

    def _module(self, value: Any) -> Any:
        """A module that the candidate imported is taken from here, where nobody changed it."""
        name = str(value.__name__)
        if name.partition(".")[0] not in sys.stdlib_module_names:
            return value
        __import__(name)
        return sys.modules[name]


class _Exam:
    """One program's."""

    def __init__(self, link: _socket.socket, fds: list[int], limits: Limits) -> None:
        self._link = link
        tests, self._report, inbox, outbox = fds
        job = json.loads(os.pread(tests, os.fstat(tests).st_size, 0).decode("utf-8", "surrogatepass"))
        self._tests: str = job["tests"]
        self._prelude: str = job["prelude"]
        self._entry: str | None = job["entry_point"]
        self._peer = Peer(inbox, outbox, self._offered(), Remote, self._broken, limits.answer_bytes)

    def run(self) -> None:
        verdict, reason = self._judge()
        self._peer.close()
        self._say(verdict, reason)

    def _judge(self) -> tuple[str, str]:
        space = _Space(self._peer)
        sys.modules[_TESTS] = types.ModuleType(_TESTS)
        try:  # while the candidate starts
            if not self._tests.strip():
                raise ValueError("there are none")
            tests = _compiled(self._tests, "<tests>")
            exec(_compiled(self._prelude, "<prelude>"), space)
        except BaseException as error:  # not the candidate's fault
            return "sandbox_error", f"tests: {type(error).__name__}: {error}"
        try:
            problem = self._peer.ask("load")
            if problem:
                return "failed", str(problem)
            if self._entry is None:
                exec(tests, space)
                return "passed", ""
            found, function = self._peer.ask("name", self._entry)
            if found is not True:
                return "failed", f"no such function: {self._entry}"
            if not isinstance(function, Remote) or self._peer.ask("callable", function) is not True:
                return "failed", f"no such function: {self._entry} is not callable"
            space[self._entry] = function
            exec(tests, space)
            check: Callable[[Any], Any] | None = dict.get(space, "check")
            if check is not None:  # plain asserts have done their work by now
                check(function)
        except MemoryError:
            return "memory", "out of memory"
        except BaseException as error:
            return "failed", self._reason(error)
        return "passed", ""

    # ── what the candidate may do here ───────────────────────────────────────

    def _offered(self) -> dict[str, Any]:
        def own(target: Any) -> Any:
            if not self._peer.owns(target):
                raise PermissionError("not an object of the tests'")
            return target

        def field(target: Any, name: Any) -> Any:
            if type(own(target)).__module__ != _TESTS or type(name) is not str or name.startswith("_"):
                raise AttributeError(name)
            return target

        return {
            "call": lambda target, /, *arguments, **named: own(target)(*arguments, **named),
            "iter": lambda target: iter(own(target)),
            "next": lambda target: next(own(target)),
            "get": lambda target, name: getattr(field(target, name), name),
            "set": lambda target, name, value: setattr(field(target, name), name, value),
        }

    # ── the verdict ──────────────────────────────────────────────────────────

    def _broken(self, reason: str) -> NoReturn:
        """Said here and now: raised, it could be caught by a test that expects an exception."""
        self._say("failed", f"exit: {reason}" if reason else "exit:")
        self._link.send(LEAVING if reason else GONE)
        os._exit(0)

    def _reason(self, error: BaseException) -> str:
        text = _text(error)
        frames = list(traceback.walk_tb(error.__traceback__))
        at = next((n for frame, n in reversed(frames) if frame.f_code.co_filename == "<tests>"), 0)
        where = f"line {at}: {self._tests.splitlines()[at - 1].strip()[:160]}" if at else ""
        if isinstance(error, AssertionError):
            return f"assertion: {', '.join(filter(None, (where, text)))}"
        if isinstance(error, SystemExit):
            return f"exit: SystemExit {text}".rstrip()
        if isinstance(error, NameError) and frames[-1][0].f_code.co_filename == "<tests>":
            return f"no such function: {text}"
        return f"exception: {type(error).__name__}: {text}{f' ({where})' if where else ''}"

    def _say(self, verdict: str, reason: str) -> None:
        clean = "".join(c if c.isprintable() else " " for c in reason[:_MAX_REASON])
        os.write(self._report, json.dumps([verdict, clean]).encode())


def _text(error: BaseException) -> str:
    try:
        return str(error)[:_MAX_REASON]
    except BaseException:
        return ""
