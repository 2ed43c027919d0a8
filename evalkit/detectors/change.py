"""How the rate of a detector changed between two files of answers to the same prompts, and how the texts did."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from evalkit.checks.repetition import repetition
from evalkit.detectors.answers import AnswerFile
from evalkit.detectors.detector import Detector, RatedAnswer
from evalkit.errors import JudgeError, UsageError
from evalkit.stats import Bounds, Design, bounded_difference, clustered_mean

__all__ = ["Change", "Changes", "LogProbability", "changes_of"]

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
    """None: too few pairs."""


@dataclass(frozen=True, slots=True)
class Changes:
    """Two files of answers held against each other, each answer with the other one to its prompt."""

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


def changes_of(
    before: AnswerFile,
    after: AnswerFile,
    detector: Detector,
    min_coverage: float,
    log_probability: LogProbability | None = None,
) -> Changes:
    """Pair answers by id. Prompts with several answers are clusters."""
    old, new = _paired(before, after)
    found = zip(detector.detect(old), detector.detect(new), strict=True)
    kept, verdicts = [], []
    for place, (was, now) in enumerate(found):
        if was.found is not None and now.found is not None:
            kept.append(place)
            verdicts.append((float(was.found), float(now.found)))
    most = max(len(before.answers), len(after.answers))
    if not kept or len(kept) < min_coverage * most:
        raise JudgeError(
            f"{len(kept)} of {most} answers have a pair with a verdict on both sides, and {min_coverage:.0%} are wanted"
            f" (--min-coverage): {before.path}, {after.path}"
        )
    old, new = [old[place] for place in kept], [new[place] for place in kept]
    prompts = [answer.prompt or answer.id for answer in new]
    raw = _share(verdicts, prompts)
    repeats = [(repetition(was.output or ""), repetition(now.output or "")) for was, now in zip(old, new, strict=True)]
    changes = Changes(len(kept), len(before.answers) + len(after.answers) - 2 * len(kept), raw, _mean(repeats, prompts))
    if log_probability is None:
        return changes
    surprise = list(zip(_surprise(log_probability(old)), _surprise(log_probability(new)), strict=True))
    logs = _mean(surprise, prompts)
    return replace(changes, perplexity=None if logs is None else _exponential(logs))


def _paired(before: AnswerFile, after: AnswerFile) -> tuple[list[RatedAnswer], list[RatedAnswer]]:
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
    return [known[answer.id] for answer in new], new


def _share(pairs: Sequence[tuple[float, float]], prompts: Sequence[str]) -> Change:
    """Of verdicts: bounds that hold for few pairs and few changes too."""
    differences = [now - was for was, now in pairs]
    bounds: Bounds = bounded_difference(differences, design=Design(len(pairs), clusters=prompts))
    low, high = bounds.lower(0.975), bounds.upper(0.975)
    n = len(pairs)
    return Change(
        n,
        sum(was for was, _ in pairs) / n,
        sum(now for _, now in pairs) / n,
        sum(differences) / n,
        (low, high) if math.isfinite(low) and math.isfinite(high) else None,
    )


def _mean(pairs: Sequence[tuple[float | None, float | None]], prompts: Sequence[str]) -> Change | None:
    """Of the pairs in which both are known."""
    kept = [
        (was, now, prompt)
        for (was, now), prompt in zip(pairs, prompts, strict=True)
        if was is not None and now is not None
    ]
    if not kept:
        return None
    n, difference = len(kept), [now - was for was, now, _ in kept]
    mean = clustered_mean(difference, clusters=[prompt for *_, prompt in kept])
    interval = mean.interval() if mean.df >= 1 else None
    bounds = None if interval is None else (interval.low, interval.high)
    return Change(n, sum(was for was, *_ in kept) / n, sum(now for _, now, _ in kept) / n, sum(difference) / n, bounds)


def _surprise(values: Sequence[tuple[float, int] | None]) -> list[float | None]:
    """Minus the mean log-probability of a token."""
    return [None if value is None or value[1] < 1 else -value[0] / value[1] for value in values]


def _exponential(logs: Change) -> Change:
    bounds = None if logs.ci95 is None else (math.exp(logs.ci95[0]), math.exp(logs.ci95[1]))
    return Change(logs.n, math.exp(logs.before), math.exp(logs.after), math.exp(logs.difference), bounds)
