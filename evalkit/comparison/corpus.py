"""What the pairs of one target say of a figure of all documents together: the same record as for a mean."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from evalkit.comparison.lines import Lines
from evalkit.comparison.measure import Measured, Member
from evalkit.comparison.pairing import Pairs
from evalkit.comparison.targets import Target
from evalkit.errors import NotComparable
from evalkit.stats import (
    Contributions,
    CorpusDifference,
    CorpusDistance,
    CorpusKind,
    corpus_difference,
    corpus_distance,
    corpus_value,
)

__all__ = ["contributions", "measure_corpus", "parts_at"]

Floats = NDArray[np.float64]
Chosen = NDArray[np.bool_]


def measure_corpus(target: Target, pairs: Pairs, lines: tuple[Lines, Lines]) -> Measured:
    """As `measure`, from what each document adds to the figure."""
    kind = _kind(target, lines)
    here, there = parts_at(lines[0], pairs.baseline_line), parts_at(lines[1], pairs.candidate_line)
    has = _answered(here), _answered(there)
    both, neither = has[0] & has[1], ~has[0] & ~has[1]
    point = _difference(target, pairs, kind, here, there, both)
    if (both | neither).all():
        worst = best = point
    elif not (kind.labelled or target.best_at is not None):
        worst = best = None  # how much an answer that is not there would add has no bound
    else:
        some = ~neither
        worst, best = (
            _difference(target, pairs, kind, *_limits(target, kind, (here, there), has, both, right), some)
            for right in (False, True)
        )
    sign = target.sign
    if target.best_at is not None:  # towards 0 is better, from whichever side the baseline lies on
        sign = -1 if _value(target, pairs, kind, here, both) >= 0 else 1
    change = sign * (kind.each(there[both]) - kind.each(here[both]))
    return Measured(
        target=target,
        pairs=pairs,
        ends=kind.scale,
        n=int(both.sum()),
        baseline=_value(target, pairs, kind, here, both),
        candidate=_value(target, pairs, kind, there, both),
        whole_baseline=_value(target, pairs, kind, here, has[0]),
        whole_candidate=_value(target, pairs, kind, there, has[1]),
        lost=int(np.sum(change < 0)),
        gained=int(np.sum(change > 0)),
        point=point,
        worst=worst,
        best=best,
        missing_baseline=int(np.sum(~has[0] & ~neither)),
        missing_candidate=int(np.sum(~has[1] & ~neither)),
        missing_both=int(neither.sum()),
        members=_members(target, pairs, kind, (here, there), both, change),
    )


def _kind(target: Target, lines: tuple[Lines, Lines]) -> CorpusKind:
    here, there = (side.corpus for side in lines)
    if here is None or there is None or here.kind is not there.kind:
        raise NotComparable(
            f"{target.name}: {target.metric} is a figure of all documents together, and one of the two runs does not"
            " keep what each document adds to it: run it again, or type evalkit score RUN"
        )
    return here.kind


def parts_at(lines: Lines, index: NDArray[np.int64]) -> Floats:
    """The numbers of these lines of a run; NaN where the index is −1."""
    assert lines.corpus is not None
    held = np.full((index.size, lines.corpus.kind.width), np.nan)
    known = index >= 0
    held[known] = lines.corpus.parts[index[known]]
    return held


def _answered(parts: Floats) -> Chosen:
    return np.asarray(np.isfinite(parts).all(axis=1))


def _limits(
    target: Target, kind: CorpusKind, runs: tuple[Floats, Floats], has: tuple[Chosen, Chosen], both: Chosen, right: bool
) -> tuple[Floats, Floats]:
    """Both runs' numbers where an answer that is not there is as good as can be for the candidate, or as bad."""
    if target.best_at is None:
        return _filled(*runs, has, candidate_right=right)
    filled = []
    for run, known, further in zip(runs, has, (right, not right), strict=True):
        value = corpus_value(kind.name, run[both]) if both.any() else 0.0
        end = math.copysign(1.0, value) * (1.0 if further else -1.0)
        filled.append(np.where(known[:, None], run, np.array([end, 1.0])))
    return filled[0], filled[1]


