"""Runs as they are named on the command line."""

from __future__ import annotations

from pathlib import Path

from evalkit.api.runs import opened
from evalkit.results import Run

__all__ = ["find_run"]


def find_run(ref: str, root: Path) -> Run:
    """A path, a run-id, MODEL@latest or @baseline; an alias and its hub id are the same model."""
    return opened(ref, root)
