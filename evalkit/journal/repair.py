"""Opens a journal file, and mends it first where a crash, a full disk or a bad sector left it damaged."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import sqlite3
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from evalkit.errors import EvalkitError
from evalkit.journal.records import checksum
from evalkit.journal.salvage import Log, Losses, Rescued, rescue_database
from evalkit.journal.store import Damaged, Store

__all__ = ["open_checked", "remember_good"]

_BATCH = 2000


def open_checked(path: Path, *, safe: bool) -> tuple[Store, list[str]]:
    """The file, whole again, and what there is to say about it. The caller has it alone; else Busy is raised."""
    if not path.exists() and _fresh(path).exists():
        _fresh(path).rename(path)  # a rebuild was cut short between its last two steps
    notices = _missing_parts(path, safe)
    log = _keep_log(path)
    try:
        known_good = log is None and _known_good(path)
        stamp_file(path).unlink(missing_ok=True)
        try:
            store = Store(path, safe=safe)
        except Damaged:
            return _rebuild(path, log, safe)
        try:
            good = store.fold_log()
            if known_good or store.check():
                return store, notices + (_rescue_from_log(store, log, good) if log else [])
        except Damaged:
            pass
        except BaseException:
            store.close()
            raise
        store.close()
        return _rebuild(path, log, safe)
    finally:
        if log:
            log.path.unlink(missing_ok=True)


def remember_good(path: Path) -> None:
    """Note that a file was closed in order, so that the next one to open it need not read it through."""
    with contextlib.suppress(OSError):
        if not _log_path(path).exists():
            stamp_file(path).write_text(json.dumps(_stamp(path)))


def stamp_file(path: Path) -> Path:
    return path.with_name(path.name + ".ok")


# ── what the last process left ───────────────────────────────────────────────


def _missing_parts(path: Path, safe: bool) -> list[str]:
    if not path.exists():
        return []
    if path.stat().st_size == 0 and not _log_path(path).exists():
        path.unlink()
        return [f"{path} was empty: what it held is computed again"]
    if not safe and not stamp_file(path).exists() and not _log_path(path).exists():
        return [f"{path.name}-wal is missing beside {path}: the newest answers may have to be computed again"]
    return []


def _known_good(path: Path) -> bool:
    try:
        return bool(json.loads(stamp_file(path).read_text()) == _stamp(path))
    except (OSError, ValueError):
        return not path.exists()


def _stamp(path: Path) -> list[int]:
    """Changes with every write, also with one that puts the old modification time back."""
    found = path.stat()
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino]


def _log_path(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def _keep_log(path: Path) -> Log | None:
    """A copy of the log as the last process left it. Opening the file takes over what is good and drops the rest."""
    log = _log_path(path)
    if not path.exists() or not log.exists() or log.stat().st_size == 0:
        return None
    copy = path.with_name(path.name + "-wal-before")
    shutil.copyfile(log, copy)
    return Log.open(copy)


def _rescue_from_log(store: Store, log: Log, good: int) -> list[str]:
    """Take from the log what lies behind its first bad frame: the database stops reading there."""
    losses = Losses()
    damaged = log.cut or log.has_commit(good)
    rescued = _insert(store, log.rescue(store.path, losses, good))
    if not damaged:
        return []
    lost = f"at least {losses.rows} others" if losses.rows else "what else it may have held"
    return [f"{store.path}-wal was damaged: {rescued} answers were rescued from it, {lost} will be computed again"]


# ── the whole file ───────────────────────────────────────────────────────────


def _rebuild(path: Path, log: Log | None, safe: bool) -> tuple[Store, list[str]]:
    """Read what is intact into a new file, put the damaged one aside."""
    fresh = _fresh(path)
    _remove(fresh)
    losses = Losses()
    try:
        store = Store(fresh, safe=safe)
        try:
            kept = _insert(store, rescue_database(path, losses))
            if log:
                kept += _insert(store, log.rescue(path, losses))
            _copy_names(path, store)
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
    known = [f"{losses.rows} answers"] if losses.rows else []
    known += [f"{losses.pages} empty or cut pages"] if losses.pages else []
    lost = f"{' and '.join(known)} could not be read, and are" if known else "anything else it held is"
    return Store(path, safe=safe), [
        f"{path} was damaged: {kept} answers are intact and used; {lost} computed again where a run needs them."
        f" The damaged file is kept as {aside.name} until `evalkit cache prune`"
    ]


def _insert(store: Store, rows: Iterator[Rescued]) -> int:
    count = 0
    while batch := list(itertools.islice(rows, _BATCH)):
        count += store.insert((row.key, row.value, checksum(row.key, row.value), row.at) for row in batch)
    return count


def _copy_names(path: Path, store: Store) -> None:
    """The models' names and the runs, as far as the damaged file still gives them."""
    for table, columns in (("models", "owner, fingerprint, label, used"), ("runs", "run, used, written")):
        with contextlib.suppress(sqlite3.Error, EvalkitError):
            damaged = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
            try:
                _copy_rows(damaged.execute(f"SELECT {columns} FROM {table}"), store, table, columns)
            finally:
                damaged.close()


def _copy_rows(rows: Iterable[tuple[object, ...]], store: Store, table: str, columns: str) -> None:
    marks = ", ".join("?" * (columns.count(",") + 1))
    for row in rows:
        store.execute(f"INSERT OR IGNORE INTO {table} ({columns}) VALUES ({marks})", row)


def _mark_in_use(store: Store) -> None:
    """Who refers to what is lost with the file: as long as nobody knows better, every answer is in use."""
    now = int(time.time())
    run = f"rescued {time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(now))}"
    store.execute("INSERT OR IGNORE INTO runs (run, used, written) VALUES (?, ?, 0)", (run, now))
    store.execute("INSERT OR IGNORE INTO refs SELECT (SELECT id FROM runs WHERE run = ?), id FROM answers", (run,))


def _fresh(path: Path) -> Path:
    return path.with_name(path.name + ".rebuilt")


def _remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
