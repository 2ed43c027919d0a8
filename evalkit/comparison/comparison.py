"""Two runs or more, name by name: what changed, and what could have been seen."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from evalkit.comparison.aligning import align
from evalkit.comparison.corpus import measure_corpus
from evalkit.comparison.flips import Flip, find_flips
from evalkit.comparison.halves import halves_notes
from evalkit.comparison.judged import Labels, check_judge, correct, judge_note
from evalkit.comparison.lines import Lines, read_lines
from evalkit.comparison.measure import Measured, Member, measure
from evalkit.comparison.pairing import Limits, Unpaired, pair
from evalkit.comparison.settings import check, check_allowed, limits_differ, prompts_may_differ
from evalkit.comparison.targets import Target, figure, requested_names, resolve, shared_names
from evalkit.errors import NoDocumentFigures, NotComparable, RunFolderError, UsageError
from evalkit.results import Run
from evalkit.stats import Interval, holm, smallest_detectable_drop

__all__ = ["Against", "Comparison", "TaskComparison", "compare", "limits_note", "measured", "usable", "whole"]


@dataclass(frozen=True, slots=True)
class TaskComparison:
    name: str
    metric: str
    higher_is_better: bool
    scale: float
    """The metric's range: 1 for shares."""
    n: int
    baseline: float
    candidate: float
    delta: float
    """Candidate less baseline, on the metric's scale."""
    ci95: Interval | None
    p: float | None
    """Two-sided, of no difference: the level at which the interval just reaches 0."""
    p_holm: float | None
    """The same, corrected over all names of this comparison."""
    lost: int
    gained: int
    detectable: float | None
    """The smallest true drop that so many documents show four times in five, at one-sided 5%."""
    missing_baseline: int
    missing_candidate: int
    unpaired: Unpaired
    members: tuple[Member, ...] = ()
    flips: tuple[Flip, ...] = ()

    @property
    def discordance(self) -> float:
        return (self.lost + self.gained) / self.n if self.n else 0.0

    @property
    def improved(self) -> bool | None:
        """None: the interval holds 0."""
        if self.ci95 is None or 0.0 in self.ci95:
            return None
        return (self.delta > 0) == self.higher_is_better


