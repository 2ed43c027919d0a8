"""A run as it lies on disk."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from evalkit.errors import RunFolderError
from evalkit.results.files import open_regular, parse_json, read_regular
from evalkit.results.judged import older_filters, rename_older
from evalkit.results.names import judgments_file, older_slug, slug
from evalkit.results.record import GroupResult, Manifest, ModelInfo, Results, RunRecord, TaskResult
from evalkit.results.table import read_scores
from evalkit.types import JsonObject
from evalkit.validation import parse

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["MANIFEST", "REPORT", "RESULTS", "SCHEMA", "SCORES", "STATUSES", "Run", "read_json", "read_lines"]

MANIFEST, RESULTS, SCORES, REPORT = "manifest.json", "results.json", "scores.parquet", "report.md"
SCHEMA = 1
STATUSES = ("complete", "limited", "partial", "incomplete")
"""complete: every document. limited: fewer were asked for. partial: some have no answer. incomplete: some failed."""

_MOST_LEVELS = 100
"""Of groups in groups."""
_MOST_MEMBERS = 1_000_000
"""Of all groups, each with everything below it written out. lm-eval's own task files are 14,000."""
_LONG_AGO = datetime.datetime.min.replace(tzinfo=datetime.UTC)


@dataclass(frozen=True, eq=False)
class Run:
    path: Path
    record: RunRecord
    """Manifest and figures."""
    _identity: tuple[int, ...] = field(default=(), repr=False)
    """What tells this state of the folder from a newer one; empty: not looked at."""
    _older_filters: Mapping[str, Mapping[str, str]] = field(default_factory=dict, repr=False)
    """For each task, the filters in scores.parquet that have another name in `record`."""

    def __post_init__(self) -> None:
        self._check_groups()

    @classmethod
    def open(cls, path: Path | str) -> Run:
        """Read and check manifest and figures. Rows and scores are read when they are asked for."""
        folder = Path(path)
        if not folder.is_dir():
            raise RunFolderError(f"{folder} is not a run folder")
        identity = _identity_of(folder)
        manifest = read_json(folder / MANIFEST)
        results = read_json(folder / RESULTS)
        for name, content in ((MANIFEST, manifest), (RESULTS, results)):
            schema = content.get("schema", SCHEMA)
            if schema != SCHEMA:
                raise RunFolderError(f"{folder / name} has schema {schema!r}; this evalkit reads schema {SCHEMA}")
        status = results.get("status", "complete")
        if status not in STATUSES:
            raise RunFolderError(f"{folder / RESULTS}: status {status!r} is none of {', '.join(STATUSES)}")
        figures, filters = rename_older(parse(Results, results, f"{folder / RESULTS}", RunFolderError))
        record = RunRecord(parse(Manifest, manifest, f"{folder / MANIFEST}", RunFolderError), figures)
        return cls(folder, record, identity, filters)

    # ── who it is ────────────────────────────────────────────────────────────

    @property
    def run_id(self) -> str:
        return self.record.manifest.run_id or self.record.results.run_id or self.path.name

    @property
    def model(self) -> ModelInfo:
        """The model of the manifest, else of results.json."""
        manifest = self.record.manifest
        return manifest.model if manifest.states("model") else ModelInfo(typed=self.record.results.model)

    @property
    def label(self) -> str:
        """The model as it was typed, with its adapter."""
        typed = self.model.typed or str(self.record.results.model or self.path.parent.name)
        adapter = self.record.manifest.adapter
        name = adapter.name if adapter else None
        return f"{typed}+{name}" if name and not typed.endswith(f"+{name}") else typed

    @property
    def imported_from(self) -> str | None:
        """The tool that made it, where that is not evalkit."""
        imported = self.record.manifest.imported
        return str(imported.tool) if imported else None

    # ── where it stands ──────────────────────────────────────────────────────

    @property
    def status(self) -> str:
        return self.record.results.status

    @property
    def created(self) -> datetime.datetime:
        return _moment(self.record.manifest.created) or _LONG_AGO

    @property
    def finished(self) -> datetime.datetime | None:
        """When it came to its end; None where it was interrupted."""
        manifest = self.record.manifest
        if not manifest.states("finished"):
            return self.created if self.status in ("complete", "limited") else None
        return (_moment(manifest.finished) or self.created) if manifest.finished else None

    @property
    def dated(self) -> datetime.datetime | None:
        """When it came to its end, else when it began; None where it says neither."""
        return _moment(self.record.manifest.finished) or _moment(self.record.manifest.created)

    @property
    def not_run(self) -> int:
        """Documents that were left out because the verdict was sure without them."""
        return sum(task.not_run.value or 0 for task in self.record.results.tasks.values())

    @property
    def against(self) -> str | None:
        """The run-id of the baseline that it was judged against while it ran."""
        against = self.record.manifest.against
        return str(against.run_id) if against else None

    # ── its figures ──────────────────────────────────────────────────────────

    @property
    def requested(self) -> list[str]:
        """The names that were typed; the tasks themselves where the run doesn't say."""
        return list(self.record.results.requested or self.record.manifest.requested or self.record.results.tasks)

    def entry(self, name: str) -> TaskResult | GroupResult | None:
        """The figures of a task or group. A group's come first: a leaf may share its name."""
        return self.record.results.entry(name)

    def scores(self) -> pa.Table:
        """scores.parquet, with the columns of `evalkit.results.COLUMNS`."""
        return self._scores

    @cached_property
    def _scores(self) -> pa.Table:
        table = older_filters(read_scores(self.scores_path), self._older_filters)
        self._check_same()
        here = set(table.column("task").unique().to_pylist())
        gone = [name for name, task in self.record.results.tasks.items() if (task.n or 0) > 0 and name not in here]
        if gone:
            raise RunFolderError(f"{self.scores_path} has no line of {', '.join(gone[:5])}, which {RESULTS} lists")
        return table

    @property
    def results_path(self) -> Path:
        """Where the figures lie, for messages."""
        return self.path / RESULTS

    @property
    def scores_path(self) -> Path:
        """Where the score table lies, for messages."""
        return self.path / SCORES

    def rows_path(self, task: str) -> Path:
        return _present(self.path / "samples", f"{slug(task)}.jsonl", f"{older_slug(task)}.jsonl")

    def has_rows(self, task: str) -> bool:
        return self.rows_path(task).is_file()

    def rows(self, task: str) -> Iterator[JsonObject]:
        """The lines of samples/<task>.jsonl, one at a time."""
        yield from read_lines(self.rows_path(task))
        self._check_same()

    def judgments(self, name: str) -> Iterator[JsonObject]:
        """What `<rubric>@<judge>` wrote; nothing where it never did."""
        path = _present(self.path, judgments_file(name), judgments_file(name, older=True))
        if path.is_file():
            yield from read_lines(path)

    def _check_groups(self) -> None:
        """Refuse groups that contain themselves, and those that stand for more members than anyone could list."""
        groups, tasks = self.record.results.groups, self.record.results.tasks
        sizes: dict[str, int] = {}
        """The lines of each group with everything below it written out."""
        levels: dict[str, int] = {}
        for name in groups:
            path = {} if name in sizes else {name: iter(groups[name].all_members)}
            while path:
                at, members = next(reversed(path.items()))
                for member in members:
                    if member not in groups or member in sizes or (member == at and at in tasks):
                        continue
                    if member in path:
                        loop = " → ".join([*list(path)[list(path).index(member) :], member][:5])
                        raise RunFolderError(f"{self.results_path}: groups contain themselves: {loop}")
                    path[member] = iter(groups[member].all_members)
                    break
                else:
                    sizes[at] = 1 + sum(sizes.get(member, 1) for member in groups[at].all_members)
                    levels[at] = 1 + max((levels.get(member, 0) for member in groups[at].all_members), default=0)
                    del path[at]
                if max(len(path), levels.get(at, 0)) > _MOST_LEVELS:
                    raise RunFolderError(f"{self.results_path}: {name} holds more than {_MOST_LEVELS} levels of groups")
        if sum(sizes.values()) > _MOST_MEMBERS:
            raise RunFolderError(
                f"{self.results_path}: its groups stand for more than {_MOST_MEMBERS:,} members, written out"
            )

    def _check_same(self) -> None:
        """A folder that was swapped for a newer one while we read would give us half of each."""
        if self._identity and _identity_of(self.path) != self._identity:
            raise RunFolderError(f"{self.path} was replaced by a newer one while it was read: type the command again")


