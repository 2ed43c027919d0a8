"""A cleaned copy of a run, with all that an exporter may send of it."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from evalkit.comparison import Flip
from evalkit.errors import EvalkitError, NoDocumentFigures, RunFolderError
from evalkit.exporting.cleaning import Cleaner, is_local_path, last_part
from evalkit.exporting.figures import ExportedFigure, figures_of
from evalkit.gating import GateResult
from evalkit.regularfile import read_regular_file
from evalkit.results import Run, model_slug, slug
from evalkit.types import JsonObject

__all__ = ["Evidence", "Parcel", "open_parcel"]

_BROKEN = "replace"
"""How half a surrogate pair is encoded: JSON can hold one, a UTF-8 file cannot."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """The verdict against the baseline and the documents that changed, from cleaned copies of both runs."""

    baseline: Run
    verdict: GateResult
    changed: tuple[Flip, ...]


@dataclass(frozen=True)
class Parcel:
    run: Run
    """The cleaned copy. The run itself is never handed to an exporter."""
    cleaner: Cleaner
    evidence: Evidence | None = None
    report: Callable[[], str] | None = field(default=None, repr=False)
    """Makes the HTML report of the cleaned copies."""

    @property
    def folder(self) -> Path:
        """The cleaned run folder: it is gone when the export ends."""
        return self.run.path

    @property
    def label(self) -> str:
        return self.run.label

    @property
    def export_id(self) -> str:
        """The same for each export of this run, and another for every other run; letters that every target takes."""
        fingerprint = self.run.record.manifest.model.fingerprint or ""
        identity = "\n".join((self.label, self.run.run_id, fingerprint))
        readable = re.sub(r"[^a-zA-Z0-9_.-]+", "-", f"{self.label}-{self.run.run_id}").strip("-")[:48]
        return f"{readable}-{hashlib.sha256(identity.encode()).hexdigest()[:8]}"

    @cached_property
    def figures(self) -> tuple[ExportedFigure, ...]:
        return tuple(figures_of(self.run))

    @property
    def headlines(self) -> tuple[ExportedFigure, ...]:
        """The figures of what was asked for; a group that has none of its own stands for its members."""
        names: list[str] = []
        for name in self.run.requested:
            entry = self.run.entry(name)
            members = () if entry is None or entry.metrics else entry.all_members
            names += members or [name]
        return tuple(figure for name in dict.fromkeys(names) for figure in self.figures if figure.task == name)

    @cached_property
    def settings(self) -> Mapping[str, Any]:
        """What determined the run, flat enough for a tracker's configuration."""
        manifest, results = self.run.record.manifest, self.run.record.results
        engine, chat = manifest.engine, manifest.chat_template
        named = {
            "run_id": self.run.run_id,
            "status": self.run.status,
            "evalkit": manifest.evalkit,
            "model": self.label,
            "model_revision": manifest.model.revision,
            "model_fingerprint": manifest.model.fingerprint,
            "model_parameters": manifest.model.parameters,
            "adapter": None if manifest.adapter is None else manifest.adapter.name,
            "engine": None if engine is None else engine.name,
            "dtype": None if engine is None else engine.dtype,
            "tasks": ",".join(self.run.requested),
            "limit": manifest.limit,
            "chat_template": None if chat is None else chat.applied,
            "system_instruction": None if chat is None else chat.system_instruction,
            "created": manifest.created,
            "finished": manifest.finished,
        }
        shots = {f"num_fewshot/{name}": task.num_fewshot for name, task in results.tasks.items()}
        versions = {f"versions/{name}": version for name, version in (manifest.versions or {}).items()}
        seeds = {f"seed/{name}": seed for name, seed in (manifest.seeds or {}).items()}
        return {name: value for name, value in {**named, **shots, **seeds, **versions}.items() if value is not None}

    @property
    def notes(self) -> tuple[str, ...]:
        return self.run.record.results.notes

    def unknown(self) -> dict[str, str]:
        """The figures that are not known, and why: none of them is sent as a number."""
        return {f"{f.task}/{f.name}": f.reason or "" for f in self.figures if f.value is None}


