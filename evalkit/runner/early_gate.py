"""Judging a run while it runs (--against): checks that it can be compared with the baseline, and sets up the trials."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np

from evalkit.comparison import (
    FLAGS,
    Lines,
    Target,
    check,
    limits_differ,
    read_lines,
    resolve,
    shared_names,
    usable,
    whole,
)
from evalkit.config import RunConfig
from evalkit.errors import NotComparable, UnknownTask, UsageError, nearest
from evalkit.gating import EARLY_SHARE, Trial, trial
from evalkit.policy import Policy, TaskPolicy
from evalkit.registry import Document, Suite, Task
from evalkit.results import AgainstInfo, GroupResult, Manifest, Metric, Results, Run, RunRecord, TaskResult

__all__ = ["EarlyGate", "trials"]

Documents = Mapping[str, tuple[Task, Sequence[Document]]]


@dataclass(frozen=True, slots=True)
class EarlyGate:
    """Judge a run against `baseline` while it runs, and stop each task when its verdict is sure."""

    baseline: Run
    policy: Policy

    def settings(self, seed: int) -> AgainstInfo:
        """The manifest's `against` entry: all settings that decide which documents are run."""
        return AgainstInfo(
            run_id=self.baseline.run_id,
            model=self.baseline.label,
            fingerprint=self.baseline.model.fingerprint,
            created=self.baseline.record.manifest.created,
            seed=seed,
            confidence=self.policy.confidence,
            early_share=EARLY_SHARE,
            policy={
                name: {
                    "metric": rule.metric,
                    "max_drop": rule.max_drop.typed,
                    "max_rise": rule.max_rise,
                    "tier": rule.tier,
                }
                for name, rule in self.policy.tasks.items()
            },
        )


def trials(
    early: EarlyGate, config: RunConfig, suite: Suite, documents: Documents, manifest: Manifest
) -> tuple[list[Trial], list[str]]:
    """Return one trial for each target, and notes for the user. Raises if the two runs can't be compared."""
    baseline = early.baseline
    usable(baseline)
    whole(baseline)
    candidate = _as_run(suite, manifest, limited=config.limit is not None)
    if limits_differ(baseline, candidate):
        was, asked = (_words(limit) for limit in (baseline.record.manifest.limit, config.limit))
        raise NotComparable(
            f"--against {baseline.run_id}: it was run with --limit {was}, this is --limit {asked};"
            " stopping early needs the same documents: give both the same"
        )
    policies = _policies(early, candidate, suite)
    targets = [_target(baseline, suite, name, rule.metric) for name, rule in policies.items()]
    _check_apart(targets)
    leaves = [leaf for target in targets for leaf in target.leaves]
    notes = check(baseline, candidate, leaves, (), advice=_advice(baseline, config))
    planned = []
    for target in targets:
        of_baseline = read_lines(baseline, target)
        if of_baseline.corpus is not None:
            raise UsageError(
                f"--against: {target.metric} of {target.name} is a figure of all documents together, which none of them"
                " bounds before the end: run without --against, then evalkit gate"
            )
        lines = of_baseline, _lines(target, documents, of_baseline)
        planned.append(trial(baseline, target, policies[target.name], lines, _seed(config, target)))
    for target_trial in planned:
        if target_trial.in_full is None and (
            together := [leaf for leaf in target_trial.target.leaves if suite.tasks[leaf].scores_together]
        ):
            target_trial.in_full = f"a filter of {together[0]} looks at all documents at once"
            target_trial.looked_at = False
        if target_trial.in_full:
            notes.append(f"{target_trial.name} runs in full: {target_trial.in_full}")
    judged = {leaf for target in targets for leaf in target.leaves}
    if others := [name for name in suite.requested if not judged & set(suite.leaves(name))]:
        notes.append(f"{', '.join(others)} runs in full: not judged by the policy")
    return planned, notes


def _policies(early: EarlyGate, candidate: Run, suite: Suite) -> dict[str, TaskPolicy]:
    """The rule for each judged name: those of the policy, or the default rule for every shared name."""
    names = list(dict.fromkeys([*suite.requested, *suite.groups, *suite.tasks]))
    for name in early.policy.tasks:
        if name not in names:
            hint = nearest(name, names) or f"; --tasks gives {', '.join(suite.requested)}"
            raise UnknownTask(f"{early.policy.source or 'the policy'}: {name} is judged and not run{hint}")
    if early.policy.tasks:
        return dict(early.policy.tasks)
    shared = shared_names([early.baseline, candidate])
    if not shared:
        raise NotComparable(
            f"--against {early.baseline.run_id}: it has {', '.join(early.baseline.requested) or 'no task'},"
            f" and --tasks asks for {', '.join(suite.requested)}"
        )
    return {name: TaskPolicy() for name in shared}


