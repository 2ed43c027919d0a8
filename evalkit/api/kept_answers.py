"""The answers that are kept between runs: how many there are, and dropping some."""

from __future__ import annotations

from pathlib import Path

from evalkit import journal as journals
from evalkit.journal import JournalStat, Pruned
from evalkit.results import run_folders

__all__ = ["count_answers", "prune_answers"]


def count_answers(output_path: Path, journal: Path | None = None) -> JournalStat:
    """How many answers are kept, whose, and how big they are."""
    return journals.stat(output_path, _runs(output_path), folder=journal)


def prune_answers(
    output_path: Path,
    journal: Path | None = None,
    *,
    model: str | None = None,
    older_than: float | None = None,
    dry_run: bool = False,
) -> Pruned:
    """Drop the answers that no run refers to. `older_than`: only those that no run has used for so many days."""
    seconds = None if older_than is None else older_than * 86400
    return journals.prune(
        output_path, _runs(output_path), model=model, older_than=seconds, dry_run=dry_run, folder=journal
    )


def _runs(root: Path) -> set[str]:
    return {f"{folder.parent.name}/{folder.name}" for folder in run_folders(root)}
