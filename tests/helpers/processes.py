"""Finds processes by their command lines."""

from __future__ import annotations

import os
import time
from pathlib import Path


def processes(text: str) -> list[int]:
    """Living processes whose command line holds this text."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            try:
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if text in command:
                found.append(int(folder.name))
    return found


def wait_until_gone(text: str, seconds: float = 10) -> list[int]:
    """The processes that are left after so many seconds."""
    until = time.monotonic() + seconds
    while (left := processes(text)) and time.monotonic() < until:
        time.sleep(0.2)
    return left
