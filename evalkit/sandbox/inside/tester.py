"""The process that runs the trusted tests and reports the verdict, for one program after another.

No candidate is forked from it, so nothing of the tests is in any candidate's memory. Where a program's tests may have
changed something in it, it ends itself, and the worker starts another.
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
from .names import TestNames, looks_like_a_class
from .remote import Remote, TesterPeer, mark_class
from .usage import expects_stop, makes_instances

__all__ = ["CRASHED", "DONE", "GONE", "LEAVING", "PROGRAMS", "serve"]

DONE, LEAVING, GONE = b"d", b"l", b"g"
"""Messages to the worker: reported; reported, and this process ends; the candidate is gone, and this process ends."""
CRASHED = 97
"""The exit status after an error that this process cannot handle, such as being out of memory while reporting."""
PROGRAMS = 200
"""How many programs one process judges before it is replaced."""

_MAX_REASON = 400
_TESTS = "tests"


def serve(link: _socket.socket, confinement: Confinement, limits: Limits) -> NoReturn:
    """Confines this process and judges programs that the worker sends."""
    try:
        confinement.apply(limits, PROGRAMS)
    except BaseException:
        os._exit(1)
    try:
        before = dict(vars(builtins))
        for count in range(1, PROGRAMS + 1):
            message, fds = receive(link, 4)
            if not message:
                break
            exam = _Exam(link, fds, limits)
            exam.run()
            for fd in fds:
                os.close(fd)
            stays = count < PROGRAMS and not exam.loaded_a_module and _untouched(before)
            link.send(DONE if stays else LEAVING)
            if not stays:
                break
        os._exit(0)
    finally:
        os._exit(CRASHED)


def _untouched(before: dict[str, Any]) -> bool:
    """Whether this process is as it was before the first program, so that it can judge another."""
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
    """Compiles tests, and keeps the code for the next program of the same problem."""
    return compile(text, name, "exec", dont_inherit=True, optimize=0)


class _Exam:
    """Runs the tests against one program and reports the verdict."""

    def __init__(self, link: _socket.socket, fds: list[int], limits: Limits) -> None:
        self._link = link
        tests, self._report, inbox, outbox = fds
        job = json.loads(os.pread(tests, os.fstat(tests).st_size, 0).decode("utf-8", "surrogatepass"))
        self._tests: str = job["tests"]
        self._prelude: str = job["prelude"]
        self._entry: str | None = job["entry_point"]
        self._peer = TesterPeer(inbox, outbox, self._offered(), Remote, self._broken, limits.answer_bytes)
        self._peer.stop_iteration_expected = expects_stop(self._tests)
        self._names = TestNames(self._peer, self._tests, self._entry, _TESTS)

    def run(self) -> None:
        """Judges the program and writes the report."""
        verdict, reason = self._judge()
        self._peer.close()
        self._say(verdict, reason)

    @property
    def loaded_a_module(self) -> bool:
        """Whether a module was loaded here that the program named."""
        return self._names.loaded_a_module

    def _judge(self) -> tuple[str, str]:
        """The verdict and its reason."""
        space = self._names
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
            exists, function = self._peer.ask("name", self._entry)
            if exists is not True:
                return "failed", f"no such function: {self._entry}"
            if not isinstance(function, Remote) or self._peer.ask("callable", function) is not True:
                return "failed", f"no such function: {self._entry} is not callable"
            if looks_like_a_class(self._entry) and makes_instances(self._tests, self._entry, True):
                mark_class(function)
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
        """The operations that the candidate may ask for. They work on objects that the tests handed to it."""

        def own(target: Any) -> Any:
            if not self._peer.owns(target):
                raise PermissionError("not an object of the tests'")
            return target

        def field(target: Any, name: Any) -> Any:
            if type(own(target)).__module__ != _TESTS or type(name) is not str or name.startswith("_"):
                raise AttributeError(name)
            return target

        def put(target: Any, name: Any, value: Any) -> None:
            if callable(getattr(type(field(target, name)), name, None)):
                raise AttributeError(f"{name} is a method of the tests'")
            setattr(target, name, value)

        return {
            "call": lambda target, /, *arguments, **named: own(target)(*arguments, **named),
            "iter": lambda target: iter(own(target)),
            "next": lambda target: next(own(target)),
            "get": lambda target, name: getattr(field(target, name), name),
            "set": put,
        }

    # ── the verdict ──────────────────────────────────────────────────────────

    def _broken(self, reason: str) -> NoReturn:
        """Reports and ends this process. An exception could be caught by a test that expects one."""
        self._say("failed", f"exit: {reason}" if reason else "exit:")
        self._link.send(LEAVING if reason else GONE)
        os._exit(0)

    def _reason(self, error: BaseException) -> str:
        """Why the tests failed: the kind of failure, and the line of the tests."""
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
        """Writes the report for the harness."""
        clean = "".join(c if c.isprintable() else " " for c in reason[:_MAX_REASON])
        os.write(self._report, json.dumps([verdict, clean]).encode())


def _text(error: BaseException) -> str:
    try:
        return str(error)[:_MAX_REASON]
    except BaseException:
        return ""
