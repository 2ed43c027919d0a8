"""Writes a run folder that readers see whole: everything is staged beside it, then given its name in one step."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from evalkit.errors import RunFolderError, UsageError
from evalkit.results.disk import could_not_write, staging_folder, swap_folder, sweep, sync_tree
from evalkit.results.judged import Kept, keep_judged, without_lost_rows
from evalkit.results.names import judgments_file, run_path, slug
from evalkit.results.plain import encode, plain
from evalkit.results.record import Manifest, Metric, Results
from evalkit.results.run import MANIFEST, REPORT, RESULTS, SCHEMA, SCORES, STATUSES, Run
from evalkit.results.settings import same_settings
from evalkit.results.table import ScoreWriter, write_scores
from evalkit.scrub import Scrubber
from evalkit.types import Figure, JsonObject, Row

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Reporter", "RunWriter", "figure"]

Reporter = Callable[[Run, Path], str]
"""Returns the text of report.md, given the finished run and the folder that it will have."""

_OURS = {MANIFEST, RESULTS, SCORES, REPORT, "samples"}


def figure(value: Figure) -> Metric:
    """A figure as results.json holds it."""
    if value.value is None:
        return Metric(value=None, reason=value.reason or "not known", higher_is_better=value.higher_is_better)
    written = Metric(value=value.value, stderr=value.stderr, ci95=value.ci95, higher_is_better=value.higher_is_better)
    spread = {} if value.spread is None else dataclasses.asdict(value.spread)
    given = (("reason", value.reason), ("best_at", value.best_at))
    stated = {key: item for key, item in given if item is not None and item != ""}
    return written.model_copy(update={**stated, **spread}) if stated or spread else written


class RunWriter:
    """One run folder to be. Nothing is seen of it before `commit`, and nothing is left of it without.

    with RunWriter(root, model_slug("nano"), run_id) as writer:
        writer.rows("gsm8k", rows)
        run = writer.commit(manifest, results)
    """

    def __init__(self, root: Path | str, model: str, run_id: str) -> None:
        self._root = Path(root)
        self.path = run_path(root, model, run_id)
        self._run_id = run_id
        self._scrubber = Scrubber()
        self._amended: Run | None = None
        with could_not_write(self.path):
            sweep(self._root)
            self._staged = staging_folder(self._root, run_id)
            self._score_file = (self._staged / SCORES).open("wb")
            self._scores: ScoreWriter | None = ScoreWriter(self._score_file)

    @classmethod
    def amend(cls, run: Run) -> RunWriter:
        """Start from a run that exists, to put judgments and their figures into it."""
        if tool := run.imported_from:
            raise UsageError(f"{run.path} is a run of {tool}: judgments are written into runs of evalkit only")
        writer = cls(run.path.parent.parent, run.path.parent.name, run.path.name)
        writer._amended = run
        writer._drop_scores()
        with could_not_write(run.path):
            _link(run.path, writer._staged, _present(run.path))
        return writer

    def rows(self, task: str, rows: Iterable[Row], metrics: Sequence[str] = ()) -> int:
        """Write a task's rows, in document order, and their lines of the score table.

        `metrics` names the per-document metrics of a task none of whose documents may have any.
        """
        count = 0
        kept: list[Row] = []
        with could_not_write(self.path), self._open(Path("samples") / f"{slug(task)}.jsonl") as file:
            for row in rows:
                file.write(encode(row.sample, self._scrubber) + b"\n")
                # The table needs the figures alone: documents and prompts are let go of.
                kept.append(dataclasses.replace(row, sample={}))
                count += 1
        with could_not_write(self.path):
            if self._scores is None:
                raise ValueError("an amended run keeps its rows and scores")
            self._scores.add(kept, metrics)
        return count

    def judgments(self, name: str, lines: Iterable[JsonObject]) -> None:
        """Write judgments/<name>.jsonl, with <rubric>@<judge> as its name."""
        with could_not_write(self.path), self._open(judgments_file(name)) as file:
            for line in lines:
                file.write(encode(line, self._scrubber) + b"\n")

    def scores(self, table: pa.Table) -> None:
        """The whole score table of an amended run: what it had, and the lines of what was judged."""
        if self._amended is None:
            raise ValueError("only an amended run takes a whole table: rows() writes the others' lines")
        with could_not_write(self.path), self._open(Path(SCORES)) as file:
            write_scores(file, table)

    def commit(self, manifest: Manifest, results: Results, report: Reporter | None = None) -> Run:
        """Give the folder its name. It replaces an older state of the same run, never a run with other settings."""
        if not results.states("status") or results.status not in STATUSES:
            raise ValueError(f"status {results.status!r} is none of {STATUSES}")
        head = {"schema": SCHEMA, "run_id": self._run_id}
        settings = Manifest.model_validate(plain(manifest.as_json(), self._scrubber, settings=True))
        earlier = self._earlier(settings)
        with could_not_write(self.path):
            if self.path.is_dir() and self._amended is None:
                _link(self.path, self._staged, _present(self.path) - _OURS)
            kept = None if earlier is None else _kept(earlier, self._staged, results)
            if kept is not None and kept.judging is not None:
                settings = settings.model_copy(update={"judging": kept.judging})
            if self._scores is not None:
                if kept is not None and kept.lines is not None:
                    self._scores.add_table(kept.lines)
                self._scores.close()
                self._score_file.close()
            self._write(MANIFEST, encode({**head, **settings.as_json(), **head}, self._scrubber, indent=1) + b"\n")
            figures = without_lost_rows(results if kept is None else kept.results, self._staged)
            figures = plain({**head, **figures.as_json(), **head}, self._scrubber)
            self._write(RESULTS, encode(figures, self._scrubber, indent=1) + b"\n")
            if report is not None:
                self._write(REPORT, self._report(report))
            sync_tree(self._staged)
            swap_folder(self._staged, self.path)
        return Run.open(self.path)

    def close(self) -> None:
        """Remove what was staged and not committed."""
        self._drop_scores()
        shutil.rmtree(self._staged, ignore_errors=True)
        with contextlib.suppress(OSError):
            self._staged.parent.rmdir()

    def __enter__(self) -> RunWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # ── inside ───────────────────────────────────────────────────────────────

    def _earlier(self, manifest: Manifest) -> Run | None:
        """The state of the run that is replaced, or an error where it is a run with other settings."""
        if not self.path.exists() or self._amended is not None:
            return None
        try:
            there = Run.open(self.path)
        except RunFolderError:
            return None  # half a folder, as a copy leaves it: the whole one takes its place
        if differences := same_settings(there.record.manifest, manifest):
            raise UsageError(
                f"{self.path} holds a run with other settings ({'; '.join(differences[:3])}): choose another --name"
            )
        return there

    def _open(self, name: Path) -> Any:
        path = self._staged / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)  # it may be a link to the file of the run that is amended
        return path.open("wb")

    def _report(self, report: Reporter) -> bytes:
        """Of what is staged: figures that were kept of an older state stand in it too."""
        text = report(Run.open(self._staged), self.path)
        return self._scrubber.text(text).encode("utf-8", "replace")

    def _write(self, name: str, content: bytes) -> None:
        with self._open(Path(name)) as file:
            file.write(content)

    def _drop_scores(self) -> None:
        with contextlib.suppress(Exception):
            if self._scores is not None:
                self._scores.close()
        self._scores = None
        with contextlib.suppress(OSError):
            self._score_file.close()
        if self._amended is not None:
            (self._staged / SCORES).unlink(missing_ok=True)


def _kept(earlier: Run, staged: Path, results: Results) -> Kept | None:
    try:
        return keep_judged(earlier, staged, results)
    except RunFolderError:
        return None  # its score table is gone or broken, and with it what the judged figures rest on


def _present(folder: Path) -> set[str]:
    return {entry.name for entry in folder.iterdir()}


def _link(source: Path, target: Path, names: Iterable[str]) -> None:
    """Bring files and folders of an older state over: by link where the file system has links."""
    for name in names:
        old = source / name
        if old.is_dir():
            shutil.copytree(old, target / name, copy_function=_link_file, dirs_exist_ok=True)
        elif old.is_file() and not (target / name).exists():
            _link_file(str(old), str(target / name))


def _link_file(source: str, target: str) -> None:
    if Path(target).exists():
        return
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
