"""Runs a model's SQL on SQLite in memory, read-only and with limits on time and size."""

from __future__ import annotations

import re
import sqlite3
import time
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

__all__ = ["Database", "Refused", "Result", "open_database", "plain_rows"]

_MAX_ROWS = 10_000
_MAX_CELLS = 200_000
_STEPS = 20_000_000
_STEPS_BETWEEN = 200
_SECONDS = 5.0
_LIMITS = {
    sqlite3.SQLITE_LIMIT_LENGTH: 20_000,
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 100_000,
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 200,
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 200,
    sqlite3.SQLITE_LIMIT_COMPOUND_SELECT: 50,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
}
_ALLOWED = {
    sqlite3.SQLITE_SELECT,
    sqlite3.SQLITE_READ,
    sqlite3.SQLITE_FUNCTION,
    sqlite3.SQLITE_RECURSIVE,
}
_FORBIDDEN_FUNCTIONS = {"load_extension", "fts3_tokenizer", "random", "randomblob", "zeroblob"}


class Refused(Exception):
    """The model's statement is not SQL, does more than read, or takes too much work."""


@dataclass(frozen=True, slots=True)
class Result:
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


class Database:
    """A database that can only be read."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def read(self, statement: str) -> Result:
        """The rows of one reading statement. Raises Refused for any other."""
        steps, deadline = 0, time.monotonic() + _SECONDS

        def tick() -> bool:
            nonlocal steps
            steps += _STEPS_BETWEEN
            return steps > _STEPS or time.monotonic() > deadline

        self._connection.set_progress_handler(tick, _STEPS_BETWEEN)
        try:
            cursor = self._connection.execute(statement)
            if cursor.description is None:
                raise Refused("it holds no statement that reads")
            columns = tuple(column[0] for column in cursor.description)
            rows = cursor.fetchmany(min(_MAX_ROWS, _MAX_CELLS // max(1, len(columns))) + 1)
        except sqlite3.OperationalError as error:
            message = str(error)
            if message == "interrupted":
                raise Refused("it was stopped: too much work") from None
            raise Refused(message) from None
        except (sqlite3.Error, sqlite3.Warning, ValueError, OverflowError) as error:
            raise Refused(str(error)) from None
        finally:
            self._connection.set_progress_handler(None, 0)
        if len(rows) * len(columns) > _MAX_CELLS or len(rows) > _MAX_ROWS:
            raise Refused("it gives too many rows")
        return Result(columns, plain_rows(rows))

    def parses(self, statement: str) -> bool:
        """Whether SQLite can prepare the statement, with these tables and columns."""
        try:
            self._connection.execute(f"EXPLAIN {statement}").close()
        except (sqlite3.Error, sqlite3.Warning, ValueError):
            return False
        return True


@contextmanager
def open_database(scripts: Sequence[str]) -> Iterator[Database]:
    """Create a database with trusted scripts, whose errors are raised; after that it can only be read."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    try:
        for script in scripts:
            connection.executescript(unicodedata.normalize("NFC", script))
        for limit, value in _LIMITS.items():
            connection.setlimit(limit, value)
        for name in ("printf", "format"):
            connection.create_function(name, -1, _printf, deterministic=True)
        connection.set_authorizer(_authorize)
        yield Database(connection)
    finally:
        connection.close()


_WIDTH = re.compile(r"\d{4}|\*")


def _printf(*arguments: Any) -> Any:
    """SQLite's printf, but without widths that would take seconds in one call."""
    if not arguments or arguments[0] is None:
        return None
    if _WIDTH.search(str(arguments[0])):
        raise ValueError("a width of more than three digits")
    with closing(sqlite3.connect(":memory:")) as pristine:
        return pristine.execute(f"SELECT printf({', '.join('?' * len(arguments))})", arguments).fetchone()[0]


def plain_rows(rows: Sequence[Sequence[Any]]) -> tuple[tuple[Any, ...], ...]:
    """Rows for comparison: numbers rounded to nine digits, so that the order of a sum does not matter; text in NFC."""
    return tuple(tuple(map(_plain, row)) for row in rows)


def _authorize(action: int, first: str | None, second: str | None, database: str | None, trigger: str | None) -> int:
    if action == sqlite3.SQLITE_FUNCTION and (second or "").lower() in _FORBIDDEN_FUNCTIONS:
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK if action in _ALLOWED else sqlite3.SQLITE_DENY


def _plain(value: Any) -> Any:
    if isinstance(value, float | int):
        return float(f"{float(value):.9g}") if abs(value) < 2**53 else value
    return unicodedata.normalize("NFC", value) if isinstance(value, str) else value
