"""A worker: takes programs one at a time, starts a process for each, and holds it and its tests to the limits."""

from __future__ import annotations

import _socket
import contextlib
import dataclasses
import json
import os
import select
import signal
import sys
import time
from typing import NoReturn

from . import candidate, tester
from .clock import Clock
from .confine import Confinement
from .descriptors import close_but, receive, send
from .kernel import PR_SET_PDEATHSIG, prctl
from .limits import Limits

__all__ = ["Ended", "Worker", "serve"]

_TICK = 0.05
"""Seconds between two checks of time, memory and threads."""
_DYING = 0.2
"""Seconds to wait for the end of a candidate that closed its pipe, to tell what ended it."""


@dataclasses.dataclass(frozen=True)
class Ended:
    """How a program ended, as the worker saw it: what the harness is told beside the tester's report."""

    how: str
    """`done`: the tester has reported. `gone`: it reported that the candidate ended. `lost`: the tester ended before it
    reported. `killed`: it was ended by a signal, or could not go on. Anything else is the verdict of a limit."""
    detail: str
    seconds: float


def serve(control: _socket.socket, confinement: Confinement, limits: Limits) -> NoReturn:
    """Judges programs from this socket until the harness is gone."""
    if sys.platform == "linux":
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    confinement.enter_worker()
    worker = Worker(control, confinement, limits)
    while True:
        message, fds = receive(control, 3)
        if not message:
            worker.leave()
        source, tests, report = fds
        ended = worker.judge(source, tests, report, limits.of_one(json.loads(message)["seconds"]))
        for fd in fds:
            os.close(fd)
        with contextlib.suppress(OSError):
            control.send(json.dumps(dataclasses.astuple(ended)).encode())


class Worker:
    """Holds one tester for many programs, and one candidate for each."""

    def __init__(self, control: _socket.socket, confinement: Confinement, limits: Limits) -> None:
        self._control = control
        self._confinement = confinement
        self._limits = limits
        self._tester = 0
        self._candidate = 0
        self._link: _socket.socket | None = None

    def judge(self, source: int, tests: int, report: int, limits: Limits) -> Ended:
        """Runs one program against its tests. The descriptors are two files, and a pipe for the report."""
        try:
            link = self._started_tester()
        except OSError as error:
            return Ended("lost", f"a tester could not be started: {error.strerror or error}", 0.0)
        # These are made after the tester was forked, which would otherwise hold the candidate's ends open as well.
        to_candidate, from_candidate = os.pipe(), os.pipe()
        try:
            clock = Clock(self._confinement.proc, self._tester)
            self._candidate = self._start_candidate(source, to_candidate[0], from_candidate[1], limits)
            clock.watch(self._candidate)
            send(link, b"judge", (tests, report, from_candidate[0], to_candidate[1]))
        except OSError as error:
            self._end_both()
            return Ended("lost", f"a process could not be started: {error.strerror or error}", 0.0)
        finally:
            for fd in (*to_candidate, *from_candidate):
                os.close(fd)
        how, detail = self._watch(link, clock, limits)
        seconds = clock.used()
        if how == "done":
            self._end_candidate()
        elif how == "gone":
            detail = self._how_it_died()
            self._end_both()
        else:
            self._end_both()
        return Ended(how, detail, seconds)

    def leave(self) -> NoReturn:
        """Ends the candidate, the tester and this process."""
        self._end_both()
        os._exit(0)

    # ── starting ─────────────────────────────────────────────────────────────

    def _started_tester(self) -> _socket.socket:
        """The socket to the tester, which is started where there is none."""
        if self._link is not None:
            return self._link
        ours, theirs = _socket.socketpair()
        pid = os.fork()
        if pid == 0:
            close_but(theirs.fileno(), self._confinement.rules)
            tester.serve(theirs, self._confinement, self._limits)
        theirs.close()
        self._tester, self._link = pid, ours
        return ours

    def _start_candidate(self, source: int, inbox: int, outbox: int, limits: Limits) -> int:
        pid = self._confinement.fork_candidate()
        if pid == 0:
            candidate.run(source, inbox, outbox, self._confinement, limits)
        return pid

    # ── watching ─────────────────────────────────────────────────────────────

    def _watch(self, link: _socket.socket, clock: Clock, limits: Limits) -> tuple[str, str]:
        """Waits until the tester reports or a limit is reached. Returns how it ended, and details in words."""
        poll = select.poll()
        poll.register(self._control, 0)
        poll.register(link, select.POLLIN)
        while True:
            events = poll.poll(1000 * _TICK)
            if any(fd == self._control.fileno() for fd, _ in events):
                self.leave()
            if events:
                return self._heard(link.recv(1))
            over = clock.over(limits)
            if over:
                return over

    def _heard(self, word: bytes) -> tuple[str, str]:
        """What the tester's message means; an empty one means that it ended."""
        if word == tester.DONE:
            return "done", ""
        if word == tester.LEAVING:
            self._end_tester()
            return "done", ""
        if word == tester.GONE:
            return "gone", ""
        status = self._end_tester()
        if os.WIFSIGNALED(status):
            return "killed", f"the tests' process was killed by {_signal_name(os.WTERMSIG(status))}"
        if os.WEXITSTATUS(status) == tester.CRASHED:
            return "killed", "the tests' process could not go on"
        return "lost", f"the tester ended with status {os.WEXITSTATUS(status)}"

    def _how_it_died(self) -> str:
        """What ended the candidate, in words."""
        deadline = time.monotonic() + _DYING
        while time.monotonic() < deadline:
            pid, status = os.waitpid(self._candidate, os.WNOHANG)
            if pid:
                self._candidate = 0
                if os.WIFSIGNALED(status):
                    return f"killed by {_signal_name(os.WTERMSIG(status))}"
                return f"the program ended with status {os.WEXITSTATUS(status)}"
            time.sleep(0.0005)
        return "the program hung up"

    # ── ending ───────────────────────────────────────────────────────────────

    def _end_both(self) -> None:
        self._end_candidate()
        self._end_tester()

    def _end_candidate(self) -> None:
        """Kills the candidate and waits for its end. It has started no process that could stay, except unconfined."""
        if self._candidate:
            if self._confinement.tier == "unsafe-none":
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(self._candidate, signal.SIGKILL)
            os.kill(self._candidate, signal.SIGKILL)
            os.waitpid(self._candidate, 0)
            self._candidate = 0

    def _end_tester(self) -> int:
        """Kills the tester and waits for its end; returns its wait status."""
        status = 0
        if self._tester:
            os.kill(self._tester, signal.SIGKILL)
            _, status = os.waitpid(self._tester, 0)
            self._tester = 0
        if self._link is not None:
            self._link.close()
            self._link = None
        return status


def _signal_name(number: int) -> str:
    """The signal's name, or its number: most of the real-time signals have no name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
