"""Rows of two runs, joined by task, document hash, prompt hash and filter; never by position."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evalkit.comparison.lines import FLAGS, Lines
from evalkit.results import Run

__all__ = ["Limits", "Pairs", "Unpaired", "pair"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Unpaired:
    """Documents of one run without a partner in the other, by reason."""

    only_baseline: int = 0
    only_candidate: int = 0
    prompt_differs: int = 0
    outside_limit: int = 0
    """The other run was limited to fewer documents."""
    outside_candidate: int = 0
    """Of these the ones that the candidate was not asked."""
    without_prompt_hash: int = 0
    """Paired all the same, on the document alone."""

    @property
    def total(self) -> int:
        return self.only_baseline + self.only_candidate + self.prompt_differs

    def lines(self) -> list[str]:
        reasons = {
            "only in the baseline": self.only_baseline,
            "only in the candidate": self.only_candidate,
            "asked with another prompt": self.prompt_differs,
            "outside the other run's limit": self.outside_limit,
        }
        lines = [f"{count} documents not paired: {why}" for why, count in reasons.items() if count]
        if self.without_prompt_hash:
            lines.append(f"{self.without_prompt_hash} documents paired without a prompt hash: prompts may differ")
        return lines


@dataclass(frozen=True, slots=True)
class Pairs:
    """One element per document that either run has. NaN: that run has no answer to it."""

    task: list[str]
    stratum: list[str | None]
    cluster: list[str | None]
    baseline: Floats
    candidate: Floats
    baseline_flags: Ints
    candidate_flags: Ints
    baseline_line: Ints
    """Index into the run's lines; −1 where it has none."""
    candidate_line: Ints
    unpaired: Unpaired


@dataclass(frozen=True, slots=True)
class Limits:
    """To how many documents two runs were limited, where that differs."""

    baseline: float | None
    candidate: float | None
    """A number of documents, or below 1 a share of them. None: no limit, or one that is not a number."""
    baseline_limited: bool
    candidate_limited: bool

    @classmethod
    def of(cls, baseline: Run, candidate: Run) -> Limits:
        here, there = (_number(run.record.manifest.limit) for run in (baseline, candidate))
        limited = [run.status == "limited" or run.record.manifest.limit is not None for run in (baseline, candidate)]
        return cls(here, there, baseline_limited=limited[0], candidate_limited=limited[1])

    def inside(self, doc_id: int, size: int, reach: int, *, candidate: bool) -> bool:
        """Whether this run was asked a document of a task that has `size` of them, as far as can be told.

        `reach`: one more than the last document that it has. A run that goes further than its limit says was asked
        the documents before that too, or somebody chose among them.
        """
        limit, limited = (
            (self.candidate, self.candidate_limited) if candidate else (self.baseline, self.baseline_limited)
        )
        if not limited:
            return True
        if limit is None:
            return False  # which documents it was asked is not known: one that is not there may be outside
        return doc_id < max(reach, math.ceil(limit * size) if limit < 1 else limit)


def pair(baseline: Lines, candidate: Lines, *, ignore_prompts: bool = False, limits: Limits | None = None) -> Pairs:
    """Join two runs' lines of one target. A hash that stands several times pairs in document order.

    `limits`: documents that one run has and the other was not asked are no part of the pairs.
    """
    left, right, why = _join(baseline, candidate, ignore_prompts)
    if limits is not None:
        inside = _inside(baseline, candidate, (left, right, why), limits)
        left, right = [left[k] for k in inside], [right[k] for k in inside]
    counts = Counter(why)
    here, there = np.array(left, dtype=np.int64), np.array(right, dtype=np.int64)
    return Pairs(
        task=_labels(baseline.task, candidate.task, left, right),
        stratum=_labels(baseline.stratum, candidate.stratum, left, right),
        cluster=_labels(baseline.cluster, candidate.cluster, left, right),
        baseline=_take(baseline.value, here, np.nan),
        candidate=_take(candidate.value, there, np.nan),
        baseline_flags=_take(baseline.flags, here, FLAGS["missing"]),
        candidate_flags=_take(candidate.flags, there, FLAGS["missing"]),
        baseline_line=here,
        candidate_line=there,
        unpaired=Unpaired(
            only_baseline=counts["only_baseline"],
            only_candidate=counts["only_candidate"],
            prompt_differs=counts["prompt"],
            outside_limit=counts["outside_baseline"] + counts["outside_candidate"],
            outside_candidate=counts["outside_candidate"],
            without_prompt_hash=counts["no_hash"],
        ),
    )


