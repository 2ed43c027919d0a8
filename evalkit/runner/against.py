"""A run that is judged while it runs: its baseline, its policy, and whether the two can be held against each other."""

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
from evalkit.results import Run

__all__ = ["Against", "trials"]

Documents = Mapping[str, tuple[Task, Sequence[Document]]]


@dataclass(frozen=True, slots=True)
class Against:
    baseline: Run
    policy: Policy

    def settings(self, seed: int) -> dict[str, Any]:
        """All that decides which documents are run, as the manifest holds it."""
        return {
            "run_id": self.baseline.run_id,
            "model": self.baseline.label,
            "fingerprint": self.baseline.model.get("fingerprint"),
            "created": self.baseline.manifest.get("created"),
            "seed": seed,
            "confidence": self.policy.confidence,
            "early_share": EARLY_SHARE,
            "policy": {
                name: {
                    "metric": one.metric,
                    "max_drop": one.max_drop.typed,
                    "max_rise": one.max_rise,
                    "tier": one.tier,
                }
                for name, one in self.policy.tasks.items()
            },
        }


def trials(
    against: Against, config: RunConfig, suite: Suite, documents: Documents, manifest: Mapping[str, Any]
) -> tuple[list[Trial], list[str]]:
    """The targets of one candidate, none of them drawn yet, and what a reader should know."""
    baseline = against.baseline
    usable(baseline)
    whole(baseline)
    candidate = _as_run(suite, manifest, limited=config.limit is not None)
    if limits_differ(baseline, candidate):
        was, asked = (_words(limit) for limit in (baseline.manifest.get("limit"), config.limit))
        raise NotComparable(
            f"--against {baseline.run_id}: it was run with --limit {was}, this is --limit {asked};"
            " stopping early needs the same documents: give both the same"
        )
    policies = _policies(against, candidate, suite)
    targets = [_target(baseline, suite, name, one.metric) for name, one in policies.items()]
    _check_apart(targets)
    leaves = [leaf for target in targets for leaf in target.leaves]
    notes = check(baseline, candidate, leaves, (), advice=_advice(baseline, config))
    found = []
    for target in targets:
        here = read_lines(baseline, target)
        lines = here, _lines(target, documents, here)
        found.append(trial(baseline, target, policies[target.name], lines, _seed(config, target)))
    for one in found:
        if one.in_full is None and (
            together := [leaf for leaf in one.target.leaves if suite.tasks[leaf].scores_together]
        ):
            one.in_full = f"a filter of {together[0]} looks at all documents at once"
            one.looked_at = False
        if one.in_full:
            notes.append(f"{one.name} runs in full: {one.in_full}")
    judged = {leaf for target in targets for leaf in target.leaves}
    if others := [name for name in suite.requested if not judged & set(suite.leaves(name))]:
        notes.append(f"{', '.join(others)} runs in full: not judged by the policy")
    return found, notes


def _policies(against: Against, candidate: Run, suite: Suite) -> dict[str, TaskPolicy]:
    known = list(dict.fromkeys([*suite.requested, *suite.groups, *suite.tasks]))
    for name in against.policy.tasks:
        if name not in known:
            hint = nearest(name, known) or f"; --tasks gives {', '.join(suite.requested)}"
            raise UnknownTask(f"{against.policy.source or 'the policy'}: {name} is judged and not run{hint}")
    if against.policy.tasks:
        return dict(against.policy.tasks)
    names = shared_names([against.baseline, candidate])
    if not names:
        raise NotComparable(
            f"--against {against.baseline.run_id}: it has {', '.join(against.baseline.requested) or 'no task'},"
            f" and --tasks asks for {', '.join(suite.requested)}"
        )
    return {name: TaskPolicy() for name in names}


def _target(baseline: Run, suite: Suite, name: str, metric: str | None) -> Target:
    target = resolve(baseline, baseline, name, metric)
    leaves = [
        leaf for leaf in suite.leaves(name) if leaf in target.leaves or target.metric in suite.tasks[leaf].metrics
    ]
    if odd := sorted(set(leaves) ^ set(target.leaves)):
        raise NotComparable(
            f"{name} is made of other tasks in {baseline.run_id}: {', '.join(odd[:5])} stand only in one"
        )
    without = [leaf for leaf in leaves if target.metric not in suite.tasks[leaf].metrics]
    if without:
        known = suite.tasks[without[0]].metrics
        raise UsageError(
            f"{name}: {target.metric} does not come from running {without[0]}"
            f"{nearest(target.metric, known) or '; it has ' + ', '.join(known)}"
        )
    return target


def _check_apart(targets: Sequence[Target]) -> None:
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
    """What to do where the baseline measured something else."""
    seeds = baseline.manifest.get("seeds")
    was, now = seeds.get("fewshot") if isinstance(seeds, Mapping) else None, config.seed.fewshot
    if was is not None and was != now:
        order = f"{config.seed.random},{config.seed.numpy},{config.seed.torch},{was}"
        return (
            f"Its few-shot examples were drawn with seed {was}, these with {now}: type --seed {order} for another order"
        )
    return (
        "With --against, both must be asked alike: give this run the baseline's flags, or run the baseline with these"
    )


def _seed(config: RunConfig, target: Target) -> tuple[int, int]:
    """One order for each target."""
    return config.seed.random, crc32(target.name.encode())


def _lines(target: Target, documents: Documents, baseline: Lines) -> Lines:
    """The documents to come, as rows without a value; several where the baseline's documents got several verdicts."""
    parts: dict[tuple[str, str], list[str]] = {}
    for task, doc_hash in dict.fromkeys(zip(baseline.task, baseline.doc_hash, strict=True)):
        whole, numbered, _ = doc_hash.rpartition("#")
        parts.setdefault((task, whole if numbered else doc_hash), []).append(doc_hash)
    asked, hashes = [], []
    for document in (document for leaf in target.leaves for document in documents[leaf][1]):
        for doc_hash in parts.get((document.task, document.doc_hash), [document.doc_hash]):
            asked.append(document)
            hashes.append(doc_hash)
    several = [own != document.doc_hash for own, document in zip(hashes, asked, strict=True)]
    return Lines(
        task=[document.task for document in asked],
        doc_id=[document.doc_id for document in asked],
        doc_hash=hashes,
        prompt_hash=[document.prompt_hash for document in asked],
        stratum=[document.stratum for document in asked],
        cluster=[d.cluster or (d.doc_hash if part else None) for d, part in zip(asked, several, strict=True)],
        value=np.full(len(asked), np.nan),
        flags=np.full(len(asked), FLAGS["missing"]),
    )


def _as_run(suite: Suite, manifest: Mapping[str, Any], *, limited: bool) -> Run:
    """The candidate as far as it is known before it runs: its settings, and the names that it will have figures of."""

    def entry(headline: str | None, members: Sequence[str] = ()) -> dict[str, Any]:
        return {"metrics": {headline: {}} if headline else {}, "headline": headline, "members": list(members)}

    return Run(
        Path("this run"),
        {"run_id": "this run", **manifest},
        {
            "status": "limited" if limited else "complete",
            "requested": list(suite.requested),
            "tasks": {name: entry(task.headline) for name, task in suite.tasks.items()},
            "groups": {name: entry(group.headline, group.members) for name, group in suite.groups.items()},
        },
    )
