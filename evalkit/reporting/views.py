"""Prepares `evalkit report`: compares each run with the baseline, and records why a comparison is refused."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from evalkit.comparison import (
    Against,
    Lines,
    Measured,
    Target,
    align,
    check_allowed,
    compare,
    measured,
    requested_names,
    resolve,
    shared_names,
    usable,
)
from evalkit.errors import EvalkitError, NotComparable, UsageError
from evalkit.gating import GateResult, gate
from evalkit.policy import Policy, TaskPolicy
from evalkit.results import Run

__all__ = ["Part", "View", "look"]


@dataclass(frozen=True)
class Part:
    """One target of a view with its documents."""

    measured: Measured
    lines: tuple[Lines, Lines]

    @property
    def target(self) -> Target:
        return self.measured.target


@dataclass(frozen=True)
class View:
    """A run compared with the baseline, or shown alone."""

    run: Run
    baseline: Run
    """The baseline; the run itself if it is shown alone."""
    parts: tuple[Part, ...] = ()
    against: Against | None = None
    gate: GateResult | None = None
    reason: str | None = None
    """Why there is no comparison."""
    gate_reason: str | None = None
    refused: Mapping[str, str] = field(default_factory=dict)
    """Names without a comparison, each with the reason."""

    @property
    def alone(self) -> bool:
        return self.against is None

    @property
    def warnings(self) -> list[str]:
        lines = [f"{self.run.run_id} is not compared: {self.reason}"] if self.reason else []
        if self.gate_reason and not self.reason:
            lines.append(f"{self.run.run_id} has no verdict: {self.gate_reason}")
        return lines + [f"{self.run.run_id}: {name} is left out: {why}" for name, why in self.refused.items()]


def look(
    runs: Sequence[Run], *, tasks: Sequence[str] = (), policy: Policy | None = None, allow: Collection[str] = ()
) -> list[View]:
    """Compare each run with the first. A single run, or one that can't be compared, is shown alone."""
    baseline, *others = runs
    if len({run.path.resolve() for run in runs}) < len(runs):
        raise UsageError("a run stands twice on the command line: name each one once")
    check_allowed(allow)
    judged = [rule.task or name for name, rule in (policy.tasks.items() if policy else ())]
    for name in (*tasks, *judged):
        if all(run.entry(name) is None for run in runs):
            resolve(baseline, baseline, name)  # raises an error that lists the names there are
    for run in runs:
        if run.imported_from is None:  # another tool's run may have only figures
            run.scores()  # raises now if the folder can't be read, instead of leaving a gap on the page
    views = [_beside(baseline, run, tasks, policy, allow) for run in others]
    if all(view.alone for view in views):
        views.insert(0, _alone(baseline, tasks))
    return views


def _beside(baseline: Run, run: Run, tasks: Sequence[str], policy: Policy | None, allow: Collection[str]) -> View:
    try:
        usable(baseline)
        usable(run)
        against, refused = _compared(baseline, run, tasks, allow)
    except EvalkitError as error:
        return replace(_alone(run, tasks), reason=str(error))
    pair = align(baseline, run, dict.fromkeys(tasks))
    here, there = pair.baseline, pair.candidate
    narrowed = len(against.tasks) < len(shared_names([here, there]))
    result, why = _judged(baseline, run, against, policy, allow, narrowed=bool(tasks) or narrowed)
    parts = tuple(_part(here, there, task.name, allow) for task in against.tasks)
    return View(run, baseline, parts, against, result, None, why, refused)


def _compared(
    baseline: Run, run: Run, tasks: Sequence[str], allow: Collection[str]
) -> tuple[Against, Mapping[str, str]]:
    """Compare all names at once, since their p-values are corrected together. Returns the names left out, with why."""
    try:
        return compare(baseline, [run], tasks=tasks, allow=allow).against[0], {}
    except EvalkitError as error:
        names = list(tasks) or shared_names([baseline, run])
        if len(names) < 2:
            raise
        whole = error
    refused: dict[str, str] = {}
    for name in names:
        try:
            compare(baseline, [run], tasks=[name], allow=allow)
        except EvalkitError as error:
            refused[name] = str(error)
    kept = [name for name in names if name not in refused]
    if not kept:
        raise NotComparable(str(whole))
    return compare(baseline, [run], tasks=kept, allow=allow).against[0], refused


def _judged(
    baseline: Run, run: Run, against: Against, policy: Policy | None, allow: Collection[str], *, narrowed: bool
) -> tuple[GateResult | None, str | None]:
    rules = policy or Policy()
    if policy is None and narrowed:
        rules = Policy(tasks={task.name: TaskPolicy() for task in against.tasks}, source="the default policy")
    try:
        return gate(baseline, run, rules, allow=allow), None
    except EvalkitError as error:
        return None, str(error)


def _alone(run: Run, tasks: Sequence[str]) -> View:
    parts, refused = [], {}
    for name in tasks or requested_names(run):
        try:
            parts.append(_part(run, run, name, ()))
        except EvalkitError as error:
            refused[name] = str(error)
    return View(run, run, tuple(parts), refused=refused)


def _part(baseline: Run, run: Run, name: str, allow: Collection[str]) -> Part:
    return Part(*measured(baseline, run, resolve(baseline, run, name), allow))
