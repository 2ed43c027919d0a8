"""Run references: a path, a run-id, <model>@latest or @baseline. A path may hold another tool's run."""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from evalkit.errors import EvalkitError, RunFolderError, UnknownRun, nearest
from evalkit.results.disk import write_file
from evalkit.results.foreign import EXPECTED, open_foreign
from evalkit.results.names import older_slug, slug
from evalkit.results.plain import encode
from evalkit.results.run import MANIFEST, RESULTS, SCORES, Run, read_json
from evalkit.scrub import Scrubber

__all__ = ["BASELINE", "Runs", "all_runs", "bless", "find", "run_folders"]

BASELINE = "baseline.json"
_PARTS = (MANIFEST, RESULTS, SCORES, "samples")

SameModel = Callable[[str], Iterable[str]]
"""Other names of a model: the hub id of an alias, and the other way round."""


@dataclass(frozen=True)
class Runs:
    runs: tuple[Run, ...]
    broken: tuple[tuple[Path, str], ...] = ()
    """The folders that look like runs and are not, each with what is wrong."""

    @property
    def warnings(self) -> list[str]:
        return [f"left out: {problem}" for _, problem in self.broken]


def run_folders(root: Path | str) -> list[Path]:
    """Every <model>/<run-id> below the root that holds any part of a run."""
    folders = []
    for model in _folders(Path(root)):
        folders += [run for run in _folders(model) if any((run / part).exists() for part in _PARTS)]
    return folders


def all_runs(root: Path | str) -> Runs:
    """All runs below the root, oldest first; broken ones are left out and named."""
    runs: list[Run] = []
    broken: list[tuple[Path, str]] = []
    for folder in run_folders(root):
        try:
            runs.append(Run.open(folder))
        except RunFolderError as error:
            broken.append((folder, str(error)))
    return Runs(tuple(sorted(runs, key=_age)), tuple(broken))


def find(ref: str, root: Path | str = "results", same_model: SameModel | None = None) -> Run:
    """The one run that a reference names, or an error that says what there is."""
    if ref == "@baseline":
        return _baseline(Path(root))
    model, at, tag = ref.rpartition("@")
    if at and tag == "latest":
        return _latest(ref, model, Path(root), same_model)
    if at and tag == "baseline":
        raise UnknownRun(f"{ref}: a results folder has one baseline; type @baseline")
    return _by_path_or_id(ref, Path(root))


def bless(run: Run, root: Path | str) -> Path:
    """Make a run the baseline of a results folder."""
    path = Path(root) / BASELINE
    where = Path(os.path.relpath(run.path.resolve(), Path(root).resolve())).as_posix()
    blessed = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    content = {"schema": 1, "run": where, "run_id": run.run_id, "model": run.label, "blessed": blessed}
    write_file(path, encode(content, Scrubber(), indent=1) + b"\n")
    return path


# ── one kind of reference each ───────────────────────────────────────────────


def _by_path_or_id(ref: str, root: Path) -> Run:
    folders = run_folders(root)
    matches = {folder.resolve(): folder for folder in folders if folder.name == ref}
    places = (Path(ref).expanduser(), root / ref) if ref else ()
    for folder in places:
        if _is_ours(folder):
            matches.setdefault(folder.resolve(), folder)
            break
    if "/" not in ref:
        matches.update({folder.resolve(): folder for folder in folders if _id_of(folder) == ref})
    if len(matches) > 1:
        raise _two(ref, matches.values())
    if matches:
        return Run.open(next(iter(matches.values())))
    for place in places:
        if place.exists() and (foreign := open_foreign(place)) is not None:
            return foreign
    raise UnknownRun(_not_found(ref, root, folders))


def _latest(ref: str, model: str, root: Path, same_model: SameModel | None) -> Run:
    stored = all_runs(root)
    others = same_model(model) if same_model else ()
    asked = {name for typed in (model, *others) for name in _spellings(typed)}
    matches = [run for run in stored.runs if asked & _names_of(run)]
    finished = [run for run in matches if run.finished]
    if not finished:
        if matches:
            listed = _some([str(run.path) for run in matches])
            raise UnknownRun(f"{ref}: no run of {model} has finished; the same command goes on with {listed}")
        known = sorted({f"{run.label}@latest" for run in stored.runs})
        hint = nearest(ref, known) or (f"; there are {_some(known)}" if known else "; there is no run yet")
        raise UnknownRun(f"{ref}: {root} holds no run of {model}{hint}" + _broken_note(stored.warnings))
    newest = max(finished, key=_age)
    same_age = [run for run in finished if _age(run)[:2] == _age(newest)[:2]]
    if len(same_age) > 1:
        raise _two(ref, [run.path for run in same_age])
    for folder, problem in stored.broken:
        # An older run must not stand in silently for one that was meant and is broken.
        if folder.parent == newest.path.parent and folder.stat().st_mtime > newest.path.stat().st_mtime:
            raise RunFolderError(f"{ref}: the newest run of {model} is broken: {problem}")
    return newest


