"""One SQLite file of answers, opened in the fast mode or in the safe mode for network file systems."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from evalkit.errors import OutputError
from evalkit.journal.records import checksum
from evalkit.journal.schema import PAGE_SIZE, migrate

__all__ = ["Batch", "Busy", "Damaged", "NoLog", "Store"]

T = TypeVar("T")

_READ_AT_ONCE = 500
_WRITTEN_AT_ONCE = 2000
_PATIENCE = 60.0
_LOG_PAGES = 4000
"""The log is folded into the file at 16 MB: seldom, so that one write of an index page serves many answers."""
_DAMAGE = ("malformed", "not a database", "corrupt")


class Busy(Exception):
    """Another process holds the file."""


class NoLog(Exception):
    """The file system does not support a write-ahead log: only the safe mode works."""


class Damaged(Exception):
    """The file is no longer a database that can be read."""


@dataclass(slots=True)
class Batch:
    """The changes to write in one transaction."""

    answers: list[tuple[bytes, bytes, int, int]] = field(default_factory=list)
    """key, value, crc, at"""
    reused: list[int] = field(default_factory=list)
    """Row ids of stored answers that the run uses."""
    broken: list[bytes] = field(default_factory=list)
    """Keys whose stored answer is damaged: the next one replaces it."""
    size: int = 0

    def __len__(self) -> int:
        return len(self.answers) + len(self.reused) + len(self.broken)


class Store:
    """A file of answers. Only one thread may use it at a time; the journal holds a lock.

    Fast mode: write-ahead log, shared with other processes. Safe mode, for network file systems: rollback journal,
    every commit synced, and only this process may open the file.
    """

    def __init__(self, path: Path, *, safe: bool) -> None:
        self.path = path
        self.safe = safe
        self._folded = 0
        self._connection = self._connect()
        try:
            self._guard(self._set_up)
        except BaseException:
            self.close()
            raise

    # ── reading ──────────────────────────────────────────────────────────────

    def get(self, keys: Sequence[bytes]) -> Iterator[tuple[bytes, int, bytes | None]]:
        """Yield key, row id and value of the stored keys; the value is None if it is damaged."""
        for chunk in _chunks(keys, _READ_AT_ONCE):
            query = f"SELECT key, id, value, crc FROM answers WHERE key IN ({_marks(len(chunk))})"
            for key, row_id, value, crc in self.select(query, chunk):
                intact = isinstance(value, bytes) and checksum(key, value) == crc
                yield key, row_id, value if intact else None

    def select(self, query: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self._guard(lambda: self._connection.execute(query, parameters).fetchall())

    def check(self) -> bool:
        """Whether SQLite finds the whole file intact, indexes included."""
        try:
            return bool(self.select("PRAGMA integrity_check(1)")[0][0] == "ok")
        except Damaged:
            return False

    # ── writing ──────────────────────────────────────────────────────────────

    def write(self, batch: Batch, run: int | None = None) -> None:
        """Write a batch in one transaction; `run` then refers to its answers."""
        with self.transaction() as connection:
            for chunk in _chunks(batch.broken, _WRITTEN_AT_ONCE):
                connection.execute(f"DELETE FROM answers WHERE key IN ({_marks(len(chunk))})", chunk)
            # Many rows per statement: threads switch between statements, and a switch costs more than a row.
            for rows in _chunks(batch.answers, _WRITTEN_AT_ONCE):
                marks = ",".join(["(?,?,?,?)"] * len(rows))
                connection.execute(
                    f"INSERT OR IGNORE INTO answers (key, value, crc, at) VALUES {marks}",
                    [item for row in rows for item in row],
                )
                if run is not None:
                    refer = f"INSERT OR IGNORE INTO refs SELECT {run:d}, id FROM answers WHERE key IN "
                    connection.execute(f"{refer} ({_marks(len(rows))})", [row[0] for row in rows])
            if run is not None:
                for row_ids in _chunks(batch.reused, _WRITTEN_AT_ONCE):
                    marks = ",".join([f"({run:d},?)"] * len(row_ids))
                    connection.execute(f"INSERT OR IGNORE INTO refs VALUES {marks}", row_ids)

    def insert(self, rows: Iterable[tuple[bytes, bytes, int, int]]) -> int:
        """Add the answers whose keys are new; returns how many were added."""
        with self.transaction() as connection:
            before = connection.total_changes
            connection.executemany("INSERT OR IGNORE INTO answers (key, value, crc, at) VALUES (?, ?, ?, ?)", rows)
            return connection.total_changes - before

    def execute(self, query: str, parameters: Sequence[Any] = ()) -> int:
        """Run one statement, in the open transaction if there is one; returns how many rows it changed."""
        return self._guard(lambda: self._connection.execute(query, parameters).rowcount)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        # IMMEDIATE: a transaction that starts as a reader cannot become a writer while another process writes.
        self._guard(lambda: self._connection.execute("BEGIN IMMEDIATE"))
        try:
            yield self._connection
            self._guard(lambda: self._connection.execute("COMMIT"))
        except BaseException as error:
            with contextlib.suppress(sqlite3.Error):
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
            if isinstance(error, sqlite3.Error):
                raise self._translate(error) from None
            raise

    def fold_log(self) -> int:
        """Fold the log into the file; returns how many of its frames could be read."""
        if not self.safe:
            self._folded = int(self.select("PRAGMA wal_checkpoint(PASSIVE)")[0][1])
        return self._folded

    def close(self) -> None:
        with contextlib.suppress(sqlite3.Error):
            self._connection.close()

    # ── inside ───────────────────────────────────────────────────────────────

    def _connect(self) -> sqlite3.Connection:
        try:
            return sqlite3.connect(
                self.path, timeout=1 if self.safe else _PATIENCE, isolation_level=None, check_same_thread=False
            )
        except sqlite3.Error as error:
            raise self._translate(error) from None

    def _set_up(self) -> None:
        run = self._connection.execute
        run(f"PRAGMA page_size = {PAGE_SIZE}")
        run("PRAGMA cache_size = -40000")
        if self.safe:
            run("PRAGMA locking_mode = EXCLUSIVE")
            # Changing the mode folds in a log that the fast mode left; count its frames first.
            self._folded = max(0, int(run("PRAGMA wal_checkpoint(PASSIVE)").fetchone()[1]))
            run("PRAGMA journal_mode = TRUNCATE")
            run("PRAGMA synchronous = FULL")
            # Take the lock now: with this locking mode it is kept until the file is closed.
            run("BEGIN EXCLUSIVE")
            run("COMMIT")
        else:
            mode = run("PRAGMA journal_mode = WAL").fetchone()[0]
            if mode != "wal":
                raise NoLog(mode)
            run("PRAGMA synchronous = NORMAL")
            run(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}")
        migrate(self._connection)

    def _guard(self, action: Callable[[], T]) -> T:
        deadline = time.monotonic() + (0.0 if self.safe else _PATIENCE)
        while True:
            try:
                return action()
            except sqlite3.Error as error:
                translated = self._translate(error)
                if not isinstance(translated, Busy) or time.monotonic() > deadline:
                    raise translated from None
            time.sleep(0.05)

    def _translate(self, error: sqlite3.Error) -> Exception:
        text = str(error)
        if any(word in text for word in _DAMAGE):
            return Damaged(f"{self.path}: {text}")
        if "locked" in text or "busy" in text:
            return Busy(f"{self.path} is held by another process")
        if "full" in text:
            return OutputError(
                f"can't write {self.path}: the disk is full; what was kept so far is safe. Free some space and type"
                " the same command again"
            )
        return OutputError(
            f"can't write {self.path}: {text}; what was kept so far is safe. Once the folder takes writes again, the"
            " same command goes on from there; or choose another --output-path"
        )


def _chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _marks(count: int) -> str:
    return ",".join("?" * count)
