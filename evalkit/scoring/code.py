"""Verdicts as figures: the unbiased pass@k, its standard error over problems, and how much was judged at all."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from evalkit.types import Figure, Verdict

__all__ = ["MIN_COVERAGE", "CodeFigures", "code_figures", "pass_at_k"]

MIN_COVERAGE = 0.99
"""Below this share of programs judged, a figure is not given: which programs were lost may not be chance."""


@dataclass(frozen=True, slots=True)
class CodeFigures:
    metrics: Mapping[str, Figure]
    """`pass@1`, `pass@10` …, each a mean over problems; null with the reason where it cannot be known."""
    per_document: tuple[Mapping[str, float | None], ...]
    """In the order of the documents; None where fewer samples were judged than k."""
    judged: int
    sandbox_errors: int
    """Programs that the sandbox failed to judge: not wrong answers, and not counted as such."""
    missing: int
    """Samples that were never there."""

    @property
    def coverage(self) -> float | None:
        """Of the programs there were, the share judged; None where there were none."""
        there = self.judged + self.sandbox_errors
        return self.judged / there if there else None


def pass_at_k(samples: int, correct: int, k: int) -> float | None:
    """The chance that of k samples drawn from these without replacement one at least is right.

    Chen et al. 2021, "Evaluating Large Language Models Trained on Code", equation 1, as a product of ratios
    because the binomials themselves overflow. None where there are fewer than k samples to draw from.
    """
    if not 0 <= correct <= samples or k < 1:
        raise ValueError(f"{correct} right of {samples} samples, k = {k}")
    if samples < k:
        return None
    if samples - correct < k:
        return 1.0
    return 1.0 - math.prod(1.0 - k / n for n in range(samples - correct + 1, samples + 1))


def code_figures(
    verdicts: Sequence[Sequence[Verdict | None]], ks: Sequence[int] = (1,), min_coverage: float = MIN_COVERAGE
) -> CodeFigures:
    """`verdicts[d]` are those of document d's samples; None stands for a sample that is missing."""
    flat = [verdict for document in verdicts for verdict in document]
    errors = [v for v in flat if v is not None and v.verdict == "sandbox_error"]
    missing = sum(v is None for v in flat)
    judged = len(flat) - len(errors) - missing
    documents = tuple(_document(document, ks) for document in verdicts)
    known = judged + len(errors)
    problem = None
    if errors and judged < min_coverage * known:
        problem = (
            f"the sandbox judged {judged} of {known} programs, under the {min_coverage:.0%} that a figure needs; "
            f"the first it could not: {errors[0].reason}"
        )
    metrics = {f"pass@{k}": _figure([d[f"pass@{k}"] for d in documents], k, problem) for k in ks}
    return CodeFigures(metrics, documents, judged, len(errors), missing)


def _document(verdicts: Sequence[Verdict | None], ks: Sequence[int]) -> dict[str, float | None]:
    judged = [v for v in verdicts if v is not None and v.verdict != "sandbox_error"]
    correct = sum(v.verdict == "passed" for v in judged)
    return {f"pass@{k}": pass_at_k(len(judged), correct, k) for k in ks}


def _figure(values: Sequence[float | None], k: int, problem: str | None) -> Figure:
    known = [value for value in values if value is not None]
    if problem is None and not known:
        problem = f"no problem has the {k} judged samples that pass@{k} needs"
    if problem is not None:
        return Figure(None, reason=problem)
    mean = fmean(known)
    if len(known) < 2:
        return Figure(mean, reason="a standard error needs two problems")
    stderr = stdev(known) / math.sqrt(len(known))
    return Figure(mean, stderr, (max(0.0, mean - 1.96 * stderr), min(1.0, mean + 1.96 * stderr)))
