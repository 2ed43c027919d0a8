"""Baseline and candidate, read, measured and judged."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from evalkit.comparison import (
    Labels,
    Measured,
    Target,
    align,
    check,
    check_allowed,
    check_judge,
    clean_target,
    correct,
    figure,
    headline,
    incomparable_flags,
    judge_note,
    judged,
    limits_note,
    measured,
    read_lines,
    requested_names,
    resolve,
    usable,
    whole,
)
from evalkit.errors import ConfigError, NotComparable, UsageError
from evalkit.gating.decide import Decision, decide
from evalkit.gating.evidence import Evidence, of_measured
from evalkit.gating.noise import NO_NOISE, AnswerNoise, answer_noise
from evalkit.gating.rates import judge_rates
from evalkit.gating.reasons import needed_documents, needed_repeats, reasons
from evalkit.gating.verdict import GateResult, Noise, TaskVerdict, overall
from evalkit.policy import DEFAULT_DROP, Drop, Policy, TaskPolicy
from evalkit.results import Run

__all__ = ["check_drop", "gate", "task_verdict"]

_ROUNDING = 0.0101
"""Two figures rounded to two digits differ by up to 0.01 from what their rows add up to."""


def gate(
    baseline: Run,
    candidate: Run,
    policy: Policy | None = None,
    *,
    noise: Run | None = None,
    allow: Collection[str] = (),
    labels: Labels | None = None,
) -> GateResult:
    """Judge every task that the policy names; without any, every name that both runs were asked for.

    `noise` is a second run of the baseline; `allow` names the differences between the runs that are meant. `labels`:
    people's ratings of some answers, which correct what a judge gave.
    """
    chosen = policy or Policy()
    meant = check_allowed(allow)
    for run in (baseline, candidate, *([noise] if noise else [])):
        usable(run)
        whole(run)
    asked = {entry.task or name: entry.metric for name, entry in chosen.tasks.items()}
    pair = align(baseline, candidate, asked)
    if noise is not None:
        noise = align(noise, pair.candidate, asked).baseline
    baseline, candidate = pair.baseline, pair.candidate
    policies = _policies(baseline, candidate, chosen)
    named = {name: pair.names.get(entry.task or name, entry.task or name) for name, entry in policies.items()}
    targets = [
        replace(resolve(baseline, candidate, named[name], pair.metric(named[name], entry.metric)), label=name)
        for name, entry in policies.items()
    ]
    targets = [
        replace(target, without=clean_target(target, [baseline, candidate]))
        if policies[target.key].clean_only
        else target
        for target in targets
    ]
    leaves = list(dict.fromkeys(leaf for target in targets for leaf in target.leaves))
    notes = [*pair.notes, *limits_note(baseline, candidate), *check(baseline, candidate, leaves, meant)]
    notes += _not_judged(baseline, candidate, [target.name for target in targets])
    notes += [note for target in targets for note in check_judge(baseline, candidate, target, meant)]
    notes += [note for target in targets for note in _model_judged(baseline, candidate, target.name, target.metric)]
    notes += [
        f"{target.key}: {len(target.without & _documents(candidate, target)):,} documents that stand in training data"
        " are left out"
        for target in targets
        if target.without
    ]
    if baseline.path.resolve() == candidate.path.resolve():
        notes.append("baseline and candidate are the same run")
    measurements = []
    for target in targets:
        measurement, lines = measured(baseline, candidate, target, meant)
        if labels is None:
            notes += judge_note(baseline, target)
        else:
            measurement, label_notes = correct(measurement, lines, baseline, candidate, labels)
            notes += label_notes
        measurements.append(measurement)
    if labels is not None and not any(" is corrected by " in note for note in notes):
        raise UsageError("--labels: none of the judged metrics was given by a judge; name one in the policy")
    for measurement in measurements:
        check_drop(measurement, policies[measurement.target.key])
    noises = [_noise(baseline, noise, target) for target in targets]
    if noise and (without := [t.key for t, other in zip(targets, noises, strict=True) if other is None]):
        notes.append(f"no noise floor for {', '.join(without)}: {noise.run_id} lacks it")
    evidence = [
        of_measured(
            measurement,
            policies[measurement.target.key],
            _contradiction(baseline, candidate, measurement, policies[measurement.target.key])
            or _less_evidence(candidate, measurement, meant),
            incomparable_flags(baseline, candidate, measurement.target.leaves),
        )
        for measurement in measurements
    ]
    decisions = decide(evidence, chosen.confidence)
    whole_task = not any(run.record.manifest.limit or run.status == "limited" for run in (baseline, candidate))
    tasks = tuple(
        task_verdict(
            measurement,
            proof,
            decision,
            other,
            chosen.confidence,
            replace(answer_noise(baseline, candidate, measurement.target), no_more_documents=whole_task),
        )
        for measurement, proof, decision, other in zip(measurements, evidence, decisions, noises, strict=True)
    )
    tasks += judge_rates(chosen.rates, chosen.confidence, meant)
    verdict, not_run = overall(tasks), _not_run(baseline, candidate, chosen, meant)
    if not_run and verdict == "pass":
        verdict = "cannot_tell"
        notes.insert(0, f"no PASS without {', '.join(not_run)}: if that is what you mean, type --allow tasks")
    return GateResult(verdict, baseline, candidate, chosen, tasks, noise, tuple(notes), not_run)


def _policies(baseline: Run, candidate: Run, policy: Policy) -> dict[str, TaskPolicy]:
    if policy.tasks:
        return dict(policy.tasks)
    # A name that the baseline was asked for is judged also where the candidate has it as a member of a group.
    names = [name for name in requested_names(baseline) if candidate.entry(name) is not None]
    if not names:
        raise NotComparable(
            f"{candidate.run_id} and {baseline.run_id} share no task to judge:"
            f" {', '.join(candidate.requested) or 'none'} against {', '.join(baseline.requested) or 'none'}"
        )
    opinions = {
        f"{name} {metric}": _opinion(baseline, name, metric) for name, metric in _opinions(baseline, candidate, names)
    }
    return {**{name: TaskPolicy() for name in names}, **opinions}


def _opinions(baseline: Run, candidate: Run, names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Metrics beside the headline that the same judge gave both runs: they are added as advisory targets."""
    for name in names:
        here, there = baseline.entry(name), candidate.entry(name)
        for metric in judged(here) if here and there else ():
            if here is None or there is None or metric == headline(here) or metric not in there.metrics:
                continue
            ours, theirs = here.metrics[metric], there.metrics[metric]
            alike = all(getattr(ours, key) == getattr(theirs, key) for key in ("rubric", "fingerprint", "against"))
            if alike and ours.value is not None and theirs.value is not None:
                yield name, metric


