"""Compares two files of answers to the same prompts: a detector's rate, and the texts themselves."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from evalkit.checks.repetition import repetition
from evalkit.detectors.answers import AnswerFile
from evalkit.detectors.detector import Detection, Detector, RatedAnswer
from evalkit.errors import JudgeError, UsageError
from evalkit.stats import Bounds, Design, bounded_difference, clustered_mean

__all__ = ["AnswerPairs", "Change", "Changes", "LogProbability", "changes_of", "pair_answers"]

_FEW = "too few pairs for an interval"
_HUGE = "too large for a number"

LogProbability = Callable[[Sequence[RatedAnswer]], "Sequence[tuple[float, int] | None]"]
"""For each answer its log-probability behind its prompt, and of how many tokens; None: not known."""


@dataclass(frozen=True, slots=True)
class Change:
    """A mean over paired answers before and after, and the mean of their differences."""

    n: int
    before: float
    after: float
    difference: float
    ci95: tuple[float, float] | None
    reason: str | None = None
    """Why there is no interval."""


@dataclass(frozen=True, slots=True)
class Changes:
    """The comparison of two files of answers, paired by prompt."""

    pairs: int
    """Answers that both files have, each with a verdict."""
    unpaired: int
    """Answers that stand in one file alone, or have no verdict in one of them."""
    raw: Change
    """The detector's own rate."""
    repetition: Change | None
    """The share of runs of four words that stood in the answer before; None: no pair has answers of four words."""
    perplexity: Change | None = None
    """Under one model, as geometric means over answers; `difference` is their ratio. None: not asked for."""
    model: str | None = None
    """The model of the perplexity."""
    perplexity_reason: str | None = None
    """Why there is no perplexity, where one was asked for."""


@dataclass(frozen=True, slots=True)
class AnswerPairs:
    """Two files of answers, paired by id."""

    before: AnswerFile
    after: AnswerFile
    old: tuple[RatedAnswer, ...]
    new: tuple[RatedAnswer, ...]


def changes_of(
    paired: AnswerPairs,
    detections: Sequence[Detection],
    detector: Detector,
    min_coverage: float,
    log_probability: LogProbability | None = None,
) -> Changes:
    """`detections`: of all answers after the change. Prompts with several answers are clusters."""
    before, after = paired.before, paired.after
    verdict_of = {answer.id: detection for answer, detection in zip(after.answers, detections, strict=True)}
    compared = zip(detector.detect(paired.old), (verdict_of[answer.id] for answer in paired.new), strict=True)
    kept, verdicts = [], []
    for place, (was, now) in enumerate(compared):
        if was.found is not None and now.found is not None:
            kept.append(place)
            verdicts.append((float(was.found), float(now.found)))
    most = max(len(before.answers), len(after.answers))
    if not kept or len(kept) < min_coverage * most:
        raise JudgeError(
            f"{len(kept)} of {most} answers have a pair with a verdict on both sides, and {min_coverage:.0%} are wanted"
            f" (--min-coverage): {before.path}, {after.path}"
        )
    old, new = [paired.old[place] for place in kept], [paired.new[place] for place in kept]
    prompts = [answer.prompt or answer.id for answer in new]
    raw = _bounded(verdicts, prompts)
    assert raw is not None
    repeats = [(repetition(was.output or ""), repetition(now.output or "")) for was, now in zip(old, new, strict=True)]
    changes = Changes(
        len(kept), len(before.answers) + len(after.answers) - 2 * len(kept), raw, _bounded(repeats, prompts)
    )
    if log_probability is None:
        return changes
    surprise = list(zip(_surprise(log_probability(old)), _surprise(log_probability(new)), strict=True))
    logs = _unbounded(surprise, prompts)
    if logs is None:
        return replace(changes, perplexity_reason="no pair has answers that it could score")
    perplexity = _exponential(logs)
    return replace(changes, perplexity=perplexity, perplexity_reason=_HUGE if perplexity is None else None)


def pair_answers(before: AnswerFile, after: AnswerFile) -> AnswerPairs:
    """Pair answers by id. UsageError where no id is shared, or one has another prompt."""
    known = {answer.id: answer for answer in before.answers}
    new = [answer for answer in after.answers if answer.id in known]
    if not new:
        raise UsageError(f"--before {before.path}: no id of {after.path} stands in it")
    for answer in new:
        old = known[answer.id]
        if old.prompt != answer.prompt:
            raise UsageError(
                f"--before {before.path}: {answer.id} was another prompt there ({old.prompt!r:.60}) than in"
                f" {after.path} ({answer.prompt!r:.60})"
            )
    return AnswerPairs(before, after, tuple(known[answer.id] for answer in new), tuple(new))


_Pair = tuple["float | None", "float | None"]


def _bounded(pairs: Sequence[_Pair], prompts: Sequence[str]) -> Change | None:
    """Of values between 0 and 1: bounds that hold for few pairs and few changes too. None where no pair is known."""
    kept = _known(pairs, prompts)
    if not kept:
        return None
    design = Design(len(kept), clusters=[prompt for *_, prompt in kept])
    bounds: Bounds = bounded_difference([now - was for was, now, _ in kept], design=design)
    return _change(kept, bounds.lower(0.975), bounds.upper(0.975))


def _unbounded(pairs: Sequence[_Pair], prompts: Sequence[str]) -> Change | None:
    """Of values of any size: Student's interval over prompts. None where no pair is known."""
    kept = _known(pairs, prompts)
    if not kept:
        return None
    mean = clustered_mean([now - was for was, now, _ in kept], clusters=[prompt for *_, prompt in kept])
    interval = mean.interval() if mean.df >= 1 else None
    return _change(
        kept, math.nan if interval is None else interval.low, math.nan if interval is None else interval.high
    )


def _known(pairs: Sequence[_Pair], prompts: Sequence[str]) -> list[tuple[float, float, str]]:
    """The pairs in which both values are known, each with its prompt."""
    return [
        (was, now, prompt)
        for (was, now), prompt in zip(pairs, prompts, strict=True)
        if was is not None and now is not None
    ]


def _change(kept: Sequence[tuple[float, float, str]], low: float, high: float) -> Change:
    n = len(kept)
    before, after = sum(was for was, *_ in kept) / n, sum(now for _, now, _ in kept) / n
    bounds = (low, high) if math.isfinite(low) and math.isfinite(high) else None
    return Change(
        n, before, after, sum(now - was for was, now, _ in kept) / n, bounds, None if bounds is not None else _FEW
    )


def _surprise(values: Sequence[tuple[float, int] | None]) -> list[float | None]:
    """Minus the mean log-probability of a token. None: not known, or not finite."""
    return [
        None if value is None or value[1] < 1 or not math.isfinite(value[0]) else -value[0] / value[1]
        for value in values
    ]


def _exponential(logs: Change) -> Change | None:
    """From logarithms to perplexities. None where one of the three is too large for a float."""
    try:
        before, after, ratio = math.exp(logs.before), math.exp(logs.after), math.exp(logs.difference)
    except OverflowError:
        return None
    if logs.ci95 is None:
        return Change(logs.n, before, after, ratio, None, logs.reason)
    try:
        return Change(logs.n, before, after, ratio, (math.exp(logs.ci95[0]), math.exp(logs.ci95[1])))
    except OverflowError:
        return Change(logs.n, before, after, ratio, None, f"a bound of the interval is {_HUGE}")
