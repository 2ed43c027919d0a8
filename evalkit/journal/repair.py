"""Opens a journal file, and repairs it first if a crash, a full disk or a bad sector damaged it."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from evalkit.errors import EvalkitError
from evalkit.journal.records import checksum
from evalkit.journal.salvage import Rescued, open_damaged, rescue
from evalkit.journal.store import Damaged, Store
from evalkit.journal.wal import Log, log_path, read_log
from evalkit.regularfile import open_regular_file

__all__ = ["open_checked", "remember_good"]

_BATCH = 2000


def open_checked(path: Path, *, safe: bool) -> tuple[Store, list[str]]:
    """Open a file, repaired if necessary, and return it with notices. Raises Busy if another process has it open."""
    if not path.exists() and _fresh(path).exists():
        _fresh(path).rename(path)  # a rebuild was interrupted between its last two steps
    if path.exists():
        open_regular_file(path).close()  # SQLite would wait for ever for the writer of a pipe
    notices = _missing_parts(path, safe)
    log = read_log(path) if path.exists() else None
    known_good = log is None and _known_good(path)
    stamp_file(path).unlink(missing_ok=True)
    try:
        store, damage = _open_with_log(path, log, safe)
    except Damaged:
        return _rebuild(path, safe)
    try:
        if known_good or store.check():
            return store, notices + damage
    except BaseException:
        store.close()
        raise
    store.close()
    store, rebuilt = _rebuild(path, safe)
    return store, notices + damage + rebuilt


def _open_with_log(path: Path, log: Log | None, safe: bool) -> tuple[Store, list[str]]:
    """Open the file and fold in its log; if SQLite did not read all of the log, open again with a repaired log."""
    store = Store(path, safe=safe)
    try:
        read = store.fold_log()
        if log is not None and log.overwritten and not log.cut:
            return store, [f"{log_path(path)} was overwritten: its answers are computed again"]
        if log is None or (log.committed <= read and not log.cut):
            return store, []
        if log.committed <= read:
            return store, [
                f"{log_path(path)} ends within a write (a disk that was full, or a file that was cut):"
                " its answers are computed again"
            ]
    except BaseException:
        store.close()
        raise
    store.close()
    log_path(path).write_bytes(log.mended())
    store = Store(path, safe=safe)
    try:
        store.fold_log()
    except BaseException:
        store.close()
        raise
    return store, [f"{log_path(path)} was damaged: what cannot be read of it is computed again"]


def remember_good(path: Path) -> None:
    """Note that a file was closed properly, so that it need not be checked when it is opened next."""
    with contextlib.suppress(OSError):
        if not log_path(path).exists():
            stamp_file(path).write_text(json.dumps(_stamp(path)))


def stamp_file(path: Path) -> Path:
    """The file that notes the state in which a journal file was closed."""
    return path.with_name(path.name + ".ok")


# ── what the last process left ───────────────────────────────────────────────


def _missing_parts(path: Path, safe: bool) -> list[str]:
    """Notices on files that were deleted or emptied since they were closed."""
    log = log_path(path)
    log_size = log.stat().st_size if log.exists() else None
    if not path.exists():
        return [f"{path} is missing beside {log.name}: what they held is computed again"] if log_size else []
    if path.stat().st_size == 0 and not log_size:
        path.unlink()
        return [f"{path} was empty: what it held is computed again"]
    if not safe and not log_size and not stamp_file(path).exists():
        state = "is missing" if log_size is None else "is empty"
        return [f"{log.name} {state} beside {path}: the newest answers may have to be computed again"]
    return []


def _known_good(path: Path) -> bool:
    try:
        return bool(json.loads(stamp_file(path).read_text()) == _stamp(path))
    except (OSError, ValueError):
        return not path.exists()


def _stamp(path: Path) -> list[int]:
    """Values that change with every write, even if the old modification time is restored."""
    status = path.stat()
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]


# ── the whole file ───────────────────────────────────────────────────────────


def _rebuild(path: Path, safe: bool) -> tuple[Store, list[str]]:
    """Copy the intact answers into a new file, and rename the damaged one."""
    fresh = _fresh(path)
    _remove(fresh)
    kept = 0
    try:
        store = Store(fresh, safe=safe)
        try:
            with open_damaged(path) as damaged:
                if damaged is not None:
                    kept = _insert(store, rescue(damaged))
                    _copy_names(damaged, store)
            _mark_in_use(store)
        finally:
            store.close()
    except BaseException:
        _remove(fresh)
        raise
    aside = path.with_name(f"{path.name}.damaged-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{os.getpid()}")
    path.rename(aside)
    for suffix in ("-wal", "-shm", "-journal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    fresh.rename(path)
    return Store(path, safe=safe), [
        f"{path} was damaged: {kept} answers are intact and used; what else it held is computed again where a run needs"
        f" it. The damaged file is kept as {aside.name} until `evalkit cache prune`"
    ]


def _insert(store: Store, rows: Iterator[Rescued]) -> int:
    count = 0
    while batch := list(itertools.islice(rows, _BATCH)):
        count += store.insert((row.key, row.value, checksum(row.key, row.value), row.at) for row in batch)
    return count


def _copy_names(damaged: sqlite3.Connection, store: Store) -> None:
    """Copy the names of models and runs, as far as they can be read."""
    for table, columns in (("models", "owner, fingerprint, label, used"), ("runs", "run, used, written")):
        with contextlib.suppress(sqlite3.Error, EvalkitError):
            _copy_rows(damaged.execute(f"SELECT {columns} FROM {table}"), store, table, columns)


def _copy_rows(rows: Iterable[tuple[object, ...]], store: Store, table: str, columns: str) -> None:
    marks = ", ".join("?" * (columns.count(",") + 1))
    for row in rows:
        store.execute(f"INSERT OR IGNORE INTO {table} ({columns}) VALUES ({marks})", row)


def _mark_in_use(store: Store) -> None:
    """Count every answer as in use: the damaged file's list of runs that refer to it is lost."""
    now = int(time.time())
    run = f"rescued {time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(now))}"
    store.execute("INSERT OR IGNORE INTO runs (run, used, written) VALUES (?, ?, 0)", (run, now))
    store.execute("INSERT OR IGNORE INTO refs SELECT (SELECT id FROM runs WHERE run = ?), id FROM answers", (run,))


def _fresh(path: Path) -> Path:
    return path.with_name(path.name + ".rebuilt")


def _remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