def _opinion(baseline: Run, name: str, metric: str) -> TaskPolicy:
    """A hundredth of the scale, as for the others."""
    entry = baseline.entry(name)
    scale = (entry and entry.metrics[metric].scale) or (0.0, 1.0)
    drop = Drop(round(DEFAULT_DROP.value * (scale[1] - scale[0]), 6))
    return TaskPolicy(task=name, metric=metric, max_drop=drop, tier="advisory")


def check_drop(measured: Measured, policy: TaskPolicy) -> None:
    """One point on a metric from 0 to 1 is 0.01. A tolerance that nothing can exceed would pass anything."""
    drop = policy.max_drop
    if drop.relative or measured.ends is None or drop.value < measured.ends[1] - measured.ends[0]:
        return
    low, high = measured.ends
    raise ConfigError(
        f"{measured.target.name}: max_drop {drop} tolerates everything, since {measured.target.metric} goes from"
        f' {low:g} to {high:g}; write 0.01 for a hundredth of that, or "1%" for a share of the baseline'
    )


def _model_judged(baseline: Run, candidate: Run, name: str, metric: str) -> list[str]:
    """A figure that a model gave stands for people's only as far as it was held against theirs."""
    for run in (baseline, candidate):
        entry = run.entry(name)
        figure = entry.metrics.get(metric) if entry else None
        record = figure.calibration if figure is not None and figure.judged else None
        if not record:
            continue
        models = record.get("models")
        reason = record.get("reason")
        if not reason and models and run.label not in models:
            # Runs that an older version judged carry the record of whatever models were labelled.
            reason = f"its calibration record is of answers by {', '.join(map(str, models[:3]))}, not by {run.label}"
        if reason:
            return [f"{name}: {metric} has no calibration record that fits: {reason}"]
    return []


def _not_judged(baseline: Run, candidate: Run, judged: Sequence[str]) -> list[str]:
    notes = []
    for name in dict.fromkeys([*requested_names(baseline), *requested_names(candidate)]):
        if name in judged:
            continue
        lacks = [run.run_id for run in (baseline, candidate) if run.entry(name) is None]
        notes.append(f"{name} is not judged: " + (f"{' and '.join(lacks)} lacks it" if lacks else "not in the policy"))
    return notes


def _noise(baseline: Run, noise: Run | None, target: Target) -> Measured | None:
    if noise is None or any(noise.entry(leaf) is None for leaf in target.leaves):
        return None
    again = replace(resolve(baseline, noise, target.name, target.metric), label=target.label, without=target.without)
    check(baseline, noise, target.leaves, ())
    return measured(baseline, noise, again, ())[0]