@dataclass(frozen=True, slots=True)
class Against:
    """One run beside the first."""

    run: Run
    tasks: tuple[TaskComparison, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    baseline: Run
    against: tuple[Against, ...]


def compare(
    baseline: Run,
    others: Sequence[Run],
    *,
    tasks: Sequence[str] = (),
    metric: str | None = None,
    allow: Collection[str] = (),
    flips: int = 0,
    labels: Labels | None = None,
) -> Comparison:
    """Compare each of `others` with `baseline` on `tasks`, or on every name that both were asked for.

    `allow` names the differences that are meant: version, prompts, shots, chat_template, generation, data, judge.
    `labels` are people's ratings of some answers: what a judge gave is corrected by them.
    """
    if not others:
        raise UsageError("compare takes two runs or more: evalkit compare A B")
    meant = check_allowed(allow)
    for run in (baseline, *others):
        usable(run)
    return Comparison(baseline, tuple(_against(baseline, run, tasks, metric, meant, flips, labels) for run in others))


def usable(run: Run) -> None:
    """Refuse a run that did not come to its end: its figures mean something else."""
    manifest = run.record.manifest
    interrupted = manifest.states("finished") and not manifest.finished
    if run.status == "incomplete" or interrupted:
        raise RunFolderError(f"{run.path} is incomplete: type its `evalkit run` command again, which goes on with it")
    without = [name for name in run.requested if run.entry(name) is None and "*" not in name]
    if without:
        raise RunFolderError(
            f"{run.path}: results.json has no figure of {', '.join(without[:5])}, which it was asked for"
        )


def whole(run: Run) -> None:
    """Refuse a run that stopped as soon as it was sure: a verdict on documents fixed in advance is none on these."""
    if not run.not_run:
        return
    sequential = run.record.results.early_stopping
    verdict = ((sequential and sequential.verdict) or "unknown").replace("_", " ").upper()
    raise NotComparable(
        f"{run.run_id} stopped early, with {run.not_run:,} documents not run: what was drawn until a verdict was sure"
        f" can't be judged again as if its size had been fixed before. Its own verdict against {run.against or '?'} is"
        f" {verdict} ({run.path / 'results.json'}, early_stopping); for a run that can be judged, type its"
        " `evalkit run` without --against: the answers so far are kept"
    )


def measured(
    baseline: Run, candidate: Run, target: Target, allow: Collection[str]
) -> tuple[Measured, tuple[Lines, Lines]]:
    """Read, pair and measure one target of two runs."""
    lines = read_lines(baseline, target), read_lines(candidate, target.of_candidate)
    limits = Limits.of(baseline, candidate) if limits_differ(baseline, candidate) else None
    pairs = pair(*lines, ignore_prompts=prompts_may_differ(allow), limits=limits)
    together = any(side.corpus is not None for side in lines)
    measurement = measure_corpus(target, pairs, lines) if together else measure(target, pairs)
    if pairs.unpaired.prompt_differs and not measurement.n:
        raise NotComparable(
            f"{target.name}: all {pairs.unpaired.prompt_differs} documents were asked with other prompts in"
            f" {candidate.run_id} than in {baseline.run_id}; if that is meant, type --allow prompts"
        )
    if not measurement.n:
        why = "; ".join(pairs.unpaired.lines()) or "no document was answered by both"
        raise NotComparable(f"{target.name}: {candidate.run_id} and {baseline.run_id} share no document ({why})")
    return measurement, lines


def limits_note(baseline: Run, candidate: Run) -> list[str]:
    """What a reader must know of runs that do not hold every document."""
    notes = [f"{run.run_id} is {run.status}" for run in (baseline, candidate) if run.status != "complete"]
    notes += [
        f"{run.run_id} stopped as soon as it was sure: intervals and p-values here take no account of that"
        for run in (baseline, candidate)
        if run.not_run
    ]
    if limits_differ(baseline, candidate):
        here, there = (_limit(run) for run in (baseline, candidate))
        notes.append(f"limit {here} against {there}: only the documents of both count")
    return notes


def _limit(run: Run) -> str:
    limit = run.record.manifest.limit
    return str(limit) if limit is not None else "unknown" if run.status == "limited" else "none"


def _against(
    baseline: Run,
    run: Run,
    tasks: Sequence[str],
    metric: str | None,
    allow: Collection[str],
    flips: int,
    labels: Labels | None,
) -> Against:
    pair = align(baseline, run, dict.fromkeys(tasks, metric))
    baseline, run = pair.baseline, pair.candidate
    names = [pair.names.get(name, name) for name in tasks] or shared_names([baseline, run])
    if not names:
        raise NotComparable(
            f"{run.run_id} and {baseline.run_id} share no task:"
            f" {', '.join(run.requested) or 'none'} against {', '.join(baseline.requested) or 'none'}"
        )
    targets = [resolve(baseline, run, name, pair.metric(name, metric)) for name in names]
    leaves = dict.fromkeys(leaf for target in targets for leaf in target.leaves)
    notes = [*pair.notes, *limits_note(baseline, run), *check(baseline, run, leaves, allow)]
    notes += [f"{side.run_id}: {note}" for side in (baseline, run) for note in halves_notes(side)]
    if not tasks:
        notes += _alone(baseline, run, names)
    for target in targets:
        notes += check_judge(baseline, run, target, allow)
    compared = []
    for target in targets:
        try:
            task, task_notes = _task(baseline, run, target, allow, flips, labels)
            compared.append(task)
            notes += task_notes
        except NoDocumentFigures as error:
            if tasks or (target is targets[-1] and not compared):
                raise
            notes.append(_of_the_corpus(baseline, run, target, error))
    if labels is not None and not any(" is corrected by " in note for note in notes):
        raise UsageError("--labels: none of the compared metrics was given by a judge")
    corrected = holm([1.0 if task.p is None else task.p for task in compared])
    done = tuple(
        task if task.p is None else replace(task, p_holm=float(p)) for task, p in zip(compared, corrected, strict=True)
    )
    return Against(run, done, tuple(notes))


def _of_the_corpus(baseline: Run, run: Run, target: Target, why: NoDocumentFigures) -> str:
    here, there = (figure(side, target.name, target.metric) for side in (baseline, run))
    return f"{target.name} is left out ({target.metric}: {here:.4g} against {there:.4g} on the whole): {why}"


def _alone(baseline: Run, run: Run, names: Sequence[str]) -> list[str]:
    sides = ((baseline, run), (run, baseline))
    alone = [(side, [name for name in requested_names(side) if name not in names]) for side, _ in sides]
    return [f"only in {side.run_id}: {', '.join(rest)}" for side, rest in alone if rest]


def _task(
    baseline: Run, run: Run, target: Target, allow: Collection[str], flips: int, labels: Labels | None
) -> tuple[TaskComparison, list[str]]:
    """The comparison of one target, and notes on it."""
    measurement, lines = measured(baseline, run, target, allow)
    if labels is None:
        notes = judge_note(baseline, target)
    else:
        measurement, notes = correct(measurement, lines, baseline, run, labels)
    point, sign = measurement.point, target.sign
    interval = point.interval(0.95) if point else None
    if interval and sign < 0:
        interval = Interval(-interval.high, -interval.low, interval.level)
    task = TaskComparison(
        name=target.name,
        metric=target.metric,
        higher_is_better=target.higher_is_better,
        scale=measurement.scale,
        n=measurement.n,
        baseline=measurement.baseline,
        candidate=measurement.candidate,
        delta=measurement.delta,
        ci95=interval,
        p=point.p_two_sided() if point else None,
        p_holm=None,
        lost=measurement.lost,
        gained=measurement.gained,
        detectable=_detectable(measurement),
        missing_baseline=measurement.missing_baseline,
        missing_candidate=measurement.missing_candidate,
        unpaired=measurement.pairs.unpaired,
        members=measurement.members,
        flips=find_flips(baseline, run, target, measurement.pairs, lines, flips) if flips else (),
    )
    return task, notes


def _detectable(measurement: Measured) -> float | None:
    if measurement.point is None or measurement.point.effective_n < 1:
        return None
    size = round(measurement.point.effective_n)
    drop = smallest_detectable_drop(size, measurement.point.discordance)
    return None if drop is None else drop * measurement.scale
