"""Documents whose outcome changed, both answers side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evalkit.comparison.lines import Lines
from evalkit.comparison.pairing import Pairs
from evalkit.comparison.targets import Target
from evalkit.comparison.texts import answers, question
from evalkit.comparison.texts import target as wanted_answer
from evalkit.results import Run
from evalkit.types import JsonObject

__all__ = ["Flip", "find_flips"]


@dataclass(frozen=True, slots=True)
class Flip:
    task: str
    doc_id: int
    """Of the document in the baseline."""
    question: str
    target: str
    baseline: str
    candidate: str
    baseline_value: float
    candidate_value: float
    lost: bool


def find_flips(
    baseline: Run, candidate: Run, target: Target, pairs: Pairs, lines: tuple[Lines, Lines], most: int
) -> tuple[Flip, ...]:
    """Up to `most` documents, those lost first, each in document order. Rows that were not kept leave answers empty."""
    known = np.isfinite(pairs.baseline) & np.isfinite(pairs.candidate)
    change = np.where(known, target.sign * (pairs.candidate - pairs.baseline), 0.0)
    chosen = [*np.flatnonzero(change < 0), *np.flatnonzero(change > 0)][:most]
    filter_name = target.metric.partition(",")[2]
    wanted = ([], [])  # type: tuple[list[tuple[str, int]], list[tuple[str, int]]]
    for k in chosen:
        for side, index in enumerate((pairs.baseline_line[k], pairs.candidate_line[k])):
            wanted[side].append((lines[side].task[index], lines[side].doc_id[index]))
    here = _rows(baseline, wanted[0], filter_name)
    there = _rows(candidate, wanted[1], filter_name)
    flips = []
    for k, key, other_key in zip(chosen, *wanted, strict=True):
        row, twin = here.get(key, {}), there.get(other_key, {})
        flips.append(
            Flip(
                task=key[0],
                doc_id=key[1],
                question=question(row or twin),
                target=wanted_answer(row or twin),
                baseline=_first(row, target),
                candidate=_first(twin, target),
                baseline_value=float(pairs.baseline[k]),
                candidate_value=float(pairs.candidate[k]),
                lost=bool(change[k] < 0),
            )
        )
    return tuple(flips)


def _rows(run: Run, wanted: Sequence[tuple[str, int]], filter_name: str) -> dict[tuple[str, int], JsonObject]:
    rows: dict[tuple[str, int], JsonObject] = {}
    for task in dict.fromkeys(task for task, _ in wanted):
        left = {doc_id for name, doc_id in wanted if name == task}
        if not run.has_rows(task):
            continue
        for row in run.rows(task):
            if row.get("doc_id") in left and row.get("filter", filter_name) == filter_name:
                rows[task, row["doc_id"]] = row
                left.discard(row["doc_id"])
                if not left:
                    break
    return rows


def _first(row: JsonObject, target: Target) -> str:
    return next(iter(answers(row, target.metric)), "")
