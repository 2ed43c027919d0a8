"""The tables of a journal file, as a list of migrations: a file at version n needs those after the n-th."""

from __future__ import annotations

import sqlite3

from evalkit.errors import OutputError

__all__ = ["MIGRATIONS", "PAGE_SIZE", "RUN_SEPARATOR", "migrate"]

PAGE_SIZE = 4096

RUN_SEPARATOR = "\n"
"""Separates the folders of runs that shared a pass."""

MIGRATIONS = (
    """
    CREATE TABLE answers (
        id    INTEGER PRIMARY KEY,
        key   BLOB NOT NULL UNIQUE,  -- 8 bytes: which model; 16 bytes: which request
        value BLOB NOT NULL,         -- JSON
        crc   INTEGER NOT NULL,      -- CRC-32 of key and value
        at    INTEGER NOT NULL       -- when it was written, Unix seconds
    );
    CREATE TABLE models (
        owner       BLOB PRIMARY KEY,  -- the first 8 bytes of the keys
        fingerprint TEXT NOT NULL,
        label       TEXT NOT NULL,     -- as the model was typed last
        used        INTEGER NOT NULL
    );
    CREATE TABLE runs (
        id      INTEGER PRIMARY KEY,
        run     TEXT NOT NULL UNIQUE,  -- <model-slug>/<run-id>, one a line
        used    INTEGER NOT NULL,
        written INTEGER NOT NULL       -- whether its folder was written: one that was, and is gone, refers to nothing
    );
    CREATE TABLE refs (
        run    INTEGER NOT NULL,
        answer INTEGER NOT NULL,
        PRIMARY KEY (run, answer)
    ) WITHOUT ROWID;
    """,
)


def migrate(connection: sqlite3.Connection) -> None:
    """Run the missing migrations on an open file, in one transaction."""
    if _version(connection) == len(MIGRATIONS):
        return
    connection.execute("BEGIN IMMEDIATE")
    version = _version(connection)
    if version > len(MIGRATIONS):
        connection.execute("ROLLBACK")
        raise OutputError(
            f"the journal was written by a newer evalkit (its version {version}, ours {len(MIGRATIONS)}):"
            " update evalkit, or choose another --output-path"
        )
    for script in MIGRATIONS[version:]:
        for statement in script.split(";\n"):
            if statement.strip():
                connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
    connection.execute("COMMIT")


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])
