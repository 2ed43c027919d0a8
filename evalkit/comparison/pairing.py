"""Rows of two runs, joined by task, document hash, prompt hash and filter; never by position."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evalkit.comparison.lines import FLAGS, Lines

__all__ = ["Pairs", "Unpaired", "pair"]

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
    without_prompt_hash: int = 0
    """Paired all the same, on the document alone."""

    @property
    def total(self) -> int:
        return self.only_baseline + self.only_candidate + self.prompt_differs

    def lines(self) -> list[str]:
        said = {
            "only in the baseline": self.only_baseline,
            "only in the candidate": self.only_candidate,
            "asked with another prompt": self.prompt_differs,
            "outside the other run's limit": self.outside_limit,
        }
        found = [f"{count} documents not paired: {why}" for why, count in said.items() if count]
        if self.without_prompt_hash:
            found.append(f"{self.without_prompt_hash} documents paired without a prompt hash: prompts may differ")
        return found


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


def pair(baseline: Lines, candidate: Lines, *, ignore_prompts: bool = False, limits_differ: bool = False) -> Pairs:
    """Join two runs' lines of one target. A hash that stands several times pairs in document order."""
    left, right, counts = _join(baseline, candidate, ignore_prompts)
    if limits_differ:
        inside = [k for k, (i, j) in enumerate(zip(left, right, strict=True)) if i >= 0 and j >= 0]
        counts["outside"] = counts.pop("only_baseline", 0) + counts.pop("only_candidate", 0)
        left, right = [left[k] for k in inside], [right[k] for k in inside]
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
            only_baseline=counts.get("only_baseline", 0),
            only_candidate=counts.get("only_candidate", 0),
            prompt_differs=counts.get("prompt", 0),
            outside_limit=counts.get("outside", 0),
            without_prompt_hash=counts.get("no_hash", 0),
        ),
    )


def _join(a: Lines, b: Lines, ignore_prompts: bool) -> tuple[list[int], list[int], dict[str, int]]:
    waiting: dict[tuple[str, str], list[int]] = {}
    for j, key in enumerate(zip(b.task, b.doc_hash, strict=True)):
        waiting.setdefault(key, []).append(j)
    left: list[int] = []
    right: list[int] = []
    counts: dict[str, int] = {}
    for i, key in enumerate(zip(a.task, a.doc_hash, strict=True)):
        others = waiting.get(key)
        partner = _partner(a, i, b, others, ignore_prompts) if others else None
        left.append(i)
        if others is None or not others:
            right.append(-1)
            _count(counts, "only_baseline")
        elif partner is None:
            # The same document under another prompt: its answer there says nothing about this one.
            others.pop(0)
            right.append(-1)
            _count(counts, "prompt")
        else:
            others.remove(partner)
            right.append(partner)
            if not ignore_prompts and (a.prompt_hash[i] is None or b.prompt_hash[partner] is None):
                _count(counts, "no_hash")
    for others in waiting.values():
        for j in others:
            left.append(-1)
            right.append(j)
            _count(counts, "only_candidate")
    return left, right, counts


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


def _count(counts: dict[str, int], why: str) -> None:
    counts[why] = counts.get(why, 0) + 1


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
