"""`evalkit cache`: shows a journal's size and models, and deletes answers that no run refers to."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from evalkit.errors import OutputError, UnknownModel, nearest
from evalkit.journal.files import open_files
from evalkit.journal.journal import FOLDER
from evalkit.journal.locks import Lock, opening
from evalkit.journal.repair import remember_good
from evalkit.journal.schema import RUN_SEPARATOR
from evalkit.journal.store import Store

__all__ = ["JournalStat", "ModelUse", "Pruned", "expected_bytes", "prune", "stat"]


@dataclass(frozen=True)
class ModelUse:
    """The answers of one model in a journal."""

    label: str
    fingerprint: str
    answers: int
    bytes: int
    """The size of the answers alone."""
    used: int
    """When a run last used this model's answers, Unix seconds."""
    unreferenced: int
    """Answers that no run refers to."""


@dataclass(frozen=True)
class JournalStat:
    """A journal's size and content."""

    path: Path
    bytes: int
    """The size of all files on disk."""
    answers: int
    models: tuple[ModelUse, ...] = ()
    damaged: tuple[Path, ...] = ()
    """Files that were renamed because they were damaged."""
    notices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Pruned:
    """What pruning deleted, and the sizes before and after."""

    answers: int
    """How many answers were deleted, or would be with `dry_run`."""
    kept: int
    bytes_before: int
    bytes_after: int
    notices: tuple[str, ...] = ()


def expected_bytes(scored: int, generated: int, mean_text: float = 1000.0) -> int:
    """Estimate the bytes that a journal needs for so many answers; `mean_text`: bytes of one generated text."""
    return int(scored * 160 + generated * (220 + 1.05 * mean_text))


def stat(root: Path | str, runs: Collection[str] | None = None, *, folder: Path | None = None) -> JournalStat:
    """The size and content of the journal of a results folder, or of the one in `folder`; `runs` as for `prune`."""
    folder = Path(root) / FOLDER if folder is None else folder
    if not folder.is_dir():
        return JournalStat(folder, 0, 0)
    store, users, notices = open_files(folder)
    try:
        models = _models(store, runs)
    finally:
        _close(store, users)
    answers = sum(model.answers for model in models)
    return JournalStat(folder, _size(folder), answers, models, tuple(_damaged(folder)), tuple(notices))


def prune(
    root: Path | str,
    runs: Collection[str],
    *,
    model: str | None = None,
    older_than: float | None = None,
    dry_run: bool = False,
    folder: Path | None = None,
) -> Pruned:
    """Delete answers of a results folder's journal, or of the one in `folder`, and free their disk space.

    `runs` are the runs that exist, as `<model-slug>/<run-id>`. Without a filter, all answers are deleted that no run
    refers to; a run that was killed before its folder was written counts, since it can be resumed. `model` (a label,
    or the beginning of a fingerprint) and `older_than` (seconds since a run used it last) choose answers whether or
    not a run refers to them; given both, an answer must fit both.
    """
    folder = Path(root) / FOLDER if folder is None else folder
    if not folder.is_dir():
        return Pruned(0, 0, 0, 0)
    before = _size(folder)
    store, users, notices = open_files(folder)
    try:
        # Hold both locks: no other process has the journal open, and none can open it meanwhile.
        with opening(folder):
            if not users.alone():
                raise OutputError(f"{folder} is in use by another process: let it finish, then prune")
            chosen = _choose(store, runs, model, older_than)
            total = int(store.select("SELECT count(*) FROM answers")[0][0])
            dropped = int(store.select(f"SELECT count(*) FROM answers WHERE {chosen}")[0][0])
            if not dry_run:
                _drop(store, chosen, runs)
                notices += _shrink(store)
                for path in _damaged(folder):
                    path.unlink(missing_ok=True)
    finally:
        _close(store, users)
    return Pruned(dropped, total - dropped, before, _size(folder), tuple(notices))


# ── inside ───────────────────────────────────────────────────────────────────


