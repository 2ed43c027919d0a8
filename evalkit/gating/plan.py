"""How many documents and answers a task needs so that a drop of a stated size is found, from a baseline alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evalkit.comparison import Target, headline, pair, read_lines, requested_names, resolve
from evalkit.errors import NotComparable
from evalkit.gating.noise import answer_variance
from evalkit.results import Run
from evalkit.stats import documents_needed, own_discordance, repeats_needed

__all__ = ["Plan", "TaskPlan", "plan_tasks"]


@dataclass(frozen=True, slots=True)
class TaskPlan:
    task: str
    metric: str
    documents: int | None
    """None: the drop cannot be found with any number, and `reason` says why."""
    samples: int | None
    """Answers per document, in both runs."""
    have: int
    """Documents that the baseline answered."""
    discordance: float
    """How often two answers of the baseline to one document differ, in units of the metric's scale."""
    measured: bool
    """Whether the discordance was seen. Else it is the largest that the baseline's figure allows."""
    tokens: float | None = None
    """What one run of the candidate takes; None: the baseline does not state it."""
    minutes: float | None = None
    reason: str | None = None

    @property
    def enough(self) -> bool:
        """Whether the documents that the baseline has suffice."""
        return self.documents is not None and self.documents <= self.have


@dataclass(frozen=True, slots=True)
class Plan:
    baseline: Run
    drop: float
    power: float
    confidence: float
    tasks: tuple[TaskPlan, ...]


def plan_tasks(
    baseline: Run,
    *,
    tasks: Sequence[str] = (),
    drop: float = 0.02,
    power: float = 0.8,
    confidence: float = 0.95,
    noise: Run | None = None,
) -> Plan:
    """Plan each task, or every one that the baseline was asked for.

    The drop is on a metric from 0 to 1; on another scale it is that share of it. `noise`: a second run of the baseline.
    """
    costs = _Costs.of(baseline)
    names = list(tasks) or requested_names(baseline)
    planned = [_plan(baseline, name, drop, power, confidence, noise, costs) for name in names]
    return Plan(baseline, drop, power, confidence, tuple(planned))


def _plan(
    baseline: Run, name: str, drop: float, power: float, confidence: float, noise: Run | None, costs: _Costs
) -> TaskPlan:
    target = resolve(baseline, baseline, name)
    values = read_lines(baseline, target).value
    values = values[np.isfinite(values)]
    if not values.size:
        raise NotComparable(f"{name}: {baseline.run_id} answered no document, so there is nothing to plan from")
    low, high = target.scale or (0.0, 1.0 if values.min() >= 0 and values.max() <= 1 else 0.0)
    if high <= low:
        reason = f"{target.metric} has no ends: a drop of {drop:g} is no share of its scale"
        return TaskPlan(name, target.metric, None, None, int(values.size), float("nan"), measured=False, reason=reason)
    width = high - low
    seen = _seen(baseline, target, noise)
    # One answer each says nothing of their noise: two answers differ most if each document is as hard as the others.
    own = min(own_discordance([values.var() if seen is None else seen]) / width**2, 1.0)
    lost = min(own / 2 + drop, 1.0)
    needed = documents_needed(
        lost, min(own / 2, 1.0 - lost), tolerance=0.0, level=confidence, power=power, side="regression"
    )
    samples = 1
    documents = needed
    if needed is not None and needed > values.size and seen is not None:
        change = drop * (1 - drop)  # of documents that are lost for good: what averaging does not lower
        more = repeats_needed(own + change, own, int(values.size), needed)
        documents, samples = (int(values.size), more) if more is not None else (needed, 1)
    tokens, minutes = costs.of_answers(0 if documents is None else documents * samples)
    return TaskPlan(
        task=name,
        metric=target.metric,
        documents=documents,
        samples=None if documents is None else samples,
        have=int(values.size),
        discordance=own,
        measured=seen is not None,
        tokens=tokens,
        minutes=minutes,
        reason=None if documents is not None else "the drop is too small for any number of documents",
    )


def _seen(baseline: Run, target: Target, noise: Run | None) -> float | None:
    """The mean variance of single answers to one document, from several answers or from a second run."""
    own = answer_variance(baseline, target)
    if own is not None:
        return own[0]
    again = None if noise is None else noise.entry(target.name)
    if noise is None or again is None or headline(again) != target.metric:
        return None
    pairs = pair(read_lines(baseline, target), read_lines(noise, target))
    change = (pairs.candidate - pairs.baseline) ** 2 / 2
    known = change[np.isfinite(change)]
    return float(known.mean()) if known.size else None


@dataclass(frozen=True, slots=True)
class _Costs:
    """Tokens and seconds of one answer of the baseline, over all its tasks; None where the run does not state them."""

    tokens: float | None
    seconds: float | None

    @classmethod
    def of(cls, run: Run) -> _Costs:
        results = run.record.results
        answers = sum((task.n or 0) * _repeats(run, name) for name, task in results.tasks.items())
        counts = [results.tokens.computed.value, results.tokens.generated.value]
        spent = None if None in counts else sum(count or 0 for count in counts)
        seconds, own = results.timing.inference, results.timing.own_share
        timed = answers if own is None else answers * own  # the others' time is not in the record
        # A run whose answers came from the journal worked on nothing, which is no price.
        return cls(
            spent / answers if spent and answers else None,
            seconds / timed if seconds and spent and timed else None,
        )

    def of_answers(self, answers: int) -> tuple[float | None, float | None]:
        return (
            None if self.tokens is None else self.tokens * answers,
            None if self.seconds is None else self.seconds * answers / 60,
        )


def _repeats(run: Run, task: str) -> int:
    settings = run.record.manifest.tasks.get(task)
    return (settings.repeats if settings is not None else None) or 1
