"""What the gate decides on: bounded differences of the metric, and of each kind of trouble with answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from evalkit.comparison import FLAGS, NO_ANSWER, Measured, design
from evalkit.policy import TaskPolicy
from evalkit.stats import BoundedDifference, Bounds, bounded_difference

__all__ = ["KINDS", "Evidence", "FlagEvidence", "of_measured"]

KINDS = ("cut", "unfinished", "unparsed", "missing")


@dataclass(frozen=True, slots=True)
class FlagEvidence:
    kind: str
    baseline: int
    candidate: int
    n: int
    change: BoundedDifference | None
    """Of the share of documents without this trouble; None where neither run has any, or it is not known of both."""
    unknown: str | None = None
    """Why it cannot be compared."""

    @property
    def rise(self) -> float:
        return (self.candidate - self.baseline) / self.n if self.n else 0.0


@dataclass(frozen=True, slots=True)
class Evidence:
    """Differences point up where the candidate is better."""

    name: str
    policy: TaskPolicy
    point: Bounds | None
    worst: Bounds | None
    best: Bounds | None
    flags: tuple[FlagEvidence, ...] = ()
    doubt: str | None = None
    """Why this evidence can't carry a PASS, though it can carry a regression."""

    @property
    def relative(self) -> float:
        return self.policy.max_drop.value if self.policy.max_drop.relative else 0.0

    @property
    def absolute(self) -> float:
        return 0.0 if self.policy.max_drop.relative else self.policy.max_drop.value

    @property
    def tolerance(self) -> float | None:
        """The drop tolerated on the metric's scale."""
        if not self.policy.max_drop.relative:
            return self.policy.max_drop.value
        return None if self.point is None else self.relative * self.point.base


def of_measured(
    measured: Measured, policy: TaskPolicy, doubt: str | None = None, unknown: Mapping[str, str] | None = None
) -> Evidence:
    """`unknown`: kinds of trouble with answers that are not known of both runs, each with the reason."""
    return Evidence(
        name=measured.target.key,
        policy=policy,
        point=measured.point,
        worst=measured.worst,
        best=measured.best,
        flags=tuple(_flag(kind, measured, (unknown or {}).get(kind)) for kind in KINDS),
        doubt=doubt,
    )


def _flag(kind: str, measured: Measured, unknown: str | None) -> FlagEvidence:
    pairs = measured.pairs
    bits = NO_ANSWER if kind == "missing" else FLAGS[kind]
    here, there = (pairs.baseline_flags & bits) > 0, (pairs.candidate_flags & bits) > 0
    chosen = np.ones(here.size, dtype=bool)
    if kind != "missing":
        # An answer that is not there is neither cut nor unreadable; it has a kind of its own.
        chosen = np.isfinite(pairs.baseline) & np.isfinite(pairs.candidate)
        if kind == "unfinished":
            # A thought that never ended has no value, and is what is counted here.
            chosen = (pairs.baseline_flags & NO_ANSWER == 0) & (pairs.candidate_flags & NO_ANSWER == 0)
        here, there = here[chosen], there[chosen]
    counted = FlagEvidence(kind, int(here.sum()), int(there.sum()), int(here.size), None)
    if unknown is not None:
        return FlagEvidence(kind, 0, 0, int(here.size), None, unknown)
    if not (here.any() or there.any()):
        return counted
    plan = design(measured.target, pairs, chosen, weighted=False)
    return replace(counted, change=bounded_difference(here.astype(float) - there.astype(float), design=plan))
