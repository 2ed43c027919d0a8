"""The journal of a process: stores every finished answer on disk, and looks answers up by their keys."""

from __future__ import annotations

import contextlib
import itertools
import json
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from evalkit.errors import EvalkitError, OutputError
from evalkit.journal.files import open_files
from evalkit.journal.keys import owner_of
from evalkit.journal.locks import Lock
from evalkit.journal.records import Record, checksum, decode, encode
from evalkit.journal.repair import remember_good
from evalkit.journal.schema import RUN_SEPARATOR
from evalkit.journal.store import Batch, Busy, Damaged, Store
from evalkit.scrub import Scrubber

__all__ = ["FOLDER", "Journal"]

FOLDER = ".journal"

_COMMIT_EVERY = 0.25
_BATCH_ROWS = 8000
_BATCH_BYTES = 12_000_000
_HELD_BYTES = 24_000_000
_LOOKUP = 2000


class Journal:
    """Open one per process. `put` returns at once; a thread commits new answers four times a second.

    A SIGKILL loses at most the answers since the last commit; `flush` and `close` lose nothing. Several threads may
    use it.
    """

    def __init__(self, folder: Path, store: Store, users: Lock, notices: list[str], run: str) -> None:
        self.folder = folder
        self.notices = notices
        """Messages on damaged answers and on files that could not be shared; more may come while answers are read."""
        self.damaged: list[int] = []
        """Ids of the requests whose stored answer was damaged."""
        self.acknowledged = 0
        """The number of answers of this process that are on disk."""
        self._store = store
        self._users = users
        self._scrubber = Scrubber()
        self._database = threading.Lock()
        self._changed = threading.Condition()
        self._batch = Batch()
        self._writing = False
        self._hurry = False
        self._closing = False
        self._closed = False
        self._failure: Exception | None = None
        self._run_name = run
        self._run = self._register_run(run) if run else None
        self._thread = threading.Thread(target=self._write_on, name="evalkit-journal", daemon=True)
        self._thread.start()

    @classmethod
    def open(
        cls,
        root: Path | str,
        *,
        run: str | Sequence[str] = (),
        safe: bool | None = None,
        folder: Path | None = None,
    ) -> Journal:
        """Open the journal of a results folder, or the one in `folder`.

        `run` is `<model-slug>/<run-id>`, or several of them if adapters share a pass: the answers count as in use as
        long as one of these folders exists. `safe` chooses the mode for network file systems instead of the fast one;
        None decides by the file system. A journal in `folder` may serve several results folders, so it keeps the
        full paths of its runs.
        """
        if folder is not None:
            run = [str(Path(root).resolve() / name) for name in ([run] if isinstance(run, str) else run) if name]
        folder = Path(root) / FOLDER if folder is None else folder
        store, users, notices = open_files(folder, safe)
        try:
            return cls(folder, store, users, notices, run if isinstance(run, str) else RUN_SEPARATOR.join(run))
        except BaseException:
            store.close()
            users.close()
            raise

    @property
    def safe(self) -> bool:
        """Whether the mode for network file systems is used."""
        return self._store.safe

    # ── asking ───────────────────────────────────────────────────────────────

    def get_many(self, wanted: Iterable[tuple[int, bytes]]) -> Iterator[Record]:
        """Yield the stored answers for (request id, key) pairs, each with its request's id; both are streamed.

        A damaged answer is left out with a notice, and the next `put` of its key replaces it.
        """
        damaged_before = len(self.damaged)
        for request_id, _, value in self._values(wanted):
            try:
                yield decode(value, request_id)
            except ValueError:
                self.damaged.append(request_id)
        if more := len(self.damaged) - damaged_before:
            shown = ", ".join(map(str, self.damaged[damaged_before:][:5]))
            self.notices.append(f"{more} kept answers were damaged and are computed again (requests {shown}…)")

    def get_json(self, keys: Iterable[bytes]) -> Iterator[tuple[bytes, Any]]:
        """Yield the stored values of `put_json` with their keys."""
        for _, key, value in self._values(enumerate(keys)):
            with contextlib.suppress(ValueError, KeyError, TypeError):
                yield key, json.loads(value)["json"]

    # ── keeping ──────────────────────────────────────────────────────────────

    def put(self, key: bytes, answer: Record) -> None:
        """Store an answer. Raises OutputError if an earlier one could not be written."""
        value = encode(answer, self._scrubber)
        if value is not None:
            self._add(key, value)

    def put_json(self, key: bytes, value: Any) -> None:
        """Store a value of another kind, such as a judge's reply with its log-probabilities."""
        text = json.dumps({"json": value}, separators=(",", ":"))
        self._add(key, (self._scrubber.text(text)).encode())

    def name_model(self, fingerprint: str, label: str) -> None:
        """Store the name of a model's fingerprint, for `evalkit cache stat`."""
        with self._translated(), self._database:
            self._store.execute(
                "INSERT INTO models VALUES (?, ?, ?, ?) ON CONFLICT (owner) DO UPDATE"
                " SET label = excluded.label, used = excluded.used",
                (owner_of(fingerprint), fingerprint, label, int(time.time())),
            )

    def run_written(self) -> None:
        """Note that the run's folder is on disk: once it is deleted, the run no longer refers to its answers."""
        if self._run_name:
            with self._translated(), self._database:
                self._store.execute("UPDATE runs SET written = 1 WHERE run = ?", (self._run_name,))

    def flush(self) -> None:
        """Wait until all stored answers are on disk."""
        with self._changed:
            self._hurry = True
            self._changed.notify_all()
            while (len(self._batch) or self._writing) and self._failure is None:
                self._changed.wait()
            self._hurry = False
            self._raise_failure()

    def close(self) -> None:
        """Write the remaining answers, then close. Safe to call twice."""
        if self._closed:
            return
        self._closed = True
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join()
        try:
            # After a failure there may be space again; if not, this raises the error for the user.
            if len(self._batch):
                self._commit(self._batch)
        finally:
            self._store.close()
            remember_good(self._store.path)
            self._users.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
        else:
            with contextlib.suppress(EvalkitError):
                self.close()

    # ── inside ───────────────────────────────────────────────────────────────

    def _values(self, wanted: Iterable[tuple[int, bytes]]) -> Iterator[tuple[int, bytes, bytes]]:
        pairs = iter(wanted)
        while chunk := list(itertools.islice(pairs, _LOOKUP)):
            row_ids, broken, values = [], set(), {}
            with self._translated(), self._database:
                for key, row_id, value in self._store.get(list({key for _, key in chunk})):
                    if value is None:
                        broken.add(key)
                    else:
                        row_ids.append(row_id)
                        values[key] = value
            with self._changed:
                self._batch.broken += broken
                if self._run is not None:
                    self._batch.reused += row_ids
            for request_id, key in chunk:
                if key in values:
                    yield request_id, key, values[key]
                elif key in broken:
                    self.damaged.append(request_id)

    def _add(self, key: bytes, value: bytes) -> None:
        row = (key, value, checksum(key, value), int(time.time()))
        with self._changed:
            while self._batch.size > _HELD_BYTES and self._failure is None:
                self._changed.wait()
            self._raise_failure()
            if self._closing:
                raise ValueError("the journal is closed")
            self._batch.answers.append(row)
            self._batch.size += len(value)
            if len(self._batch.answers) == 1 or self._batch_is_full():
                self._changed.notify_all()

    def _write_on(self) -> None:
        while True:
            with self._changed:
                while not len(self._batch) and not self._closing:
                    self._changed.wait()
                # Wait for more answers: a commit of many costs little more than a commit of one.
                deadline = time.monotonic() + _COMMIT_EVERY
                while not (self._hurry or self._closing or self._batch_is_full()):
                    left = deadline - time.monotonic()
                    if left <= 0:
                        break
                    self._changed.wait(left)
                if not len(self._batch):
                    return
                batch, self._batch = self._batch, Batch()
                self._writing = True
            try:
                self._commit(batch)
            except Exception as error:
                with self._changed:
                    self._failure = error
                    self._batch.answers[:0] = batch.answers
                    self._batch.broken[:0] = batch.broken
                    self._batch.reused[:0] = batch.reused
            finally:
                with self._changed:
                    self._writing = False
                    self._changed.notify_all()
            if self._failure is not None:
                return

    def _commit(self, batch: Batch) -> None:
        with self._translated(), self._database:
            self._store.write(batch, self._run)
        self.acknowledged += len(batch.answers)

    def _batch_is_full(self) -> bool:
        return len(self._batch.answers) >= _BATCH_ROWS or self._batch.size >= _BATCH_BYTES

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _register_run(self, run: str) -> int:
        with self._translated():
            self._store.execute(
                "INSERT INTO runs (run, used, written) VALUES (?, ?, 0) ON CONFLICT (run) DO UPDATE"
                " SET used = excluded.used",
                (run, int(time.time())),
            )
            return int(self._store.select("SELECT id FROM runs WHERE run = ?", (run,))[0][0])

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except Damaged as error:
            raise OutputError(f"{error}; the same command, typed again, uses what is intact") from None
        except Busy as error:
            raise OutputError(f"{error}: let that one finish, then type the same command again") from None