def _documents(run: Run, target: Target) -> frozenset[tuple[str, str]]:
    lines = read_lines(run, replace(target, without=frozenset()).of_candidate)
    return frozenset((task, doc.partition("#")[0]) for task, doc in zip(lines.task, lines.doc_hash, strict=True))


def _less_evidence(candidate: Run, measured: Measured, allow: Collection[str]) -> str | None:
    """Why a PASS is withheld: the candidate was asked fewer documents than the baseline, and nobody said so."""
    outside = measured.pairs.unpaired.outside_candidate
    if not outside or "limit" in allow:
        return None
    limit = candidate.record.manifest.limit
    how = f"with --limit {limit}" if limit is not None else "on fewer documents"
    return (
        f"{candidate.run_id} was run {how}: {outside:,} documents of the baseline are not judged;"
        " run it on all of them, or type --allow limit if that is meant"
    )


def _not_run(baseline: Run, candidate: Run, policy: Policy, allow: Collection[str]) -> tuple[str, ...]:
    """Names that only the baseline has. A policy says itself what is to be judged."""
    if policy.tasks or "tasks" in allow:
        return ()
    return tuple(name for name in requested_names(baseline) if candidate.entry(name) is None)


def _contradiction(baseline: Run, candidate: Run, measured: Measured, policy: TaskPolicy) -> str | None:
    """Why a PASS is withheld: results.json reports a drop beyond the tolerance that the rows don't show."""
    unpaired = measured.pairs.unpaired
    if unpaired.outside_limit or unpaired.prompt_differs or measured.target.without:
        return None
    name, metric = measured.target.name, measured.target.metric
    named = ((baseline, metric), (candidate, measured.target.of_candidate.metric))
    stated = [figure(run, name, its_metric) or 0.0 for run, its_metric in named]
    counts = [measured.whole_baseline, measured.whole_candidate]
    if measured.target.best_at is not None:
        stated, counts = [abs(value) for value in stated], [abs(value) for value in counts]
    change, counted = stated[1] - stated[0], counts[1] - counts[0]
    drop = policy.max_drop.value * (abs(measured.baseline) if policy.max_drop.relative else 1.0)
    if change * measured.target.sign >= -drop or abs(change - counted) <= _ROUNDING * measured.scale:
        return None
    return (
        f"results.json reports a change of {change:+.4f}, the rows it is made of one of {counted:+.4f}:"
        f" {metric} is no mean over documents, or a file was edited"
    )


def task_verdict(
    measured: Measured,
    proof: Evidence,
    decision: Decision,
    noise: Measured | None,
    confidence: float,
    answers: AnswerNoise = NO_NOISE,
) -> TaskVerdict:
    """The verdict on one target. `answers`: what is known of the noise of single answers."""
    target, policy = measured.target, proof.policy
    needed = needed_documents(proof, decision, confidence)
    return TaskVerdict(
        name=target.key,
        verdict=decision.verdict,
        tier=policy.tier,
        metric=target.metric,
        higher_is_better=target.higher_is_better,
        scale=measured.scale,
        baseline=_known(measured.baseline),
        candidate=_known(measured.candidate),
        delta=_known(measured.delta),
        ci95=_interval(measured),
        p=decision.p,
        p_holm=decision.p_holm,
        n=measured.n,
        lost=measured.lost,
        gained=measured.gained,
        max_drop=policy.max_drop,
        tolerance=proof.tolerance,
        margin_lower=decision.margin_lower,
        margin_upper=decision.margin_upper,
        lower=decision.lower,
        upper=decision.upper,
        needed_n=needed,
        needed_repeats=needed_repeats(measured, noise, needed, answers),
        missing_baseline=measured.missing_baseline,
        missing_candidate=measured.missing_candidate,
        missing_both=measured.missing_both,
        unpaired=measured.pairs.unpaired,
        flags=decision.flags,
        noise=Noise(noise.n, noise.lost, noise.gained) if noise else None,
        members=measured.members,
        reasons=reasons(measured, proof, decision, needed, noise, answers),
        metric_verdict=decision.metric,
    )


def _interval(measured: Measured) -> tuple[float, float] | None:
    if measured.worst is None or measured.best is None:
        return None
    low, high = measured.worst.lower(0.975), measured.best.upper(0.975)
    if not (math.isfinite(low) and math.isfinite(high)):
        return None
    return (low, high) if measured.target.sign > 0 else (-high, -low)


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None
