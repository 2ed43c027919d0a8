"""The process that runs the trusted tests. It starts the candidate, calls it, and alone says the verdict."""

from __future__ import annotations

import builtins
import json
import os
import signal
import struct
import sys
import traceback
import types
from collections.abc import Callable
from typing import Any, NoReturn

from . import candidate
from .confine import Confinement
from .limits import Limits
from .peer import Peer
from .remote import Remote

__all__ = ["PID", "run"]

PID = struct.Struct("<i")
_MAX_REASON = 400
_TESTS = "tests"
_KILLED_AS = {signal.SIGXCPU: ("timed_out", "out of CPU time")}


def run(source: int, tests: int, report: int, pids: int, confinement: Confinement, limits: Limits) -> NoReturn:
    """`source`, `tests`: files to read. The candidate's pid goes to `pids`, the verdict to `report`."""
    try:
        to_candidate, from_candidate = os.pipe(), os.pipe()
        # Forked before the tests are read: nothing of them is ever in the candidate's memory.
        child = confinement.fork_candidate()
        if child == 0:
            candidate.run(source, to_candidate[0], from_candidate[1], confinement, limits)
        os.write(pids, PID.pack(child))
        for fd in (source, pids, to_candidate[0], from_candidate[1]):
            os.close(fd)
        confinement.apply(limits)
        _Tester(report, child, tests, from_candidate[0], to_candidate[1], limits).run()
    finally:
        os._exit(1)


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


class _Tester:
    def __init__(self, report: int, child: int, tests: int, inbox: int, outbox: int, limits: Limits) -> None:
        self._report = report
        self._child = child
        job = json.loads(os.pread(tests, os.fstat(tests).st_size, 0).decode("utf-8", "surrogatepass"))
        os.close(tests)
        self._tests: str = job["tests"]
        self._prelude: str = job["prelude"]
        self._entry: str | None = job["entry_point"]
        self._peer = Peer(inbox, outbox, self._offered(), Remote, self._broken, limits.answer_bytes)

    def run(self) -> NoReturn:
        space = self._prepare()
        try:
            problem = self._peer.ask("load")
            if problem:
                self._say("failed", problem)
            check = self._checked(space)
            check()
        except MemoryError:
            self._say("memory", "out of memory")
        except BaseException as error:
            self._say("failed", self._reason(error))
        self._say("passed", "")

    def _prepare(self) -> _Space:
        """Compiles the tests while the candidate starts. What fails here is not the candidate's fault."""
        space = _Space(self._peer)
        try:
            module = types.ModuleType(_TESTS)
            sys.modules[_TESTS] = module
            exec(compile(self._prelude, "<prelude>", "exec", dont_inherit=True, optimize=0), space)
            if not self._tests.strip():
                raise ValueError("there are none")
            self._code = compile(self._tests, "<tests>", "exec", dont_inherit=True, optimize=0)
        except BaseException as error:
            self._say("sandbox_error", f"tests: {type(error).__name__}: {error}")
        return space

    def _checked(self, space: _Space) -> Callable[[], Any]:
        if self._entry is None:
            return lambda: exec(self._code, space)
        found, function = self._peer.ask("name", self._entry)
        if found is not True:
            self._say("failed", f"no such function: {self._entry}")
        if not isinstance(function, Remote) or self._peer.ask("callable", function) is not True:
            self._say("failed", f"no such function: {self._entry} is not callable")
        space[self._entry] = function
        exec(self._code, space)
        check = dict.get(space, "check")
        # Plain asserts have done their work by now.
        return (lambda: check(function)) if check is not None else lambda: None

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
        if reason:
            self._say("failed", f"exit: {reason}")
        _, status = os.waitpid(self._child, 0)
        if os.WIFSIGNALED(status):
            number = signal.Signals(os.WTERMSIG(status))
            verdict, why = _KILLED_AS.get(number, ("failed", f"exit: killed by {number.name}"))
            self._say(verdict, why)
        self._say("failed", f"exit: the program ended with status {os.WEXITSTATUS(status)}")

    def _reason(self, error: BaseException) -> str:
        text = _text(error)
        frames = list(traceback.walk_tb(error.__traceback__))
        at = next((n for frame, n in reversed(frames) if frame.f_code.co_filename == "<tests>"), 0)
        where = f"line {at}: {self._tests.splitlines()[at - 1].strip()[:160]}" if at else ""
        if isinstance(error, AssertionError):
            return f"assertion: {': '.join(filter(None, (where, text)))}"
        if isinstance(error, SystemExit):
            return f"exit: SystemExit {text}".rstrip()
        if isinstance(error, NameError) and frames[-1][0].f_code.co_filename == "<tests>":
            return f"no such function: {text}"
        return f"exception: {type(error).__name__}: {text}{f' ({where})' if where else ''}"

    def _say(self, verdict: str, reason: str) -> NoReturn:
        clean = "".join(c if c.isprintable() else " " for c in reason[:_MAX_REASON])
        os.write(self._report, json.dumps([verdict, clean]).encode())
        os._exit(0)


def _text(error: BaseException) -> str:
    try:
        return str(error)[:_MAX_REASON]
    except BaseException:
        return ""