def _target(baseline: Run, suite: Suite, name: str, metric: str | None) -> Target:
    """What is compared under this name. Raises if the candidate's tasks or metrics differ from the baseline's."""
    target = resolve(baseline, baseline, name, metric)
    entry = baseline.entry(name)
    if entry is not None and target.metric in entry.metrics and entry.metrics[target.metric].judged:
        raise UsageError(
            f"{name}: {target.metric} is a judge's figure, and a judge reads whole runs: run without --against, then"
            f" type evalkit judge run RUN and evalkit gate {baseline.run_id} RUN --policy FILE (--labels corrects for"
            " the judge's errors)"
        )
    leaves = [
        leaf for leaf in suite.leaves(name) if leaf in target.leaves or target.metric in suite.tasks[leaf].metrics
    ]
    if unshared := sorted(set(leaves) ^ set(target.leaves)):
        raise NotComparable(
            f"{name} is made of other tasks in {baseline.run_id}: {', '.join(unshared[:5])} stand only in one"
        )
    without = [leaf for leaf in leaves if target.metric not in suite.tasks[leaf].metrics]
    if without:
        metrics = suite.tasks[without[0]].metrics
        raise UsageError(
            f"{name}: {target.metric} does not come from running {without[0]}"
            f"{nearest(target.metric, metrics) or '; it has ' + ', '.join(metrics)}"
        )
    return target


def _check_apart(targets: Sequence[Target]) -> None:
    """Raise if two targets share a task: its documents can't stop for one target and go on for the other."""
    counts = Counter(leaf for target in targets for leaf in target.leaves)
    for leaf, count in counts.items():
        if count > 1:
            both = [target.name for target in targets if leaf in target.leaves]
            raise UsageError(
                f"{' and '.join(both)} share the documents of {leaf}, which can't stop for one and go on for the other:"
                " name one of them in the policy"
            )


def _words(limit: Any) -> str:
    return f"{limit:g}" if isinstance(limit, int | float) else str(limit or "none")


def _advice(baseline: Run, config: RunConfig) -> str:
    """What to type if the baseline's prompts were made with other settings."""
    was, now = (baseline.record.manifest.seeds or {}).get("fewshot"), config.seed.fewshot
    if was is not None and was != now:
        order = f"{config.seed.random},{config.seed.numpy},{config.seed.torch},{was}"
        return (
            f"Its few-shot examples were drawn with seed {was}, these with {now}: type --seed {order} for another order"
        )
    return (
        "With --against, both must be asked alike: give this run the baseline's flags, or run the baseline with these"
    )


def _seed(config: RunConfig, target: Target) -> tuple[int, int]:
    """The seed of the order in which a target's documents are drawn."""
    return config.seed.random, crc32(target.name.encode())


def _lines(target: Target, documents: Documents, baseline: Lines) -> Lines:
    """The documents that will be run, as lines without a value.

    A document with several scores in the baseline (such as the instructions of one prompt) becomes several lines.
    """
    parts: dict[tuple[str, str], list[str]] = {}
    for task, doc_hash in dict.fromkeys(zip(baseline.task, baseline.doc_hash, strict=True)):
        document_hash, numbered, _ = doc_hash.rpartition("#")
        parts.setdefault((task, document_hash if numbered else doc_hash), []).append(doc_hash)
    line_documents, hashes = [], []
    for document in (document for leaf in target.leaves for document in documents[leaf][1]):
        for doc_hash in parts.get((document.task, document.doc_hash), [document.doc_hash]):
            line_documents.append(document)
            hashes.append(doc_hash)
    is_part = [doc_hash != document.doc_hash for doc_hash, document in zip(hashes, line_documents, strict=True)]
    return Lines(
        task=[document.task for document in line_documents],
        doc_id=[document.doc_id for document in line_documents],
        doc_hash=hashes,
        prompt_hash=[document.prompt_hash for document in line_documents],
        stratum=[document.stratum for document in line_documents],
        cluster=[d.cluster or (d.doc_hash if part else None) for d, part in zip(line_documents, is_part, strict=True)],
        value=np.full(len(line_documents), np.nan),
        flags=np.full(len(line_documents), FLAGS["missing"]),
    )


def _as_run(suite: Suite, manifest: Manifest, *, limited: bool) -> Run:
    """The candidate as a run with settings and task names but no figures yet, for the comparison's checks."""

    def metrics(headline: str | None) -> dict[str, Metric]:
        return {headline: Metric()} if headline else {}

    results = Results(
        status="limited" if limited else "complete",
        requested=tuple(suite.requested),
        tasks={
            n: TaskResult(metrics=metrics(task.headline), headline=task.headline) for n, task in suite.tasks.items()
        },
        groups={
            name: GroupResult(metrics=metrics(group.headline), headline=group.headline, members=tuple(group.members))
            for name, group in suite.groups.items()
        },
    )
    return Run(Path("this run"), RunRecord(manifest.model_copy(update={"run_id": "this run"}), results))
