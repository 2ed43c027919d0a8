"""Reads and repairs SQLite's write-ahead log (https://www.sqlite.org/fileformat2.html#walformat).

SQLite reads a log up to its first damaged frame and silently drops the rest. So the frames are counted before SQLite
opens the file; if it read fewer, the log is written again with new checksums. The damage then shows as a damaged page
of the database, or as an answer whose checksum is wrong.
"""

from __future__ import annotations

import array
import struct
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from evalkit.journal.schema import PAGE_SIZE
from evalkit.regularfile import open_regular_file

__all__ = ["Log", "log_path", "read_log"]

_HEADER = 32
_FRAME_HEADER = 24
_FRAME = _FRAME_HEADER + PAGE_SIZE
_MAGIC = 0x377F0682
"""The magic number of logs with little-endian checksums; the next number means big-endian."""
_VERSION = 3007000


@dataclass(frozen=True, slots=True)
class Log:
    """The log as the last process left it."""

    content: bytes
    salt: bytes
    """The value that all frames of this log carry; frames with another salt are older."""
    committed: int
    """The number of frames up to the end of the last finished transaction."""
    overwritten: bool
    """Whether it does not begin as a log does, and no frame of it can be used: as after a power cut, all zeros."""
    cut: bool
    """Whether the last frame is incomplete, after an interrupted write or a truncated file."""

    def mended(self) -> bytes:
        """The finished transactions with correct checksums."""
        data = bytearray(self.content[: _HEADER + self.committed * _FRAME])
        data[:12] = struct.pack(">III", _MAGIC, _VERSION, PAGE_SIZE)
        data[16:24] = self.salt
        sums = _add((0, 0), data[:24])
        data[24:32] = struct.pack(">II", *sums)
        for at in range(_HEADER, len(data), _FRAME):
            data[at + 8 : at + 16] = self.salt
            sums = _add(sums, data[at : at + 8])
            sums = _add(sums, data[at + _FRAME_HEADER : at + _FRAME])
            data[at + 16 : at + 24] = struct.pack(">II", *sums)
        return bytes(data)


def log_path(path: Path) -> Path:
    """The path of a database file's log."""
    return path.with_name(path.name + "-wal")


def read_log(path: Path) -> Log | None:
    """The log of a database file; None if it has none."""
    try:
        with open_regular_file(log_path(path)) as file:
            content = file.read()
    except FileNotFoundError:
        return None
    if not content:
        return None
    frames = range(_HEADER, len(content) - _FRAME + 1, _FRAME)
    # One of these copies of the salt may be damaged: take the most frequent.
    salts = Counter([content[16:24], *(content[at + 8 : at + 16] for at in frames[:3])])
    salt = salts.most_common(1)[0][0]
    committed = 0
    for number, at in enumerate(frames, start=1):
        if content[at + 8 : at + 16] == salt and any(content[at + 4 : at + 8]):
            committed = number
    cut = len(content) < _HEADER + _FRAME or (len(content) - _HEADER) % _FRAME != 0
    overwritten = committed == 0 and int.from_bytes(content[:4], "big") not in (_MAGIC, _MAGIC + 1)
    return Log(content, salt, committed, overwritten, cut)


def _add(sums: tuple[int, int], data: bytes | bytearray) -> tuple[int, int]:
    """SQLite's checksum, continued over more data."""
    words = array.array("I", bytes(data))
    if sys.byteorder == "big":
        words.byteswap()
    first, second = sums
    for even, odd in zip(words[::2], words[1::2], strict=True):
        first = (first + even + second) & 0xFFFFFFFF
        second = (second + odd + first) & 0xFFFFFFFF
    return first, second
