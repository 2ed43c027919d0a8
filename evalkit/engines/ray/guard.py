"""Ends what is left of a local cluster when evalkit has ended, even by SIGKILL, and deletes its folder.

Ray's daemons end with evalkit, but their agents go on for a minute, since they try to reach the head that is gone. So a
small process waits until evalkit ends or closes the pipe, and then kills those of Ray's processes that have a file of
the cluster open. It is run as a script and imports the standard library only, so that it costs little.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

__all__ = ["Guard"]

_PATIENCE = 8.0
"""Seconds for which processes of the cluster are looked for."""
_OF_RAY = ("ray::", "/ray/core/src/", "/ray/_private/", "/ray/autoscaler/", "/ray/dashboard/")
"""One of these is in the command line of each daemon, agent and worker. It is not in those of evalkit's own processes,
which have files of the cluster open too."""


class Guard:
    """The process that watches over a cluster's folder."""

    def __init__(self, folder: str) -> None:
        # A session of its own: a Ctrl-C of the terminal must not reach it.
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__, folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def close(self) -> None:
        """Let it do its work now, and wait for that."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(_PATIENCE + 2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def main(folder: str) -> None:
    sys.stdin.buffer.read()
    until = time.monotonic() + _PATIENCE
    while (left := _users_of(folder)) and time.monotonic() < until:
        for pid in left:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)
    shutil.rmtree(folder, ignore_errors=True)


def _users_of(folder: str) -> list[int]:
    """Ray's processes that have a file in this folder open. Empty where the system does not show them."""
    inside = os.path.realpath(folder) + "/"  # as the system names open files, whatever link leads there
    return [pid for pid in _pids() if _is_of_ray(pid) and any(path.startswith(inside) for path in _open_files(pid))]


def _is_of_ray(pid: int) -> bool:
    with contextlib.suppress(OSError):
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        return any(part in word.decode(errors="replace") for word in command[:4] for part in _OF_RAY)
    return False


def _pids() -> list[int]:
    with contextlib.suppress(OSError):
        return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return []


def _open_files(pid: int) -> list[str]:
    paths: list[str] = []
    with contextlib.suppress(OSError):
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                paths.append(str(entry.readlink()))
    return paths


if __name__ == "__main__":
    main(sys.argv[1])
