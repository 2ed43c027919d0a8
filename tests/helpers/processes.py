"""Finds processes by their command lines."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path


def processes(text: str) -> list[int]:
    """Living processes with this text in the command line, or in the path of a file that they have open."""
    holders: list[int] = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            with contextlib.suppress(OSError):
                if text in command_line(int(folder.name)) or any(text in path for path in _open_files(folder)):
                    holders.append(int(folder.name))
    return holders


def _open_files(folder: Path) -> Iterator[str]:
    for file in (folder / "fd").iterdir():
        with contextlib.suppress(OSError):
            yield str(file.readlink())


def children(pid: int) -> list[int]:
    """The living processes below this one, at any depth."""
    parents: dict[int, int] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                state, parent, *_ = (folder / "stat").read_text().rpartition(")")[2].split()
                if state not in "ZX":
                    parents[int(folder.name)] = int(parent)
    below, new = list[int](), {pid}
    while new:
        new = {child for child, parent in parents.items() if parent in new}
        below += new
    return below


def command_line(pid: int) -> str:
    """Empty where there is no such process any more."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return ""


def lives(pid: int) -> bool:
    """Whether there is such a process that has not ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def wait_until_ended(pids: Iterable[int], seconds: float = 10) -> list[int]:
    """Those of the processes that live after so many seconds."""
    until = time.monotonic() + seconds
    while (left := [pid for pid in pids if lives(pid)]) and time.monotonic() < until:
        time.sleep(0.05)
    return left


def wait_until_gone(text: str, seconds: float = 10) -> list[int]:
    """The processes that are left after so many seconds."""
    until = time.monotonic() + seconds
    while (left := processes(text)) and time.monotonic() < until:
        time.sleep(0.2)
    return left
