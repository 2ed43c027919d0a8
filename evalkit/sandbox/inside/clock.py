"""Measures what a program has used: time without waiting for a CPU, memory, and threads."""

from __future__ import annotations

import os
import time

from .limits import Limits

__all__ = ["Clock"]

_PAGE = os.sysconf("SC_PAGE_SIZE")
_SLACK = 64 << 20
"""Resident memory that is not the program's own: the interpreter's, and pages shared with the worker."""
_STATE, _THREADS = 0, 17
"""Places in /proc/PID/stat, counted from the field after the process's name."""
_MAIN_THREAD = 1
"""A program may start `limits.threads` threads besides the one it runs in."""


class _Account:
    """One process's time in the scheduler's accounts, and what they held as the program began."""

    def __init__(self, pid: int, ran: float, waited: float, now: float) -> None:
        self.pid = pid
        self.before = self.last = (ran, waited)
        self.changed = now


class Clock:
    """Measures one program and its tests, from the moment it is made. The tester served other programs before."""

    def __init__(self, proc: int, tester: int) -> None:
        self._proc = proc
        self._tester = tester
        self._candidate = 0
        self._began = time.monotonic()
        self._accounts = [_Account(tester, *self._schedule(tester), self._began)]
        self._cpu_before = _cpu_seconds(tester)

    def watch(self, candidate: int) -> None:
        """Adds the candidate, a process that has just been started."""
        self._candidate = candidate
        self._accounts.append(_Account(candidate, 0.0, 0.0, time.monotonic()))

    def used(self) -> float:
        """Seconds of wall time, less those that the program's processes spent waiting for a CPU."""
        now = time.monotonic()
        ran = waited = 0.0
        for account in self._accounts:
            has = self._schedule(account.pid)
            if has != account.last:
                account.last, account.changed = has, now
            elif self._runnable(account.pid):
                # The kernel adds a wait to the account when it ends. While it lasts, the account just does not change.
                waited += now - account.changed
            ran += max(0.0, has[0] - account.before[0])
            waited += max(0.0, has[1] - account.before[1])
        wall = now - self._began
        return min(wall, max(wall - waited, ran))

    def over(self, limits: Limits) -> tuple[str, str] | None:
        """The verdict and the reason of the first limit that was reached; None where none was."""
        if self.used() > limits.seconds:
            return "timed_out", f"more than {limits.seconds:g} s"
        if time.monotonic() - self._began > limits.cap:
            return "timed_out", f"more than {limits.cap:g} s by the clock, waiting for a CPU included"
        if max(_cpu_seconds(self._candidate), _cpu_seconds(self._tester) - self._cpu_before) > limits.cpu:
            return "timed_out", f"more than {limits.cpu:g} s of CPU time"
        for pid in (self._candidate, self._tester):
            if self._resident_pages(pid) * _PAGE > limits.memory + _SLACK:
                return "memory", f"more than {limits.memory >> 20} MiB"
            if self._threads(pid) > limits.threads + _MAIN_THREAD:
                return "failed", f"exit: more than {limits.threads} threads"
        return None

    def _schedule(self, pid: int) -> tuple[float, float]:
        """Seconds that the process's first thread ran, and waited to run."""
        fields = self._read(pid, "schedstat").split()
        return (int(fields[0]) / 1e9, int(fields[1]) / 1e9) if len(fields) > 1 else (0.0, 0.0)

    def _runnable(self, pid: int) -> bool:
        """Whether the process runs or waits for a CPU."""
        return self._stat(pid)[_STATE : _STATE + 1] == [b"R"]

    def _threads(self, pid: int) -> int:
        fields = self._stat(pid)
        return int(fields[_THREADS]) if len(fields) > _THREADS else 0

    def _stat(self, pid: int) -> list[bytes]:
        """The fields of /proc/PID/stat after the name, which the process itself can set to any text."""
        return self._read(pid, "stat").rpartition(b")")[2].split()

    def _resident_pages(self, pid: int) -> int:
        fields = self._read(pid, "statm").split()
        return int(fields[1]) if len(fields) > 1 else 0

    def _read(self, pid: int, name: str) -> bytes:
        try:
            fd = os.open(f"{pid}/{name}", os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._proc)
        except OSError:
            return b""
        try:
            return os.read(fd, 1024)
        except OSError:
            return b""
        finally:
            os.close(fd)


def _cpu_seconds(pid: int) -> float:
    """Seconds of CPU time over all threads of the process."""
    if not pid:
        return 0.0
    try:
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        return 0.0