def _baseline(root: Path) -> Run:
    path = root / BASELINE
    if not path.exists():
        raise UnknownRun(f"@baseline: {path} doesn't exist; type `evalkit gate --bless RUN` to name a run the baseline")
    content = read_json(path)
    where, run_id = content.get("run"), content.get("run_id")
    if not isinstance(where, str):
        raise RunFolderError(f"{path} names no run: type `evalkit gate --bless RUN` to write it again")
    folder = root / where
    if folder.exists():
        run = Run.open(folder) if _is_ours(folder) else open_foreign(folder) or Run.open(folder)
        if run_id and run.run_id != run_id:
            raise RunFolderError(f"{path} names run {run_id}, but {folder} now holds {run.run_id}: bless one again")
        return run
    moved = [other for other in run_folders(root) if _id_of(other) == run_id]
    if len(moved) == 1:
        return Run.open(moved[0])
    raise UnknownRun(f"@baseline: {path} names {folder}, which is gone; type `evalkit gate --bless RUN`")


# ── helpers ──────────────────────────────────────────────────────────────────


def _is_ours(folder: Path) -> bool:
    return folder.is_dir() and any((folder / part).exists() for part in _PARTS)


def _folders(parent: Path) -> list[Path]:
    try:
        with os.scandir(parent) as entries:
            names = sorted(entry.name for entry in entries if not entry.name.startswith(".") and entry.is_dir())
    except OSError:
        return []
    return [parent / name for name in names]


def _id_of(folder: Path) -> str | None:
    try:
        return str(read_json(folder / MANIFEST).get("run_id"))
    except EvalkitError:
        return None


def _names_of(run: Run) -> set[str]:
    model, adapter = run.model, run.record.manifest.adapter
    names = {run.path.parent.name, run.label}
    for name in filter(None, (model.typed, model.alias, model.source, model.path)):
        spellings = _spellings(name)
        names |= {f"{spelling}+{adapter.name}" for spelling in spellings} if adapter and adapter.name else spellings
    return names


def _spellings(model: str) -> set[str]:
    """A model's name, and where it is a folder that exists, its real path: ./m, m/ and /home/me/m are one."""
    names = {model, slug(model), older_slug(model)}
    if model.startswith((".", "/", "~")):
        names.add(os.path.abspath(os.path.expanduser(model)))  # noqa: PTH100, PTH111
    base, plus, adapter = model.partition("+")
    for folder, rest in ((model, ""), (base, plus + adapter)):
        if folder and Path(folder).expanduser().is_dir():
            names.add(str(Path(folder).expanduser().resolve()) + rest)
    return names


def _age(run: Run) -> tuple[datetime.datetime, datetime.datetime, str]:
    return (run.finished or run.created, run.created, run.run_id)


def _two(ref: str, folders: Iterable[Path]) -> UnknownRun:
    listed = "\n".join(f"  {folder}" for folder in folders)
    return UnknownRun(f"{ref} names more than one run; type the path of the one you mean:\n{listed}")


def _not_found(ref: str, root: Path, folders: list[Path]) -> str:
    if not root.is_dir():
        return f"no run {ref}: there is no folder {root}; --output-path names the one that holds your runs"
    known = sorted({folder.name for folder in folders})
    if Path(ref).expanduser().is_dir():
        return (
            f"{ref} is a folder but no run; the newest run of a model is typed {ref}@latest,"
            f" and of other tools' runs {EXPECTED} can be read"
        )
    hint = nearest(ref, known) or (f"; there are {_some(known)}" if known else "; it holds no run yet")
    return f"no run {ref} in {root}{hint}"


def _some(names: list[str], most: int = 5) -> str:
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def _broken_note(warnings: Iterable[str]) -> str:
    lines = list(warnings)
    return f" ({len(lines)} broken run folders were left out, the first: {lines[0]})" if lines else ""
