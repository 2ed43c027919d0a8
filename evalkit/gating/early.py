"""Verdicts before the last document, without more errors than a verdict at the end.

Each target (a task, or a group as a whole) is drawn in rounds, and read at their ends alone. Of the error that the
policy allows, a quarter is spent on looking early and the rest on the gate's own look at the end, so that the two
together err no more often than the gate:

    PASS         the confidence sequence is above −tolerance, at a quarter of the error. As in the gate, no correction:
                 a pass over all tasks claims every one of them.
    REGRESSION   it is below, Holm-corrected over all targets that are looked at early. A confidence sequence's p-values
                 only ever fall, so that what is rejected once stays rejected, and Holm's proof holds at any time.
    the end      where all documents are in and nothing was sure, the gate decides as ever, at 1 − ¾ of the error.
                 Targets that stopped before stay in its family as tests that found nothing.

Trouble with answers (cut, unparsed …) holds an early PASS back as long as it has risen beyond what is tolerated, and is
judged at the end; it never stops a target by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from evalkit.comparison import Measured, measure
from evalkit.gating.decide import Decision, decide
from evalkit.gating.evidence import Evidence, of_measured
from evalkit.gating.finished import task_verdict
from evalkit.gating.trial import Trial
from evalkit.gating.verdict import Bound, TaskVerdict, Verdict
from evalkit.results import EarlyTask
from evalkit.stats import holm, holm_levels

__all__ = ["EARLY_SHARE", "EarlyVerdict", "conclude", "judge"]

EARLY_SHARE = 0.25
"""Of the error allowed, the part that looking early may spend."""


@dataclass(frozen=True, slots=True)
class EarlyVerdict:
    task: TaskVerdict
    used: int
    of: int
    rounds: int
    """Complete ones that were drawn."""
    rounds_of: int
    by: str
    """sequence: by the confidence sequence. gate: by the gate's look at all documents."""
    in_full: str | None

    def entry(self) -> EarlyTask:
        """As results.json and the manifest hold it."""
        task = self.task
        return EarlyTask(
            verdict=task.verdict,
            by=self.by,
            n=self.used,
            of=self.of,
            not_run=self.of - self.used,
            rounds=self.rounds,
            rounds_of=self.rounds_of,
            in_full=self.in_full,
            tier=task.tier,
            metric=task.metric,
            higher_is_better=task.higher_is_better,
            baseline=task.baseline,
            candidate=task.candidate,
            delta=task.delta,
            lower=_bound(task.lower),
            upper=_bound(task.upper),
            margin={"lower": _bound(task.margin_lower), "upper": _bound(task.margin_upper)},
            p=task.p,
            p_holm=task.p_holm,
            max_drop=task.max_drop.typed,
            tolerance=task.tolerance,
            flips={"lost": task.lost, "gained": task.gained},
            reasons=tuple(task.reasons),
        )


def _bound(bound: Bound) -> dict[str, float | None]:
    return {"value": bound.value, "level": bound.level}


def judge(trials: Sequence[Trial], confidence: float) -> list[Trial]:
    """After a look: the targets whose verdict has become sure."""
    alpha = EARLY_SHARE * (1 - confidence)
    decided = []
    for family in _families(trials):
        for trial, p in zip(family, holm([trial.p_below for trial in family]), strict=True):
            if trial.sure is not None or trial.in_full:
                continue
            if p < alpha:
                trial.sure = "regression"
            elif trial.p_above < alpha and _no_trouble(trial):
                trial.sure = "pass"
            if trial.sure is not None:
                decided.append(trial)
    return decided


def conclude(trials: Sequence[Trial], confidence: float) -> tuple[EarlyVerdict, ...]:
    """All that was to be drawn is in: the verdicts, the gate's own where nothing was sure before."""
    alpha = 1 - confidence
    measurements = [measure(trial.target, trial.drawn()) for trial in trials]
    evidence = [
        of_measured(measured, trial.policy, unknown=trial.unknown)
        for measured, trial in zip(measurements, trials, strict=True)
    ]
    stopped = frozenset(i for i, trial in enumerate(trials) if not trial.complete)
    at_the_end = 1 - (1 - EARLY_SHARE) * alpha
    decisions = decide(evidence, at_the_end, settled=stopped)
    ahead = {id(trial): early for family in _families(trials) for trial, early in _early(family, EARLY_SHARE * alpha)}
    return tuple(
        _verdict(trial, measured, proof, decision, ahead.get(id(trial)), at_the_end)
        for trial, measured, proof, decision in zip(trials, measurements, evidence, decisions, strict=True)
    )


def _families(trials: Sequence[Trial]) -> list[list[Trial]]:
    """Advisory targets can't fail the gate and are a family of their own."""
    looked_at = [trial for trial in trials if trial.looked_at]
    return [
        [trial for trial in looked_at if (trial.policy.tier == "advisory") == advisory] for advisory in (False, True)
    ]


def _no_trouble(trial: Trial) -> bool:
    flags = of_measured(measure(trial.target, trial.drawn()), trial.policy, unknown=trial.unknown).flags
    return all(flag.rise <= trial.policy.max_rise for flag in flags)


def _early(family: Sequence[Trial], alpha: float) -> list[tuple[Trial, Decision]]:
    """What the confidence sequences say of those that are sure."""
    if not family:
        return []
    p_values = [trial.p_below for trial in family]
    out = []
    for trial, p_holm, level in zip(family, holm(p_values), holm_levels(p_values, alpha), strict=True):
        if trial.sure is None:
            continue
        lower, upper = trial.bounds(alpha, float(level), margin=False)
        margin_lower, margin_upper = trial.bounds(alpha, float(level), margin=True)
        bounds = {"margin_lower": margin_lower, "margin_upper": margin_upper, "lower": lower, "upper": upper}
        out.append((trial, Decision(trial.sure, trial.sure, trial.p_below, float(p_holm), flags=(), **bounds)))
    return out


def _verdict(
    trial: Trial, measured: Measured, proof: Evidence, at_end: Decision, early: Decision | None, confidence: float
) -> EarlyVerdict:
    decision = at_end
    if early is not None:
        decision = early
        if trial.complete:
            # All documents are in: what the gate has to say of trouble with answers counts beside the metric.
            verdicts: set[Verdict | None] = {early.metric, *(flag.verdict for flag in at_end.flags)}
            worst: Verdict = "regression" if "regression" in verdicts else early.metric
            worst = "cannot_tell" if worst == "pass" and "cannot_tell" in verdicts else worst
            decision = replace(early, verdict=worst, flags=at_end.flags)
    task = task_verdict(measured, proof, decision, None, confidence)
    if early is not None:
        task = replace(task, ci95=None, reasons=(*_sure_line(trial), *task.reasons))
    elif trial.in_full:
        task = replace(task, reasons=(*task.reasons, f"run in full: {trial.in_full}"))
    return EarlyVerdict(
        task=task,
        used=trial.used,
        of=trial.size,
        rounds=trial.drawing.rounds if trial.in_full else trial.done,
        rounds_of=trial.drawing.rounds,
        by="gate" if early is None else "sequence",
        in_full=trial.in_full,
    )


def _sure_line(trial: Trial) -> list[str]:
    return [] if trial.complete else [f"sure after {trial.used:,} of {trial.size:,} documents"]
