"""File locks that show which processes have a journal open. The system releases them when a process ends."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

from evalkit.errors import OutputError

try:
    import fcntl
except ImportError:  # not a Unix: there, the user must run one process at a time
    fcntl = None  # type: ignore[assignment]

__all__ = ["Lock", "opening"]

_PATIENCE = 120.0


class Lock:
    """A lock on a file: shared by several processes, or exclusive."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)

    def alone(self) -> bool:
        """Try to take the lock for this process alone; returns whether it could."""
        return self._try("LOCK_EX")

    def share(self) -> bool:
        """Try to take the lock together with others; returns whether it could."""
        return self._try("LOCK_SH")

    def wait_alone(self) -> None:
        deadline = time.monotonic() + _PATIENCE
        while not self.alone():
            if time.monotonic() > deadline:
                raise OutputError(
                    f"another process has held {self._path} for two minutes: wait, or choose another --output-path"
                )
            time.sleep(0.05)

    def close(self) -> None:
        if self._handle >= 0:
            os.close(self._handle)
        self._handle = -1

    def _try(self, kind: str) -> bool:
        if fcntl is None:
            return True
        try:
            fcntl.flock(self._handle, getattr(fcntl, kind) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            return True  # this file system has no locks: rely on those of SQLite
        return True


@contextlib.contextmanager
def opening(folder: Path) -> Iterator[None]:
    """Hold the lock that lets only one process at a time open, repair or prune a journal."""
    lock = Lock(folder / "opening.lock")
    try:
        lock.wait_alone()
        yield
    finally:
        lock.close()
