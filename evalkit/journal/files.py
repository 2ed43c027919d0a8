"""The files of a journal: usually one; more if several processes on a network file system could not share it."""

from __future__ import annotations

import itertools
from pathlib import Path

from evalkit.errors import OutputError
from evalkit.journal.locks import Lock, opening
from evalkit.journal.place import filesystem_of, is_network
from evalkit.journal.repair import open_checked, stamp_file
from evalkit.journal.store import Busy, Damaged, NoLog, Store

__all__ = ["MAIN", "open_files"]

MAIN = "answers.db"
_MOST_FILES = 100
_BATCH = 2000


def open_files(folder: Path, safe: bool | None = None) -> tuple[Store, Lock, list[str]]:
    """Open a journal's folder. Returns the file to use, the lock held on it, and notices for the user."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        users = Lock(folder / "users.lock")
    except OSError as error:
        raise OutputError(f"can't write {folder}: {error.strerror}; choose another --output-path") from None
    try:
        with opening(folder):
            if safe if safe is not None else is_network(filesystem_of(folder)):
                store, notices = _open_safe(folder)
            else:
                try:
                    store, notices = _open_fast(folder, users)
                except NoLog:
                    store, notices = _open_safe(folder)
        return store, users, notices
    except OSError as error:
        users.close()
        raise OutputError(f"can't write {folder}: {error.strerror or error}") from None
    except BaseException:
        users.close()
        raise


def _open_fast(folder: Path, users: Lock) -> tuple[Store, list[str]]:
    path = folder / MAIN
    try:
        if users.alone():
            store, notices = open_checked(path, safe=False)
            notices += _take_over_others(folder, store)
        else:
            store, notices = Store(path, safe=False), []
        users.share()
    except Busy as error:
        raise OutputError(f"{error}: let that process finish, or choose another --output-path") from None
    except Damaged as error:
        raise OutputError(
            f"{error}, and another process has it open: let that one finish, then type the same command again"
        ) from None
    return store, notices


def _open_safe(folder: Path) -> tuple[Store, list[str]]:
    for path in _candidates(folder):
        try:
            store, notices = open_checked(path, safe=True)
        except Busy:
            continue
        if path.name != MAIN:
            notices.append(
                f"another process has {folder / MAIN}, which can't be shared on this file system: answers go to"
                f" {path.name}, and its answers are not seen here"
            )
        return store, notices + _take_over_others(folder, store)
    raise OutputError(f"{folder}: {_MOST_FILES} processes hold the journal; choose another --output-path")


def _candidates(folder: Path) -> list[Path]:
    return [folder / MAIN, *(folder / f"answers-{number}.db" for number in range(2, _MOST_FILES))]


def _take_over_others(folder: Path, store: Store) -> list[str]:
    """Copy the answers of files that no process has open into ours, and delete those files."""
    notices: list[str] = []
    for path in _candidates(folder):
        if path == store.path or not path.exists():
            continue
        try:
            other, repairs = open_checked(path, safe=True)
        except Busy:
            continue
        try:
            _copy(other, store)
        finally:
            other.close()
        for suffix in ("", "-wal", "-shm", "-journal"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        stamp_file(path).unlink(missing_ok=True)
        notices += repairs
    return notices


def _copy(source: Store, target: Store) -> None:
    last = 0
    while rows := source.select(
        "SELECT id, key, value, crc, at FROM answers WHERE id > ? ORDER BY id LIMIT ?", (last, _BATCH)
    ):
        last = rows[-1][0]
        target.insert(row[1:] for row in rows)
    for row in source.select("SELECT owner, fingerprint, label, used FROM models"):
        target.execute("INSERT OR IGNORE INTO models VALUES (?, ?, ?, ?)", row)
    for run, used, written in source.select("SELECT run, used, written FROM runs"):
        target.execute("INSERT OR IGNORE INTO runs (run, used, written) VALUES (?, ?, ?)", (run, used, written))
        _copy_refs(source, target, run)


def _copy_refs(source: Store, target: Store, run: str) -> None:
    query = "SELECT key FROM refs JOIN answers ON id = answer WHERE run = (SELECT id FROM runs WHERE run = ?)"
    keys = iter(source.select(query, (run,)))
    while batch := list(itertools.islice(keys, _BATCH)):
        with target.transaction() as connection:
            connection.executemany(
                "INSERT OR IGNORE INTO refs SELECT (SELECT id FROM runs WHERE run = ?), id FROM answers WHERE key = ?",
                [(run, key) for (key,) in batch],
            )
