"""Reads answers out of damaged database files, page by page, without the database's help.

A table's leaf page (https://www.sqlite.org/fileformat2.html#b_tree_pages) names its cells, and each cell is one whole
row, the long ones with a chain of overflow pages. A row counts only if its own checksum holds, so a page that merely
looks like one gives nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from evalkit.journal.records import checksum

__all__ = ["PAGE_SIZE", "Log", "Losses", "Rescued", "rescue_database"]

PAGE_SIZE = 4096
_LEAF = 0x0D
_KEY_TYPE = 12 + 2 * 24
_LOG_HEADER = 32
_FRAME_HEADER = 24
_FRAME = _FRAME_HEADER + PAGE_SIZE

ReadPage = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class Rescued:
    key: bytes
    value: bytes
    at: int


@dataclass(slots=True)
class Losses:
    """What was seen and could not be read."""

    rows: int = 0
    pages: int = 0


def rescue_database(path: Path, losses: Losses) -> Iterator[Rescued]:
    """All intact answers of a database file, in no order; some may come twice."""
    with path.open("rb") as file:

        def read(number: int) -> bytes:
            return _read(file, (number - 1) * PAGE_SIZE, PAGE_SIZE) if number > 0 else b""

        count = -(-path.stat().st_size // PAGE_SIZE)
        for number in range(1, count + 1):
            page = read(number)
            if len(page) < PAGE_SIZE or not any(page):
                losses.pages += 1
            yield from _rows(page, 100 if number == 1 else 0, read, losses)


@dataclass(frozen=True)
class Log:
    """A write-ahead log, read without trusting its checksums (https://www.sqlite.org/fileformat2.html#walformat)."""

    path: Path
    frames: tuple[int, ...]
    """Where the frames of the newest generation begin; older ones behind them were folded into the file long ago."""
    cut: bool
    """Whether its last frame is not whole."""

    @classmethod
    def open(cls, path: Path) -> Log:
        size = path.stat().st_size
        offsets = range(_LOG_HEADER, size - _FRAME + 1, _FRAME)
        with path.open("rb") as file:
            # The salts tell generations apart. One of these two places may be damaged.
            salts = {_read(file, 16, 8), _read(file, _LOG_HEADER + 8, 8)}
            frames = tuple(offset for offset in offsets if _read(file, offset + 8, 8) in salts)
        return cls(path, frames, size > _LOG_HEADER and (size - _LOG_HEADER) % _FRAME != 0)

    def has_commit(self, first: int) -> bool:
        """Whether a transaction ends in frame `first` or later. Without, a killed process had not finished one."""
        with self.path.open("rb") as file:
            return any(any(_read(file, offset + 4, 4)) for offset in self.frames[first:])

    def rescue(self, database: Path, losses: Losses, first: int = 0) -> Iterator[Rescued]:
        """All intact answers in frame `first` and later."""
        with self.path.open("rb") as log, database.open("rb") as file:
            latest = {int.from_bytes(_read(log, offset, 4), "big"): offset for offset in self.frames}

            def read(number: int) -> bytes:
                if number in latest:
                    return _read(log, latest[number] + _FRAME_HEADER, PAGE_SIZE)
                return _read(file, (number - 1) * PAGE_SIZE, PAGE_SIZE) if number > 0 else b""

            for offset in self.frames[first:]:
                yield from _rows(_read(log, offset + _FRAME_HEADER, PAGE_SIZE), 0, read, losses)


def _rows(page: bytes, start: int, read: ReadPage, losses: Losses) -> Iterator[Rescued]:
    if len(page) < start + 8 or page[start] != _LEAF:
        return
    cells = int.from_bytes(page[start + 3 : start + 5], "big")
    for index in range(min(cells, PAGE_SIZE // 4)):
        at = start + 8 + 2 * index
        try:
            payload = _payload(page, int.from_bytes(page[at : at + 2], "big"), read)
            columns = _columns(payload)
        except (IndexError, ValueError):
            losses.rows += 1
            continue
        if columns is None:
            continue
        row, crc = columns
        if checksum(row.key, row.value) == crc:
            yield row
        else:
            losses.rows += 1


def _payload(page: bytes, at: int, read: ReadPage) -> bytes:
    length, at = _varint(page, at)
    _, at = _varint(page, at)
    most = PAGE_SIZE - 35
    if length <= most:
        return page[at : at + length]
    least = (PAGE_SIZE - 12) * 32 // 255 - 23
    local = least + (length - least) % (PAGE_SIZE - 4)
    if local > most:
        local = least
    parts, have = [page[at : at + local]], local
    following = int.from_bytes(page[at + local : at + local + 4], "big")
    while have < length:
        overflow = read(following)
        if len(overflow) < PAGE_SIZE:
            raise ValueError("the chain of overflow pages is broken")
        part = overflow[4 : 4 + length - have]
        parts.append(part)
        have += len(part)
        following = int.from_bytes(overflow[:4], "big")
    return b"".join(parts)


def _columns(payload: bytes) -> tuple[Rescued, int] | None:
    """The columns of an answer; None for a row of another table."""
    header_size, at = _varint(payload, 0)
    types = []
    while at < header_size:
        kind, at = _varint(payload, at)
        types.append(kind)
    if len(types) != 5 or types[0] != 0 or types[1] != _KEY_TYPE or types[2] < 12:
        return None
    sizes = [_size(kind) for kind in types]
    if header_size + sum(sizes) != len(payload):
        raise ValueError("a row of the wrong length")
    parts = []
    for size in sizes:
        parts.append(payload[at : at + size])
        at += size
    return Rescued(parts[1], parts[2], _integer(types[4], parts[4])), _integer(types[3], parts[3])


def _size(kind: int) -> int:
    return (kind - 12) // 2 if kind >= 12 else (0, 1, 2, 3, 4, 6, 8, 8, 0, 0, 0, 0)[kind]


def _integer(kind: int, content: bytes) -> int:
    return {8: 0, 9: 1}.get(kind, int.from_bytes(content, "big", signed=True))


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for _ in range(8):
        byte = data[at]
        at += 1
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at
    return value << 8 | data[at], at + 1


def _read(file: BinaryIO, offset: int, size: int) -> bytes:
    file.seek(offset)
    return file.read(size)
