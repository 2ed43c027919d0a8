"""overlap.json of a run's folder: which of its documents stand in training data, as `evalkit overlap --mark` found."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from evalkit.errors import OutputError, RunFolderError
from evalkit.results.files import parse_json, read_regular

__all__ = ["OVERLAP", "Overlapping", "read_overlap", "write_overlap"]

OVERLAP = "overlap.json"
_SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Overlapping:
    """The documents of a run that were found in training data."""

    training: str
    """The file that was searched."""
    gram: int
    searched: tuple[str, ...]
    """The tasks whose documents were looked for: of others it is not known."""
    dirty: frozenset[tuple[str, str]]
    """Task and doc_hash of each document that was found."""


def write_overlap(folder: Path, overlapping: Overlapping) -> Path:
    tasks: dict[str, list[str]] = {name: [] for name in overlapping.searched}
    for task, doc_hash in sorted(overlapping.dirty):
        tasks[task].append(doc_hash)
    content = {"schema": _SCHEMA, "training": overlapping.training, "gram": overlapping.gram, "tasks": tasks}
    path = folder / OVERLAP
    partial = path.with_name(path.name + ".partial")
    try:
        partial.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror or error})") from None
    return path


def read_overlap(folder: Path) -> Overlapping | None:
    """None where no search was made."""
    path = folder / OVERLAP
    try:
        content = parse_json(read_regular(path), path)
    except (FileNotFoundError, NotADirectoryError):  # a run of another tool may be one file
        return None
    except OSError as error:
        raise RunFolderError(f"{path} cannot be read ({error}); evalkit overlap --mark writes it anew") from None
    tasks = content.get("tasks") if isinstance(content, Mapping) else None
    if not isinstance(tasks, Mapping) or content.get("schema") != _SCHEMA:
        raise RunFolderError(f"{path} is no file of evalkit overlap; evalkit overlap --mark writes it anew")
    if not all(isinstance(hashes, list) and all(isinstance(text, str) for text in hashes) for hashes in tasks.values()):
        raise RunFolderError(f"{path}: tasks holds something other than lists of hashes")
    gram = content.get("gram")
    return Overlapping(
        str(content.get("training")),
        gram if isinstance(gram, int) else 0,
        tuple(map(str, tasks)),
        frozenset((str(task), text) for task, hashes in tasks.items() for text in hashes),
    )