def _filled(here: Floats, there: Floats, has: tuple[Chosen, Chosen], *, candidate_right: bool) -> tuple[Floats, Floats]:
    """Gold and prediction with gaps filled: a missing answer counts as right for one run, as wrong for the other."""
    filled = []
    sides = ((here, there, has[0], not candidate_right), (there, here, has[1], candidate_right))
    for mine, other, known, right in sides:
        gold = np.where(known, mine[:, 0], other[:, 0])
        labels = np.unique(gold[np.isfinite(gold)])
        wrong = _another(gold, labels)
        filled.append(np.stack([gold, np.where(known, mine[:, 1], gold if right else wrong)], axis=1))
    return filled[0], filled[1]


def _another(gold: Floats, labels: Floats) -> Floats:
    """For each label the next one: with two classes the only wrong answer there is."""
    if labels.size < 2:
        return gold + 1
    return labels[(np.searchsorted(labels, np.nan_to_num(gold, nan=labels[0])) + 1) % labels.size]


def _by_leaf(target: Target, pairs: Pairs, chosen: Chosen) -> list[tuple[str, Chosen, float]]:
    """Each task with its documents and its share of the figure."""
    names = np.array(pairs.task, dtype=object)
    leaves = [(leaf, chosen & (names == leaf)) for leaf in target.leaves]
    leaves = [(leaf, mine) for leaf, mine in leaves if mine.any()]
    return [(leaf, mine, float(mine.sum()) if target.by_size else 1.0) for leaf, mine in leaves]


def contributions(
    target: Target, pairs: Pairs, kind: CorpusKind, parts: Sequence[Floats], chosen: Chosen
) -> list[Contributions]:
    """What the chosen documents add to the figure in each run, for each member of the target."""
    tasks = []
    for _, mine, share in _by_leaf(target, pairs, chosen):
        kept = np.flatnonzero(mine)
        clusters, strata = (
            np.array([labels[i] for i in kept], dtype=object) for labels in (pairs.cluster, pairs.stratum)
        )
        tasks.append(Contributions(kind.name, tuple(run[mine] for run in parts), clusters, strata, share))
    return tasks


def _difference(
    target: Target, pairs: Pairs, kind: CorpusKind, here: Floats, there: Floats, chosen: Chosen
) -> CorpusDistance | CorpusDifference | None:
    tasks = contributions(target, pairs, kind, (here, there), chosen)
    if target.best_at is not None:
        difference: CorpusDistance | CorpusDifference | None = corpus_distance(tasks) if tasks else None
    else:
        difference = corpus_difference(tasks, target.sign) if tasks else None
    return difference if difference is not None and math.isfinite(difference.delta) else None


def _value(target: Target, pairs: Pairs, kind: CorpusKind, parts: Floats, chosen: Chosen) -> float:
    leaves = _by_leaf(target, pairs, chosen)
    if not leaves:
        return math.nan
    values = [corpus_value(kind.name, parts[mine]) for _, mine, _ in leaves]
    return float(np.average(values, weights=[share for _, _, share in leaves]))


def _members(
    target: Target, pairs: Pairs, kind: CorpusKind, parts: Sequence[Floats], both: Chosen, change: Floats
) -> tuple[Member, ...]:
    if len(target.leaves) == 1:
        return ()
    moved = np.zeros(both.size)
    moved[both] = change
    members = []
    for leaf, mine, _ in _by_leaf(target, pairs, both):
        here, there = (corpus_value(kind.name, run[mine]) for run in parts)
        lost, gained = int(np.sum(moved[mine] < 0)), int(np.sum(moved[mine] > 0))
        members.append(Member(leaf, int(mine.sum()), here, there, lost, gained))
    return tuple(members)
