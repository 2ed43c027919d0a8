"""Divides the error rate over the verdicts of a watch, so that many checkpoints do not raise more false alarms."""

from __future__ import annotations

import math

__all__ = ["confidence_of_look"]


def confidence_of_look(look: int, confidence: float) -> float:
    """How sure the verdict at this look (1, 2, …) must be. The error of all looks together is at most 1 − confidence.

    Look k spends (6/π²)/k² of it; the sum over all k is 1, so the union bound holds however many checkpoints come and
    whatever the looks have to do with each other.
    """
    return 1 - (1 - confidence) * 6 / (math.pi * look) ** 2
