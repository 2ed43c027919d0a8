"""The process between the harness and the workers: enters a tier, forks the workers, goes when the harness goes."""

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
from .watch import serve

__all__ = ["main"]

_LEAVING = 0.3
"""Seconds that workers get to end their programs when the harness is gone."""
_REAPING = 10.0
"""Seconds that the kernel gets to end what was killed."""
_NOT_ALL_ENDED = 3
"""The exit status where that was not enough."""

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
"""Loaded before the first fork: what most programs import, and what needs shared libraries from outside."""


def main(arguments: list[str]) -> NoReturn:
    """argv: tier, limits as JSON, the harness's pid, a lifeline, one socket for each worker."""
    tier, limits_text, harness = arguments[0], arguments[1], int(arguments[2])
    lifeline, *controls = map(int, arguments[3:])
    life = _socket.socket(fileno=lifeline)
    try:
        watched = os.pidfd_open(harness) if hasattr(os, "pidfd_open") else -1
        _warm_up()
        _make_threads_small()
        os.environ.clear()
        limits = Limits(**json.loads(limits_text))
        confinement = Confinement.enter(tier)
    except Exception as error:
        life.send(json.dumps({"failed": str(error) or type(error).__name__}).encode())
        os._exit(1)
    workers = [_fork_worker(control, [lifeline, watched, *controls], confinement, limits) for control in controls]
    for control in controls:
        os.close(control)
    life.send(json.dumps({"landlock": confinement.landlock_abi, "user": confinement.user, "pids": workers}).encode())
    _wait(lifeline, watched, workers)


def _warm_up() -> None:
    _quiet_streams()
    for name in _WARM:
        try:
            __import__(name)
        except ImportError:  # built without it: programs do without it too
            continue
    sys.modules["__main__"].__dict__.clear()
    gc.collect()
    # Untouched by collections, pages stay shared with the processes forked.
    gc.freeze()


def _make_threads_small() -> None:
    """So that as many threads as the limits allow fit into the address space that they allow."""
    _thread.stack_size(_THREAD_STACK)
    with contextlib.suppress(AttributeError, OSError):  # not every C library has it, or needs it
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, _ARENAS)


def _quiet_streams() -> None:
    """Programs read nothing and what they print goes nowhere; no text of theirs can fail to be encoded."""
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    os.close(null)
    sys.stdin = io.TextIOWrapper(io.BufferedReader(io.FileIO(0, "r", closefd=False)), "utf-8")
    for fd, name in ((1, "stdout"), (2, "stderr")):
        raw = io.BufferedWriter(io.FileIO(fd, "w", closefd=False))
        setattr(sys, name, io.TextIOWrapper(raw, "utf-8", "backslashreplace"))


def _fork_worker(control: int, inherited: list[int], confinement: Confinement, limits: Limits) -> int:
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
    """Ends with the harness, or with any worker: the harness then starts everything anew."""
    ends = [lifeline, harness] if harness >= 0 else [lifeline]
    watched = {os.pidfd_open(pid): pid for pid in workers} if hasattr(os, "pidfd_open") else {}
    poll = select.poll()
    for fd in (*ends, *watched):
        poll.register(fd, select.POLLIN)
    poll.poll()
    for fd in ends:
        poll.unregister(fd)
    # What a worker leaves behind is handed to this process from here on, so that it can be waited for.
    if sys.platform == "linux":
        prctl(PR_SET_CHILD_SUBREAPER, 1)
    # They see it too, and know what they have to take with them.
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
