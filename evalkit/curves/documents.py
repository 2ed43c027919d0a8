"""The rows of all points of a task, joined on documents: one row of values for each run."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from evalkit.comparison import (
    Lines,
    Pairs,
    Target,
    contributions,
    design,
    figure,
    pair,
    parts_at,
    prompts_may_differ,
    read_lines,
    resolve,
)
from evalkit.errors import NotComparable
from evalkit.results import Run
from evalkit.stats import Contributions, CorpusKind, Design

__all__ = ["Documents", "read_documents"]

Floats = NDArray[np.float64]

_CLOSE = 1e-4


@dataclass(frozen=True, slots=True)
class Documents:
    values: Floats
    """Oriented: more is better. NaN: that run has no answer to the document."""
    target: Target
    pairs: Pairs
    names: Sequence[tuple[str, int]]
    """Task and doc_id of each document, as the last run has them."""
    kind: CorpusKind | None = None
    """Of a figure of all documents together: how it is made of their numbers."""
    parts: tuple[Floats, ...] = ()
    """Those numbers, for each run."""

    def contributions(self) -> list[Contributions]:
        """What the documents that every run answered add to the figure, for each member of the task."""
        assert self.kind is not None
        chosen = np.asarray(np.isfinite(np.stack(self.parts)).all(axis=(0, 2)))
        return contributions(self.target, self.pairs, self.kind, self.parts, chosen)

    def design(self, chosen: NDArray[np.bool_]) -> Design:
        """Strata, clusters and weights of some of the documents."""
        return design(self.target, self.pairs, chosen)

    @property
    def scale(self) -> float | None:
        ends = self.target.scale
        return None if ends is None else ends[1] - ends[0]


def read_documents(runs: Sequence[Run], name: str, metric: str, allow: Collection[str]) -> Documents:
    """The documents of the last run with the values of all; what can't be paired is an error that says why."""
    last = runs[-1]
    target = resolve(last, last, name, metric)
    ours = read_lines(last, target)
    kind = None if ours.corpus is None else ours.corpus.kind
    if kind is not None and target.best_at is not None:
        raise NotComparable(f"{metric} is best at {target.best_at:g}, and neither more nor less of it is better")
    columns, parts, merged = [], [], None
    for run in runs:
        lines = ours if run is last else read_lines(run, resolve(last, run, name, metric))
        if (None if lines.corpus is None else lines.corpus.kind) is not kind:
            raise NotComparable(
                f"{run.run_id} does not keep what each document adds to {metric}: evalkit score RUN does"
            )
        if kind is None:
            _check_mean(run, target, lines)
        pairs = pair(ours, lines, ignore_prompts=prompts_may_differ(allow))
        here = np.flatnonzero(pairs.baseline_line >= 0)
        columns.append(target.sign * pairs.candidate[here])
        if not np.isfinite(columns[-1]).any():
            raise NotComparable(f"{run.run_id} and {last.run_id} share no document that both answered")
        if kind is not None:
            parts.append(parts_at(lines, pairs.candidate_line[here]))
        merged = _merged(merged, pairs, len(here))
    assert merged is not None
    own_order = merged.baseline_line[: len(columns[0])]
    names = [(ours.task[place], ours.doc_id[place]) for place in own_order]
    return Documents(np.array(columns), target, merged, names, kind, tuple(parts))


def _check_mean(run: Run, target: Target, lines: Lines) -> None:
    """Only a figure that is the mean of its documents can be judged by them."""
    values = lines.value
    finite, reported = values[np.isfinite(values)], figure(run, target.name, target.metric)
    weighted = not target.by_size and len(target.leaves) > 1
    if weighted or reported is None or not finite.size:
        return
    if abs(float(finite.mean()) - reported) > _CLOSE * max(1.0, abs(reported)):
        raise NotComparable(
            f"{target.metric} of {run.run_id} is not the mean of its rows "
            f"({reported:.6g}, and {float(finite.mean()):.6g})"
        )


def _merged(before: Pairs | None, pairs: Pairs, count: int) -> Pairs:
    """What any of the runs says of a document. The last run's documents come first, in its own order."""
    if before is None:
        return replace(pairs, task=pairs.task[:count], stratum=pairs.stratum[:count], cluster=pairs.cluster[:count])
    return replace(
        before,
        stratum=[a if a is not None else b for a, b in zip(before.stratum, pairs.stratum[:count], strict=True)],
        cluster=[a if a is not None else b for a, b in zip(before.cluster, pairs.cluster[:count], strict=True)],
    )
