"""A run's figures on the documents that stand in training data and on the others, and their difference."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evalkit.comparison.lines import Lines, read_lines
from evalkit.comparison.targets import Target, requested_names, resolve
from evalkit.errors import EvalkitError, NotComparable, RunFolderError
from evalkit.results import Run, read_overlap

__all__ = ["Halves", "clean_target", "find_halves", "halves_notes"]

_Z = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Halves:
    name: str
    metric: str
    training: str
    clean: float | None
    """None: there is no such document."""
    dirty: float | None
    n_clean: int
    n_dirty: int
    stderr: float | None
    """Of dirty less clean. None: one of the two has fewer than two documents."""

    @property
    def difference(self) -> float | None:
        return None if self.clean is None or self.dirty is None else self.dirty - self.clean

    @property
    def ci95(self) -> tuple[float, float] | None:
        if self.difference is None or self.stderr is None:
            return None
        return self.difference - _Z * self.stderr, self.difference + _Z * self.stderr

    def __str__(self) -> str:
        if self.clean is None or self.dirty is None:
            what = "none" if self.dirty is None else "all"
            return f"{self.name}: {what} of {self.n_clean + self.n_dirty:,} documents stand in {self.training}"
        between = "" if self.ci95 is None else f" [{self.ci95[0]:+.4f}, {self.ci95[1]:+.4f}]"
        return (
            f"{self.name} {self.metric}: {self.clean:.4f} on {self.n_clean:,} clean documents, {self.dirty:.4f} on"
            f" {self.n_dirty:,} that stand in {self.training}: {self.difference:+.4f}{between}"
        )


def find_halves(run: Run) -> list[Halves]:
    """For each requested name whose documents were looked for; empty where nobody searched."""
    overlap = read_overlap(run.path)
    if overlap is None:
        return []
    halves = []
    for name in requested_names(run):
        try:
            target = resolve(run, run, name)
            lines = read_lines(run, target)
        except EvalkitError:
            continue  # without scores of single documents there is nothing to split
        if lines.corpus is None and set(target.leaves) <= set(overlap.searched):
            halves.append(_of(target, lines, overlap.dirty, overlap.training))
    return halves


def halves_notes(run: Run) -> list[str]:
    """The halves in words, or that the record of them cannot be read: a run's other figures do not rest on it."""
    try:
        return [str(half) for half in find_halves(run)]
    except RunFolderError as error:
        return [f"figures on clean documents are not known: {error}"]


def _of(target: Target, lines: Lines, dirty: frozenset[tuple[str, str]], training: str) -> Halves:
    marked = is_dirty(lines, dirty)
    known = np.isfinite(lines.value)
    sides = [lines.value[known & ~marked], lines.value[known & marked]]
    errors = [float(np.var(side, ddof=1)) / len(side) if len(side) > 1 else math.nan for side in sides]
    stderr = math.sqrt(sum(errors))
    clean, of_dirty = (float(np.mean(side)) if len(side) else None for side in sides)
    return Halves(
        target.name,
        target.metric,
        training,
        clean,
        of_dirty,
        len(sides[0]),
        len(sides[1]),
        stderr if math.isfinite(stderr) else None,
    )


def is_dirty(lines: Lines, dirty: frozenset[tuple[str, str]]) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    # A document with several verdicts has lines whose hashes differ behind `#`.
    keys = zip(lines.task, lines.doc_hash, strict=True)
    return np.array([(task, doc_hash.partition("#")[0]) in dirty for task, doc_hash in keys], dtype=bool)


def clean_target(target: Target, runs: Sequence[Run]) -> frozenset[tuple[str, str]]:
    """The documents that are to be left out: found for either run. NotComparable where nobody looked."""
    overlaps = [overlap for run in runs if (overlap := read_overlap(run.path)) is not None]
    searched = {task for overlap in overlaps for task in overlap.searched}
    if unknown := [leaf for leaf in target.leaves if leaf not in searched]:
        raise NotComparable(
            f"{target.name}: clean_only, and nobody looked for {', '.join(unknown[:3])} in training data: type"
            f" evalkit overlap TRAIN.jsonl --tasks {target.name} --mark {runs[-1].run_id}"
        )
    return frozenset(key for overlap in overlaps for key in overlap.dirty)
