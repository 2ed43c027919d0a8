"""What the gate says, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from evalkit.comparison import Member, Unpaired
from evalkit.errors import VERDICT_EXIT_CODES
from evalkit.policy import Drop, Policy, Tier
from evalkit.results import Run

__all__ = ["Bound", "FlagVerdict", "GateResult", "Noise", "TaskVerdict", "Verdict", "overall"]

Verdict = Literal["pass", "regression", "cannot_tell"]


@dataclass(frozen=True, slots=True)
class Bound:
    """A one-sided bound and the confidence it holds with. Positive is better, whatever the metric."""

    value: float | None
    """None: nothing bounds it."""
    level: float


@dataclass(frozen=True, slots=True)
class FlagVerdict:
    """One kind of trouble with answers, gated like a metric that should not rise."""

    kind: str
    """cut, unfinished, unparsed or missing."""
    verdict: Verdict | None
    """None: it could not be compared, and `reason` says why."""
    baseline: int | None
    candidate: int | None
    n: int
    rise: float | None
    """As a share of the documents."""
    max_rise: float
    lower: Bound
    """The share rose by at least this."""
    p: float
    p_holm: float
    needed_n: int | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Noise:
    """How much two runs of one model differ on this task."""

    n: int
    lost: int
    gained: int

    @property
    def flip_rate(self) -> float | None:
        return (self.lost + self.gained) / self.n if self.n else None


@dataclass(frozen=True, slots=True)
class TaskVerdict:
    name: str
    verdict: Verdict
    tier: Tier
    metric: str
    higher_is_better: bool
    scale: float
    """The metric's range: 1 for shares."""
    baseline: float | None
    candidate: float | None
    delta: float | None
    """Candidate less baseline on the metric's scale, over the documents that both answered."""
    ci95: tuple[float, float] | None
    """Two-sided. Missing answers are counted at their worst at the lower end and at their best at the upper."""
    p: float
    """One-sided, against 'the drop is within the tolerance'."""
    p_holm: float
    n: int
    lost: int
    gained: int
    max_drop: Drop
    tolerance: float | None
    """The drop tolerated on the metric's scale: a relative one times the baseline."""
    margin_lower: Bound
    """Lower bound of how much better than the tolerated figure the candidate is; above 0 passes."""
    margin_upper: Bound
    """Upper bound of the same; below 0 is a regression."""
    lower: Bound
    upper: Bound
    needed_n: int | None
    needed_repeats: int | None
    missing_baseline: int
    missing_candidate: int
    missing_both: int
    unpaired: Unpaired
    flags: tuple[FlagVerdict, ...]
    noise: Noise | None
    members: tuple[Member, ...]
    reasons: tuple[str, ...]
    """One line each, the deciding one first."""

    metric_verdict: Verdict | None = None
    """Of the metric alone; `verdict` counts trouble with answers too."""

    @property
    def flip_rate(self) -> float | None:
        return (self.lost + self.gained) / self.n if self.n else None

    @property
    def because(self) -> str | None:
        """The trouble with answers that makes the verdict, where the metric alone would have another."""
        if self.metric_verdict in (None, self.verdict):
            return None
        deciding = [flag for flag in self.flags if flag.verdict == self.verdict]
        return ", ".join(f"{flag.kind} {flag.baseline:,} → {flag.candidate:,}" for flag in deciding) or None


@dataclass(frozen=True, slots=True)
class GateResult:
    verdict: Verdict
    baseline: Run
    candidate: Run
    policy: Policy
    tasks: tuple[TaskVerdict, ...]
    noise: Run | None = None
    notes: tuple[str, ...] = ()
    """What a reader must know: limited runs, differences that are meant, names that are not judged."""
    not_run: tuple[str, ...] = ()
    """Names that the baseline has and the candidate was not asked for, without --allow tasks: no PASS without them."""

    @property
    def exit_code(self) -> int:
        return VERDICT_EXIT_CODES[self.verdict]


def overall(tasks: tuple[TaskVerdict, ...]) -> Verdict:
    """Critical and supporting tasks can fail it, critical ones alone can leave it open, advisory ones do neither."""
    if any(task.verdict == "regression" and task.tier != "advisory" for task in tasks):
        return "regression"
    if any(task.verdict == "cannot_tell" and task.tier == "critical" for task in tasks):
        return "cannot_tell"
    return "pass"
