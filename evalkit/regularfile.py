"""Reads files that others made: only regular ones, and no more of them than memory holds.

A pipe without a writer is waited for without end, and a device such as /dev/zero fills the memory. Each function raises
OSError with a reason in `strerror`, as opening a file that is missing does.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

__all__ = ["open_regular_file", "read_lines_of", "read_regular_file"]

_MOST_BYTES = 1 << 30
_MOST_IN_A_LINE = 64 << 20


def open_regular_file(path: Path | str) -> BinaryIO:
    """The file, open for reading bytes."""
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    kind = os.fstat(handle).st_mode
    if not stat.S_ISREG(kind):
        os.close(handle)
        what = "a folder" if stat.S_ISDIR(kind) else "a pipe or a device"
        raise OSError(errno.EINVAL, f"{what}, not a file", str(path))
    return os.fdopen(handle, "rb")


def read_regular_file(path: Path | str, most: int = _MOST_BYTES) -> bytes:
    """All of a file that has at most so many bytes."""
    with open_regular_file(path) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EFBIG, f"larger than {most >> 20} MiB", str(path))
    return content


def read_lines_of(file: BinaryIO, path: Path | str, most: int = _MOST_IN_A_LINE) -> Iterator[bytes]:
    """The lines of an open file, of which none is longer than so many bytes."""
    number = 0
    while line := file.readline(most + 1):
        number += 1
        if len(line) > most:
            raise OSError(errno.EFBIG, f"line {number} is longer than {most >> 20} MiB", str(path))
        yield line
