"""The server process: it enters a tier, forks the workers, and ends with the harness."""

from __future__ import annotations

import _socket
import _thread
import contextlib
import ctypes
import gc
import io
import json
import os
import select
import signal
import sys
import time
from typing import NoReturn

from .confine import Confinement
from .kernel import PR_SET_CHILD_SUBREAPER, prctl
from .limits import Limits
from .packages import load_libraries, offer
from .watch import serve

__all__ = ["main"]

_LEAVING = 0.3
"""Seconds that the workers get to end their programs when the harness is gone."""
_REAPING = 10.0
"""Seconds that killed processes get to be gone."""
_NOT_ALL_ENDED = 3
"""The exit status where some were not gone in that time."""

_THREAD_STACK = 2 << 20
"""Bytes of stack for each thread of a program. The usual 8 MiB, 64 times, would be all of its memory."""
_M_ARENA_MAX, _ARENAS = -8, 2
"""The C library reserves 64 MiB of addresses for each heap, and by default makes one for every few threads."""

_WARM = """
    math cmath re typing collections collections.abc itertools functools string random copy operator heapq bisect
    struct select enum ctypes array traceback json keyword types warnings
    zlib _bz2 _lzma _hashlib _sqlite3 pyexpat _ctypes _decimal _datetime _json _random _struct _csv unicodedata
    _socket _pickle _queue _statistics binascii mmap
""".split()
"""Modules loaded before the first fork: those that most programs import, and those that load shared libraries."""


def main(arguments: list[str]) -> NoReturn:
    """Runs the server.

    Arguments: tier, limits as JSON, the packages' paths as JSON, the harness's pid, a socket that closes when the
    harness ends, one socket for each worker.
    """
    tier, limits_text, packages_text, harness = *arguments[:3], int(arguments[3])
    lifeline, *controls = map(int, arguments[4:])
    life = _socket.socket(fileno=lifeline)
    try:
        watched = os.pidfd_open(harness) if hasattr(os, "pidfd_open") else -1
        _warm_up()
        _make_threads_small()
        os.environ.clear()
        limits = Limits(**json.loads(limits_text))
        packages = json.loads(packages_text)
        load_libraries(packages)
        confinement = Confinement.enter(tier, packages)
        offer(confinement.packages)
    except Exception as error:
        life.send(json.dumps({"failed": str(error) or type(error).__name__}).encode())
        os._exit(1)
    workers = [_fork_worker(control, [lifeline, watched, *controls], confinement, limits) for control in controls]
    for control in controls:
        os.close(control)
    life.send(json.dumps({"landlock": confinement.landlock_abi, "user": confinement.user, "pids": workers}).encode())
    _wait(lifeline, watched, workers)


def _warm_up() -> None:
    """Loads the modules that programs use, so that each forked process has them already."""
    _quiet_streams()
    for name in _WARM:
        try:
            __import__(name)
        except ImportError:  # this Python was built without it
            continue
    sys.modules["__main__"].__dict__.clear()
    gc.collect()
    # The garbage collector then leaves these objects alone, and their memory stays shared with forked processes.
    gc.freeze()


def _make_threads_small() -> None:
    """So that as many threads as the limits allow fit into the address space that they allow."""
    _thread.stack_size(_THREAD_STACK)
    with contextlib.suppress(AttributeError, OSError):  # not every C library has it, or needs it
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, _ARENAS)


def _quiet_streams() -> None:
    """Connects the standard streams to /dev/null, in an encoding that takes any text."""
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    os.close(null)
    sys.stdin = io.TextIOWrapper(io.BufferedReader(io.FileIO(0, "r", closefd=False)), "utf-8")
    for fd, name in ((1, "stdout"), (2, "stderr")):
        raw = io.BufferedWriter(io.FileIO(fd, "w", closefd=False))
        setattr(sys, name, io.TextIOWrapper(raw, "utf-8", "backslashreplace"))


def _fork_worker(control: int, inherited: list[int], confinement: Confinement, limits: Limits) -> int:
    """Starts a worker that serves this socket; returns its pid."""
    pid = os.fork()
    if pid == 0:
        try:
            for fd in inherited:
                if fd != control and fd >= 0:
                    os.close(fd)
            serve(_socket.socket(fileno=control), confinement, limits)
        finally:
            os._exit(1)
    return pid


def _wait(lifeline: int, harness: int, workers: list[int]) -> NoReturn:
    """Waits until the harness or any worker ends, then ends everything. The harness may start another server."""
    ends = [lifeline, harness] if harness >= 0 else [lifeline]
    watched = {os.pidfd_open(pid): pid for pid in workers} if hasattr(os, "pidfd_open") else {}
    poll = select.poll()
    for fd in (*ends, *watched):
        poll.register(fd, select.POLLIN)
    poll.poll()
    for fd in ends:
        poll.unregister(fd)
    # From here on this process becomes the parent of what a worker leaves behind, and can wait for it.
    if sys.platform == "linux":
        prctl(PR_SET_CHILD_SUBREAPER, 1)
    # The workers notice it too, and end their programs.
    deadline = time.monotonic() + _LEAVING
    while watched and time.monotonic() < deadline:
        for fd, _ in poll.poll(20):
            poll.unregister(fd)
            del watched[fd]
    for pid in watched.values() if hasattr(os, "pidfd_open") else workers:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    os._exit(0 if _reap() else _NOT_ALL_ENDED)


def _reap() -> bool:
    """Waits until every process that was started is gone; False where some are left after the time for it."""
    deadline = time.monotonic() + _REAPING
    while time.monotonic() < deadline:
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                time.sleep(0.002)
        except ChildProcessError:
            return True
    return False