def _identity_of(folder: Path) -> tuple[int, ...]:
    """The folder's inode, and its manifest's with the time it was written: a file system gives inodes out again."""
    try:
        known = (folder / MANIFEST).stat()
        return folder.stat().st_ino, known.st_ino, known.st_mtime_ns
    except OSError:
        return ()


def _present(folder: Path, name: str | Path, older: str | Path) -> Path:
    """A file of the folder, under the name that an older evalkit gave it where only that is there."""
    return folder / older if not (folder / name).exists() and (folder / older).exists() else folder / name


def read_json(path: Path) -> JsonObject:
    """A JSON object of a run folder."""
    try:
        content = parse_json(read_regular(path), path)
    except FileNotFoundError:
        raise RunFolderError(f"{path} is missing: the run folder is half-written, or was copied in part") from None
    except OSError as error:
        raise RunFolderError(f"{path} can't be read: {error.strerror or error}") from None
    if not isinstance(content, dict):
        raise RunFolderError(f"{path} holds {type(content).__name__}, not an object")
    return content


def read_lines(path: Path) -> Iterator[JsonObject]:
    """The objects of a JSONL file. Bytes are split at line feeds only: text may hold other line ends."""
    try:
        with open_regular(path) as file:
            for number, line in enumerate(file, 1):
                if not line.strip():
                    continue
                try:
                    row = json.loads(line)
                except (ValueError, RecursionError) as error:
                    raise RunFolderError(f"{path}:{number} is not JSON: {error}") from None
                if not isinstance(row, dict):
                    raise RunFolderError(f"{path}:{number} holds {type(row).__name__}, not an object")
                yield row
    except FileNotFoundError:
        raise RunFolderError(f"{path} is missing: this run's rows were not kept, or not copied") from None
    except OSError as error:
        raise RunFolderError(f"{path} can't be read: {error.strerror or error}") from None


def _moment(text: str | None) -> datetime.datetime | None:
    try:
        moment = datetime.datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)
