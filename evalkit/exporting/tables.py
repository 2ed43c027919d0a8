"""Rows that every tracker shows as a table: the figures, and the documents that changed against the baseline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evalkit.exporting.parcel import Parcel

__all__ = ["CHANGED", "FIGURES", "changed_rows", "figure_rows"]

FIGURES = ("task", "metric", "value", "stderr", "ci95_low", "ci95_high", "n", "num_fewshot", "group", "reason")
CHANGED = ("task", "doc_id", "lost", "question", "target", "baseline", "candidate", "baseline_value", "candidate_value")
_LONGEST = 4_000
"""Characters of one cell."""


def figure_rows(parcel: Parcel) -> list[list[Any]]:
    """All figures, also those that are not known, with the reason."""
    return [
        [f.task, f.metric, f.value, f.stderr, f.low, f.high, f.n, f.num_fewshot, f.is_group, f.reason]
        for f in parcel.figures
    ]


def changed_rows(parcel: Parcel) -> list[list[Any]]:
    """The documents whose outcome changed against the baseline, those lost first; none without a baseline."""
    changed = () if parcel.evidence is None else parcel.evidence.changed
    return [
        [
            flip.task,
            flip.doc_id,
            flip.lost,
            *(text[:_LONGEST] for text in (flip.question, flip.target, flip.baseline, flip.candidate)),
            flip.baseline_value,
            flip.candidate_value,
        ]
        for flip in changed
    ]
