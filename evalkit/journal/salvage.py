"""Reads the answers that can still be read from a damaged database file.

SQLite stops at a page that it cannot read. Answers have numbers, so reading continues after the damage: one number
further, then two, four, eight, until an answer can be read, and from there back towards the damage. Little more is lost
than the damaged pages held. An answer counts only if its checksum is right.
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import tempfile
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

from evalkit.journal.records import checksum
from evalkit.journal.schema import PAGE_SIZE, migrate

__all__ = ["Rescued", "open_damaged", "rescue"]

_AT_ONCE = 512
_MOST = 2**48
"""No answer has a number as high as this."""


@dataclass(frozen=True, slots=True)
class Rescued:
    """An intact answer of a damaged file."""

    key: bytes
    value: bytes
    at: int


_Row = tuple[int, bytes, bytes, int, int]
"""id, key, value, crc, at"""


def rescue(connection: sqlite3.Connection) -> Iterator[Rescued]:
    """Yield all intact answers that can be read; some come twice."""
    start = 1
    while start < _MOST:
        hole = yield from _read(connection, start, _MOST)
        if hole is None:
            return
        start = _behind(connection, hole)
        yield from _read(connection, start - 1, hole)
        start = max(start, hole + 1)


@contextlib.contextmanager
def open_damaged(path: Path) -> Iterator[sqlite3.Connection | None]:
    """Yield a connection that reads a damaged file; None if nothing can be read.

    The first page describes all tables. If it is damaged, a copy of the file gets the first page of a new journal,
    whose tables begin on the same pages.
    """
    with contextlib.closing(_connect(path)) as connection:
        if _has_answers(connection):
            yield connection
            return
    with tempfile.TemporaryDirectory(prefix=f"{path.name}.reading-", dir=path.parent) as folder:
        copy = Path(folder) / path.name
        for suffix in ("", "-wal"):
            if (file := path.with_name(path.name + suffix)).exists():
                shutil.copyfile(file, copy.with_name(copy.name + suffix))
        with copy.open("r+b") as file_:
            file_.write(_first_page(Path(folder) / "new.db"))
        with contextlib.closing(_connect(copy)) as connection:
            yield connection if _has_answers(connection) else None


# ── inside ───────────────────────────────────────────────────────────────────


def _read(connection: sqlite3.Connection, start: int, end: int) -> Generator[Rescued, None, int | None]:
    """Yield the answers from `start` to `end`, upwards or downwards. Returns the number that cannot be read, if any."""
    step = 1 if end >= start else -1
    count = _AT_ONCE
    while (end - start) * step >= 0:
        rows = _fetch(connection, start, end, count)
        if rows is None:
            if count == 1:
                return start
            count //= 2
            continue
        if not rows:
            return None
        for _, key, value, crc, at in rows:
            if isinstance(key, bytes) and isinstance(value, bytes) and checksum(key, value) == crc:
                yield Rescued(key, value, at if isinstance(at, int) else 0)
        # A damaged number must not move backwards, or the loop would not end.
        last = rows[-1][0]
        start = last + step if (last - start) * step >= 0 else start + step
        count = min(2 * count, _AT_ONCE)
    return None


def _fetch(connection: sqlite3.Connection, start: int, end: int, count: int) -> list[_Row] | None:
    """Answers in order of their numbers; None if a page that holds them is damaged."""
    low, high, order = (start, end, "ASC") if end >= start else (end, start, "DESC")
    query = f"SELECT id, key, value, crc, at FROM answers WHERE id BETWEEN ? AND ? ORDER BY id {order} LIMIT ?"
    try:
        return connection.execute(query, (low, high, count)).fetchall()
    except (sqlite3.Error, OverflowError, UnicodeDecodeError):
        return None


def _behind(connection: sqlite3.Connection, hole: int) -> int:
    """A number after the hole from which answers can be read, or after which there are none."""
    step = 1
    while hole + step < _MOST and _fetch(connection, hole + step, _MOST, 1) is None:
        step *= 2
    return min(hole + step, _MOST)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None)
    # Without this, SQLite refuses a file that is shorter than its header says.
    connection.execute("PRAGMA writable_schema = ON")
    connection.execute("PRAGMA query_only = ON")
    return connection


def _has_answers(connection: sqlite3.Connection) -> bool:
    try:
        connection.execute("SELECT id, key, value, crc, at FROM answers LIMIT 0").fetchall()
        return int(connection.execute("PRAGMA page_size").fetchone()[0]) == PAGE_SIZE
    except sqlite3.Error:
        return False


def _first_page(path: Path) -> bytes:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA page_size = {PAGE_SIZE}")
        connection.execute("PRAGMA journal_mode = WAL")
        migrate(connection)
    page = bytearray(path.read_bytes()[:PAGE_SIZE])
    # The number of pages stands at 28 and counts only where 24 and 92 are equal; else the file's size counts.
    page[92:96] = bytes(4)
    return bytes(page)