@contextmanager
def open_parcel(
    run: Run,
    baseline: Run | None = None,
    judge: Callable[[Run, Run], Evidence] | None = None,
    report: Callable[[tuple[Run, ...]], str] | None = None,
) -> Iterator[Parcel]:
    """Copy and clean the run and its baseline for as long as the export takes.

    `judge` says what the evidence of two runs is, and `report` makes the page of some runs.
    """
    folder = Path(tempfile.mkdtemp(prefix="evalkit-export-"))
    try:
        cleaner = Cleaner([*_private_folders(run), *(() if baseline is None else _private_folders(baseline))])
        copy = _cleaned(run, folder / "candidate", cleaner)
        evidence: Evidence | None = None
        runs: tuple[Run, ...] = (copy,)
        if baseline is not None and judge is not None:
            first = _cleaned(baseline, folder / "baseline", cleaner)
            try:
                evidence, runs = judge(first, copy), (first, copy)
            except EvalkitError as error:
                # The user knows the runs, and not the copies.
                message = str(error).replace(str(copy.path), str(run.path))
                raise type(error)(message.replace(str(first.path), str(baseline.path))) from None

        def page() -> str:
            assert report is not None
            return report(runs).replace(str(folder), "")

        yield Parcel(copy, cleaner, evidence, None if report is None else page)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _private_folders(run: Run) -> list[Path]:
    """This machine's folders that the run may name."""
    manifest = run.record.manifest
    named = [manifest.model.path, manifest.model.source, manifest.model.typed]
    named += [] if manifest.adapter is None else [manifest.adapter.path]
    folders = [Path(text) for text in named if text and Path(text).is_absolute()]
    place = run.path.resolve()
    above = [place.parent, *([place.parents[1]] if len(place.parents) > 1 else [])]
    return [*folders, *(folder.parent for folder in folders), place, run.path.absolute(), *above]


def _cleaned(run: Run, root: Path, cleaner: Cleaner) -> Run:
    manifest, results = (cleaner.settings(part.as_json()) for part in (run.record.manifest, run.record.results))
    manifest["model"] = _model(run, manifest.get("model"), cleaner)
    results["model"] = manifest["model"]["typed"]
    _drop_hosts(manifest)
    if isinstance(manifest.get("adapter"), dict):
        manifest["adapter"].pop("path", None)
    folder = root / model_slug(str(results["model"])) / slug(run.run_id)
    (folder / "samples").mkdir(parents=True)
    _write_json(folder / "manifest.json", manifest)
    _write_json(folder / "results.json", results)
    for task in run.record.results.tasks:
        if run.has_rows(task):
            _write_rows(folder / "samples" / f"{slug(cleaner.name(task))}.jsonl", run.rows(task), cleaner)
    _write_scores(run, folder / "scores.parquet", cleaner)
    judgments = run.path / "judgments"
    if judgments.is_dir():
        (folder / "judgments").mkdir()
        for file in sorted(judgments.glob("*.jsonl")):
            rows = run.judgments(file.stem)
            _write_rows(folder / "judgments" / file.name, rows, cleaner)
    report = run.path / "report.md"
    # In a stranger's folder it may be a link to a file of this machine.
    if report.is_file() and report.resolve().parent == run.path.resolve():
        text = read_regular_file(report).decode("utf-8", "replace")
        (folder / "report.md").write_text(cleaner.name(text), "utf-8", _BROKEN)
    return Run.open(folder)


def _model(run: Run, cleaned: Any, cleaner: Cleaner) -> dict[str, Any]:
    """The manifest's model without its place on this machine. One that was read from a folder has the folder's name."""
    model = dict(cleaned) if isinstance(cleaned, Mapping) else {"typed": cleaned}
    info = run.record.manifest.model
    if info.alias is None and (is_local_path(info.source or "") or is_local_path(info.path or "")):
        model["typed"] = cleaner.text(last_part(info.typed or info.source or ""))
    if is_local_path(info.source or ""):
        model["source"] = model.get("alias") or model.get("typed")
    model.pop("path", None)
    model["typed"] = str(model.get("typed") or cleaner.name(run.label))
    return model


def _write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", "utf-8", _BROKEN)


def _write_rows(path: Path, rows: Iterator[JsonObject], cleaner: Cleaner) -> None:
    with path.open("w", encoding="utf-8", errors=_BROKEN, newline="\n") as file:
        for row in rows:
            file.write(json.dumps(cleaner.row(row), ensure_ascii=False) + "\n")


def _write_scores(run: Run, path: Path, cleaner: Cleaner) -> None:
    """Left out where there is none: another tool's run may have figures alone."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = run.scores()
    except NoDocumentFigures:
        return
    except RunFolderError:
        if run.imported_from is None:
            raise
        return
    place = table.schema.get_field_index("task")
    names = {name: cleaner.name(name) for name in table.column("task").unique().to_pylist()}
    tasks = pa.array([names[name] for name in table.column("task").to_pylist()], pa.string())
    pq.write_table(table.set_column(place, "task", tasks), path, compression="zstd")


def _drop_hosts(settings: Any) -> None:
    """Names of machines and the addresses of clusters stay here: how many there were is enough."""
    if not isinstance(settings, dict):
        return
    for key, value in settings.items():
        if key == "hosts" and isinstance(value, list):
            settings[key] = len(value)
        elif key == "cluster" and isinstance(value, str) and value not in ("auto", "local"):
            settings[key] = "[address]"
        else:
            _drop_hosts(value)
