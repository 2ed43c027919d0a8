"""Runs as they are named on the command line."""

from __future__ import annotations

from pathlib import Path

from evalkit.models import catalog
from evalkit.results import Run, find

__all__ = ["find_run"]


def find_run(ref: str, root: Path) -> Run:
    """A path, a run-id, MODEL@latest or @baseline; an alias and its hub id are the same model."""
    return find(ref, root, same_model=_other_names)


def _other_names(model: str) -> list[str]:
    entry = catalog.get(model)
    return [] if entry is None else [name for name in (entry.alias, entry.id, *entry.also) if name]