def _models(store: Store, runs: Collection[str] | None) -> tuple[ModelUse, ...]:
    _list_referred(store, runs)
    named = {row[0]: row[1:] for row in store.select("SELECT owner, fingerprint, label, used FROM models")}
    rows = store.select(
        "SELECT substr(key, 1, 8) AS owner, count(*), sum(length(value)), max(at),"
        " sum(id NOT IN (SELECT answer FROM temp.referred)) FROM answers GROUP BY owner"
    )
    models = []
    for owner, answers, size, written, unreferenced in rows:
        fingerprint, label, used = named.get(owner, (owner.hex(), "?", written))
        models.append(ModelUse(label, fingerprint, answers, size, max(used, written), unreferenced))
    return tuple(sorted(models, key=lambda model: -model.bytes))


def _list_referred(store: Store, runs: Collection[str] | None) -> None:
    """Fill a temporary table with the answers that a run refers to."""
    entries = store.select("SELECT id, run, written FROM runs")
    alive = [row_id for row_id, run, written in entries if runs is None or not written or _exists(run, runs)]
    store.execute("CREATE TEMP TABLE referred (answer INTEGER PRIMARY KEY)")
    for run in alive:
        store.execute("INSERT OR IGNORE INTO temp.referred SELECT answer FROM refs WHERE run = ?", (run,))


def _choose(store: Store, runs: Collection[str], model: str | None, older_than: float | None) -> str:
    """The SQL condition of the answers to delete. It is safe to execute: from outside it holds only numbers and hex."""
    if model is None and older_than is None:
        _list_referred(store, runs)
        return "id NOT IN (SELECT answer FROM temp.referred)"
    conditions = []
    if model is not None:
        owners = ", ".join(f"x'{owner.hex()}'" for owner in _owners(store, model))
        conditions.append(f"substr(key, 1, 8) IN ({owners})")
    if older_than is not None:
        since = int(time.time() - older_than)
        recent = f"SELECT answer FROM refs JOIN runs ON runs.id = refs.run WHERE runs.used >= {since:d}"
        conditions.append(f"at < {since:d} AND id NOT IN ({recent})")
    return " AND ".join(conditions)


def _owners(store: Store, model: str) -> list[bytes]:
    named = store.select("SELECT owner, fingerprint, label FROM models")
    owners = [row[0] for row in named if model == row[2] or (len(model) >= 8 and row[1].startswith(model))]
    if not owners:
        labels = sorted({row[2] for row in named})
        hint = nearest(model, labels) or f"; it has {', '.join(labels[:10]) or 'none'}"
        raise UnknownModel(f"the journal has no answers of {model}{hint}")
    return owners


def _drop(store: Store, chosen: str, runs: Collection[str]) -> None:
    with store.transaction() as connection:
        connection.execute(f"DELETE FROM answers WHERE {chosen}")
        gone = [
            (row_id,)
            for row_id, run, written in connection.execute("SELECT id, run, written FROM runs").fetchall()
            if written and not _exists(run, runs)
        ]
        connection.executemany("DELETE FROM refs WHERE run = ?", gone)
        connection.executemany("DELETE FROM runs WHERE id = ?", gone)
        connection.execute("DELETE FROM refs WHERE answer NOT IN (SELECT id FROM answers)")


def _exists(run: str, runs: Collection[str]) -> bool:
    """Whether one of the run folders of an entry still exists."""
    folders = run.split(RUN_SEPARATOR)
    return any(Path(folder).is_dir() if Path(folder).is_absolute() else folder in runs for folder in folders)


def _shrink(store: Store) -> list[str]:
    try:
        store.execute("VACUUM")
        store.select("PRAGMA wal_checkpoint(TRUNCATE)")
    except OutputError as error:
        return [f"the answers are dropped, but their room could not be given back: {error}"]
    return []


def _close(store: Store, users: Lock) -> None:
    store.close()
    remember_good(store.path)
    users.close()


def _damaged(folder: Path) -> list[Path]:
    return sorted(folder.glob("answers*.damaged-*"))


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
