"""Rates of detection: raw, as the detector says, and corrected to what people would say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evalkit.detectors.labelling import Labelled
from evalkit.judging.ppi import powered_mean
from evalkit.stats import clustered_mean, wilson
from evalkit.stats.corrected import corrected_interval, rogan_gladen

__all__ = ["CorrectedRate", "Rate", "corrected_rate", "raw_rate"]

_FEWEST_PROMPTS = 20
"""With fewer prompts than that, a standard error over prompts says little."""

Bounds = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Rate:
    rate: float
    ci95: Bounds


@dataclass(frozen=True, slots=True)
class CorrectedRate:
    rate: float
    ci95: Bounds
    sensitivity: float | None
    """Of the answers that people say have it, the share that the detector finds; None: no labelled answer has it."""
    specificity: float | None
    """Of the answers that people say do not have it, the share that the detector leaves alone."""
    labels: int
    rogan_gladen: float | None
    """The other estimate, for comparison; None where the detector tells nothing."""


def raw_rate(verdicts: Sequence[bool], prompts: Sequence[str]) -> Rate:
    """The detector's rate with Wilson's interval, or one clustered by prompt where prompts have several answers."""
    n, share = len(verdicts), sum(verdicts) / len(verdicts)
    several = len(set(prompts))
    if _FEWEST_PROMPTS <= several < n and 0 < share < 1:
        interval = clustered_mean([float(verdict) for verdict in verdicts], clusters=list(prompts)).interval()
        return Rate(share, (max(0.0, interval.low), min(1.0, interval.high)))
    whole = wilson(sum(verdicts), n)
    return Rate(share, (whole.low, whole.high))


def corrected_rate(labelled: Labelled) -> CorrectedRate:
    """The rate as people would see it: prediction-powered, with an interval that holds for few labels too."""
    people, detector = labelled.people, labelled.detector
    powered = powered_mean(people, detector, labelled.rest)
    pairs = list(zip(people, detector, strict=True))
    positives, negatives = sum(people), len(people) - sum(people)
    sensitivity = sum(y and f for y, f in pairs) / positives if positives else None
    specificity = sum(not y and not f for y, f in pairs) / negatives if negatives else None
    value = min(max(powered.value, 0.0), 1.0)
    low, high = corrected_interval(people, detector, labelled.rest)
    apparent = (sum(detector) + sum(labelled.rest)) / (len(detector) + len(labelled.rest))
    return CorrectedRate(
        value,
        (min(low, value), max(high, value)),
        sensitivity,
        specificity,
        len(people),
        rogan_gladen(apparent, sensitivity, specificity),
    )
