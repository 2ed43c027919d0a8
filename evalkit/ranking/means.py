"""Computes means over benchmarks, and ranks by the mean."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from evalkit.ranking.records import Benchmark, Line, Score, listed
from evalkit.ranking.scores import Z95
from evalkit.stats import chance_normalised_mean, pairwise_better, plain_mean, rank_intervals

__all__ = ["mean_of", "normalised_mean_of", "ranked", "shared_benchmarks"]


def shared_benchmarks(lines: Sequence[Line], benchmarks: Sequence[Benchmark]) -> tuple[tuple[str, ...], list[str]]:
    """The benchmarks whose figures can be averaged, and notes on why the others can't."""
    shared: list[str] = []
    apart: dict[str, list[str]] = {}
    for benchmark in benchmarks:
        values = [line.scores[benchmark.name].value for line in lines]
        figures = [value for value in values if value is not None]
        if benchmark.judged:
            reason = "a judge's opinion"
        elif len(figures) < len(values):
            reason = f"{len(values) - len(figures)} of {len(values)} lines have no figure"
        elif benchmark.higher_is_better is None:
            reason = f"neither more nor less {benchmark.metric} is better"
        elif not benchmark.higher_is_better or not all(0 <= value <= 1 for value in figures):
            reason = f"{benchmark.metric} is no share of 1"
        else:
            shared.append(benchmark.name)
            continue
        apart.setdefault(reason, []).append(benchmark.name)
    return tuple(shared), [f"not in the mean: {listed(names)} ({reason})" for reason, names in apart.items()]


def mean_of(line: Line, shared: Sequence[str]) -> Score:
    """The mean of a line over the shared benchmarks."""
    if not shared:
        return Score(None, reason="no benchmark is shared by all lines")
    scores = [line.scores[name] for name in shared]
    value, stderr = plain_mean([_value(score) for score in scores], [_stderr(score) for score in scores])
    return _with_interval(value, stderr, scores, [0.0] * len(scores))


def normalised_mean_of(line: Line, names: Sequence[str], chances: Mapping[str, float | None]) -> Score:
    """The mean of (figure − chance)/(1 − chance)."""
    if not names:
        return Score(None, reason="no shared benchmark whose chance level is known")
    scores = [line.scores[name] for name in names]
    levels = [chances[name] or 0.0 for name in names]
    value, stderr = chance_normalised_mean(
        [_value(score) for score in scores], [_stderr(score) for score in scores], levels
    )
    return _with_interval(value, stderr, scores, levels)


def ranked(lines: Sequence[Line]) -> list[Line]:
    """The lines with their ranks, best first. If two intervals of ranks overlap, the data can't order the two lines."""
    ordered = sorted(lines, key=lambda line: -math.inf if line.mean.value is None else line.mean.value, reverse=True)
    if any(line.mean.value is None for line in ordered):
        return sorted(ordered, key=lambda line: line.name)
    values = [line.mean.value for line in ordered]
    stderrs = [math.nan if line.mean.stderr is None else line.mean.stderr for line in ordered]
    ranks = rank_intervals(pairwise_better([value for value in values if value is not None], stderrs))
    return [replace(line, rank=rank) for line, rank in zip(ordered, ranks, strict=True)]


def _value(score: Score) -> float:
    return math.nan if score.value is None else score.value


def _stderr(score: Score) -> float:
    """The standard error. If all answers are right or all wrong, the formula gives 0: then the interval is used."""
    if not score.stderr and score.ci95 is not None and score.value is not None:
        return max(score.ci95[1] - score.value, score.value - score.ci95[0]) / Z95
    return math.nan if score.stderr is None else score.stderr


def _with_interval(value: float, stderr: float, scores: Sequence[Score], chances: Sequence[float]) -> Score:
    """The mean with an interval computed from the benchmarks' intervals; for one benchmark, it is that interval.

    Zou & Donner (2008), Statistics in Medicine 27:1693: the squared distances from each value to its limits add up as
    variances do. The result stays within the scale, since each benchmark's interval does.
    """
    if not math.isfinite(stderr):
        return Score(value)
    below = above = 0.0
    for score, chance in zip(scores, chances, strict=True):
        if score.ci95 is None or score.value is None:
            return Score(value, stderr)
        # Only shares are averaged; limits beyond [0, 1] come from runs of other programs.
        low, high = max(0.0, min(score.ci95[0], score.value)), min(1.0, max(score.ci95[1], score.value))
        below += ((score.value - low) / (1 - chance)) ** 2
        above += ((high - score.value) / (1 - chance)) ** 2
    count = len(scores)
    return Score(value, stderr, (value - math.sqrt(below) / count, value + math.sqrt(above) / count))
