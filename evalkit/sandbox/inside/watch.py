"""One worker: takes programs one at a time, starts their two processes, holds them to the limits, reaps them."""

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
from array import array
from typing import NoReturn

from . import tester
from .confine import Confinement
from .kernel import PR_SET_CHILD_SUBREAPER, PR_SET_PDEATHSIG, prctl
from .limits import Limits

__all__ = ["Ended", "serve"]

_TICK = 0.05
"""Between looks at memory and threads, which no single limit of the kernel's holds in every tier."""
_SHORT_TICK = 0.002
"""Where the end of a process has to be asked for."""
_PAGE = os.sysconf("SC_PAGE_SIZE")
_MESSAGE = 1 << 16


@dataclasses.dataclass(frozen=True)
class Ended:
    """How a program ended, as seen from outside: what the harness is told beside the tester's report."""

    how: str
    """`done`: the tester has reported. `lost`: it died without. Else the verdict of a limit."""
    detail: str
    seconds: float


def serve(control: _socket.socket, confinement: Confinement, limits: Limits) -> NoReturn:
    """Until the harness is gone."""
    if sys.platform == "linux":
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        prctl(PR_SET_CHILD_SUBREAPER, 1)
    confinement.enter_worker()
    while True:
        message, fds = _receive(control)
        if not message:
            os._exit(0)
        source, tests, report = fds
        ended = _Run(control.fileno(), confinement, limits).judge(source, tests, report)
        for fd in fds:
            os.close(fd)
        with contextlib.suppress(OSError):
            control.send(json.dumps([*dataclasses.astuple(ended)]).encode())


def _receive(control: _socket.socket) -> tuple[bytes, list[int]]:
    fds = array("i")
    message, attached, _, _ = control.recvmsg(_MESSAGE, _socket.CMSG_SPACE(3 * fds.itemsize))
    for level, kind, data in attached:
        if level == _socket.SOL_SOCKET and kind == _socket.SCM_RIGHTS:
            fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
    return message, list(fds)


class _Run:
    def __init__(self, control: int, confinement: Confinement, limits: Limits) -> None:
        self._control = control
        self._confinement = confinement
        self._limits = limits
        self._candidate = 0

    def judge(self, source: int, tests: int, report: int) -> Ended:
        self._pids, pids = os.pipe()
        self._started = time.monotonic()
        try:
            self._tester = os.fork()
        except OSError as error:
            os.close(self._pids)
            os.close(pids)
            return Ended("lost", f"a process could not be started: {error.strerror}", 0.0)
        if self._tester == 0:
            os.close(self._control)
            os.close(self._pids)
            if self._confinement.proc >= 0:
                os.close(self._confinement.proc)
            tester.run(source, tests, report, pids, self._confinement, self._limits)
        os.close(pids)
        limit, detail = self._watch()
        seconds = max(0.0, self._used())
        status = self._end()
        os.close(self._pids)
        if limit:
            return Ended(limit, detail, seconds)
        if os.WIFSIGNALED(status):
            if os.WTERMSIG(status) == signal.SIGXCPU:
                return Ended("timed_out", "out of CPU time", seconds)
            return Ended("lost", f"the tester was killed by signal {os.WTERMSIG(status)}", seconds)
        if os.WEXITSTATUS(status):
            return Ended("lost", f"the tester ended with status {os.WEXITSTATUS(status)}", seconds)
        return Ended("done", "", seconds)

    def _watch(self) -> tuple[str, str]:
        """Until the tester ends or a limit is reached; which one, and in words."""
        poll = select.poll()
        poll.register(self._control, 0)
        exited = os.pidfd_open(self._tester) if hasattr(os, "pidfd_open") else -1
        if exited >= 0:
            poll.register(exited, select.POLLIN)
        try:
            while True:
                events = poll.poll(1000 * (_TICK if exited >= 0 else _SHORT_TICK))
                if any(fd == self._control for fd, _ in events):
                    self._end()
                    os._exit(0)
                if events or (exited < 0 and _has_ended(self._tester)):
                    return "", ""
                over = self._over()
                if over:
                    return over
        finally:
            if exited >= 0:
                os.close(exited)

    def _over(self) -> tuple[str, str] | None:
        limits = self._limits
        if self._used() > limits.seconds:
            return "timed_out", f"more than {limits.seconds:g} s"
        if time.monotonic() - self._started > limits.cap:
            return "timed_out", f"more than {limits.cap:g} s by the clock, waiting for a CPU included"
        for pid in (self._known_candidate(), self._tester):
            if not pid:
                continue
            if _cpu_seconds(pid) > limits.cpu:
                return "timed_out", f"more than {limits.cpu:g} s of CPU time"
            if self._figure(pid, "statm", 1) * _PAGE > limits.memory + (64 << 20):
                return "memory", f"more than {limits.memory >> 20} MiB"
            if self._figure(pid, "stat", -33) > limits.threads:
                return "failed", f"exit: more than {limits.threads} threads"
        return None

    def _used(self) -> float:
        """Wall time less the time that the program's two processes spent waiting for a CPU."""
        wall = time.monotonic() - self._started
        pids = [p for p in (self._tester, self._known_candidate()) if p]
        ran = sum(self._figure(p, "schedstat", 0) for p in pids) / 1e9
        waited = sum(self._figure(p, "schedstat", 1) for p in pids) / 1e9
        return min(wall, max(wall - waited, ran))

    def _figure(self, pid: int, name: str, field: int) -> int:
        try:
            fd = os.open(f"{pid}/{name}", os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._confinement.proc)
        except OSError:
            return 0
        try:
            return int(os.read(fd, 1024).split()[field])
        except (OSError, ValueError, IndexError):
            return 0
        finally:
            os.close(fd)

    def _known_candidate(self) -> int:
        if not self._candidate:
            poll = select.poll()
            poll.register(self._pids, select.POLLIN)
            if poll.poll(0):
                data = os.read(self._pids, tester.PID.size)
                if len(data) == tester.PID.size:
                    (self._candidate,) = tester.PID.unpack(data)
        return self._candidate

    def _end(self) -> int:
        """Kills what is left of the program, waits until nothing is; the tester's own status."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._tester, signal.SIGKILL)
        _, status = os.waitpid(self._tester, 0)
        candidate = self._known_candidate()
        if self._confinement.tier == "unsafe-none" and candidate:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(candidate, signal.SIGKILL)
        while True:
            try:
                # Its parent gone, it is our child, or the tester reaped it and the number may be another's by now.
                if candidate and os.waitpid(candidate, os.WNOHANG) == (0, 0):
                    os.kill(candidate, signal.SIGKILL)
                candidate = 0
                os.waitpid(-1, 0)
            except ChildProcessError:
                if not candidate:
                    return status
                candidate = 0


def _has_ended(pid: int) -> bool:
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _cpu_seconds(pid: int) -> float:
    """Over all of the process's threads."""
    try:
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        return 0.0