def _join(a: Lines, b: Lines, ignore_prompts: bool) -> tuple[list[int], list[int], list[str]]:
    """For each document its line in either run, −1 where there is none, and what is to be said of the pair."""
    waiting: dict[tuple[str, str], list[int]] = {}
    for j, key in enumerate(zip(b.task, b.doc_hash, strict=True)):
        waiting.setdefault(key, []).append(j)
    left: list[int] = []
    right: list[int] = []
    why: list[str] = []
    for i, key in enumerate(zip(a.task, a.doc_hash, strict=True)):
        others = waiting.get(key)
        partner = _partner(a, i, b, others, ignore_prompts) if others else None
        left.append(i)
        if others is None or not others:
            right.append(-1)
            why.append("only_baseline")
        elif partner is None:
            # The same document under another prompt: its answer there says nothing about this one.
            others.pop(0)
            right.append(-1)
            why.append("prompt")
        else:
            others.remove(partner)
            right.append(partner)
            unknown = a.prompt_hash[i] is None or b.prompt_hash[partner] is None
            why.append("no_hash" if unknown and not ignore_prompts else "")
    for others in waiting.values():
        for j in others:
            left.append(-1)
            right.append(j)
            why.append("only_candidate")
    return left, right, why


def _inside(a: Lines, b: Lines, joined: tuple[list[int], list[int], list[str]], limits: Limits) -> list[int]:
    """The places of those documents that both runs were asked; what is to be said of the others is put down."""
    reaches = {"baseline": _reaches(a), "candidate": _reaches(b)}
    left, right, why = joined
    kept = []
    for k, reason in enumerate(why):
        lines, line, run = (a, left[k], "candidate") if reason == "only_baseline" else (b, right[k], "baseline")
        if reason in ("only_baseline", "only_candidate"):
            reach = {name: ends.get(lines.task[line], 0) for name, ends in reaches.items()}
            size = max(reach.values())
            if not limits.inside(lines.doc_id[line], size, reach[run], candidate=run == "candidate"):
                why[k] = f"outside_{run}"
                continue
        kept.append(k)
    return kept


def _reaches(lines: Lines) -> dict[str, int]:
    """By task, one more than the number of its last document."""
    ends: dict[str, int] = {}
    for task, doc_id in zip(lines.task, lines.doc_id, strict=True):
        ends[task] = max(ends.get(task, 0), doc_id + 1)
    return ends


def _number(limit: Any) -> float | None:
    return float(limit) if isinstance(limit, int | float) and not isinstance(limit, bool) else None


def _partner(a: Lines, i: int, b: Lines, others: Sequence[int], ignore_prompts: bool) -> int | None:
    prompt = a.prompt_hash[i]
    if ignore_prompts:
        fits = list(others)
    else:
        fits = [j for j in others if b.prompt_hash[j] == prompt and prompt is not None]
        fits = fits or [j for j in others if prompt is None or b.prompt_hash[j] is None]
    if len(fits) > 1:
        return next((j for j in fits if b.doc_id[j] == a.doc_id[i]), fits[0])
    return fits[0] if fits else None


def _labels(here: list[Any], there: list[Any], left: list[int], right: list[int]) -> list[Any]:
    """What either run says of a document: another tool's run knows no strata and few clusters."""
    return [
        here[i] if i >= 0 and (j < 0 or here[i] is not None) else there[j] for i, j in zip(left, right, strict=True)
    ]


def _take(values: Any, index: Ints, default: float) -> Any:
    out = np.full(index.size, default, dtype=values.dtype)
    known = index >= 0
    out[known] = values[index[known]]
    return out
