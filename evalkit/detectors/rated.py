"""Computes rates from a detector's verdicts: of all answers, of groups, and over several answers to a prompt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evalkit.detectors.answers import AnswerFile, Label
from evalkit.detectors.change import Changes
from evalkit.detectors.detector import Detection, DetectorInfo
from evalkit.detectors.labelling import match_labels
from evalkit.detectors.rates import CorrectedRate, Rate, corrected_rate, raw_rate
from evalkit.errors import JudgeError
from evalkit.stats import clustered_mean, holm, wilson

__all__ = ["GroupRate", "PromptRates", "Rated", "rate_answers"]

_FEWEST_PROMPTS = 2


@dataclass(frozen=True, slots=True)
class GroupRate:
    """The raw rate of one group, and whether it differs from the rest's."""

    name: str
    n: int
    raw: Rate
    p_holm: float | None
    """Fisher's exact test against all other answers, with Holm's correction; None where there is no other."""


@dataclass(frozen=True, slots=True)
class PromptRates:
    """Rates over prompts with several answers each: prompts are independent, answers to one prompt are not."""

    prompts: int
    expected_maximum: Rate
    """The mean over prompts of the highest score among their answers."""
    at_least_one: Rate
    """The share of prompts with an answer in which it was found."""


@dataclass(frozen=True, slots=True)
class Rated:
    detector: DetectorInfo
    n: int
    """Answers with a verdict."""
    missing: int
    """Answers without one; they are no part of any rate."""
    raw: Rate
    corrected: CorrectedRate | None
    reason: str | None
    """Why there is no corrected rate, or what is not known of it."""
    groups: tuple[GroupRate, ...] = ()
    by_prompt: PromptRates | None = None
    notes: tuple[str, ...] = ()
    changes: Changes | None = None
    """Against the answers before a change."""


def rate_answers(
    file: AnswerFile,
    info: DetectorInfo,
    detections: Sequence[Detection],
    labels: Sequence[Label] | None,
    labels_from: str,
    min_coverage: float,
    *,
    groups: bool,
) -> Rated:
    """`detections`: of the file's answers, in order. `labels` were checked to be of them."""
    with_verdict = [place for place, detection in enumerate(detections) if detection.found is not None]
    _check_coverage(info, detections, len(with_verdict), min_coverage)
    verdicts = [bool(detections[place].found) for place in with_verdict]
    prompts = [file.answers[place].prompt for place in with_verdict]
    corrected: CorrectedRate | None = None
    reason: str | None = "no labels: --labels FILE of a few dozen labelled answers corrects the rate"
    notes: list[str] = []
    if labels is not None:
        corrected = corrected_rate(match_labels(file, detections, labels, labels_from))
        reason = _unknown(corrected)
        if not any(label.output is not None or label.model is not None for label in labels):
            notes.append("the labels do not say whose answers were labelled: that they are of these cannot be checked")
    return Rated(
        info,
        len(with_verdict),
        len(detections) - len(with_verdict),
        raw_rate(verdicts, prompts),
        corrected,
        reason,
        _groups([file.groups[place] for place in with_verdict], verdicts) if groups else (),
        _by_prompt([detections[place] for place in with_verdict], prompts),
        tuple(notes),
    )


def _check_coverage(info: DetectorInfo, detections: Sequence[Detection], with_verdict: int, wanted: float) -> None:
    share = with_verdict / len(detections)
    if with_verdict and share >= wanted:
        return
    reasons = [detection.reason for detection in detections if detection.found is None and detection.reason]
    most = max(set(reasons), key=reasons.count) if reasons else "no reason given"
    raise JudgeError(
        f"detector {info.name} gave a verdict on {share:.1%} of {len(detections)} answers, and {wanted:.0%} are wanted"
        f" (--min-coverage); most often missing because: {most}"
    )


def _unknown(corrected: CorrectedRate) -> str | None:
    if corrected.sensitivity is None:
        return "no labelled answer has it, so the sensitivity is not known"
    if corrected.specificity is None:
        return "every labelled answer has it, so the specificity is not known"
    return None


def _groups(names: Sequence[str | None], verdicts: Sequence[bool]) -> tuple[GroupRate, ...]:
    """Each group against all others."""
    from scipy.stats import fisher_exact

    counted: dict[str, list[bool]] = {}
    for name, verdict in zip(names, verdicts, strict=True):
        counted.setdefault(str(name), []).append(verdict)
    total, n = sum(verdicts), len(verdicts)
    raw = {name: raw_rate(mine, [""] * len(mine)) for name, mine in counted.items()}
    if len(counted) < 2:
        return tuple(GroupRate(name, len(mine), raw[name], None) for name, mine in counted.items())
    tables = [
        [[sum(mine), len(mine) - sum(mine)], [total - sum(mine), n - len(mine) - total + sum(mine)]]
        for mine in counted.values()
    ]
    corrected = holm([float(fisher_exact(np.array(table))[1]) for table in tables])
    return tuple(
        GroupRate(name, len(mine), raw[name], float(p))
        for (name, mine), p in zip(counted.items(), corrected, strict=True)
    )


def _by_prompt(detections: Sequence[Detection], prompts: Sequence[str]) -> PromptRates | None:
    """The rates over prompts; None unless prompts have several answers each."""
    by_prompt: dict[str, list[Detection]] = {}
    for detection, prompt in zip(detections, prompts, strict=True):
        by_prompt.setdefault(prompt, []).append(detection)
    if not _FEWEST_PROMPTS <= len(by_prompt) < len(prompts):
        return None
    highest = [max(_score(detection) for detection in mine) for mine in by_prompt.values()]
    any_found = sum(any(detection.found for detection in mine) for mine in by_prompt.values())
    share = wilson(any_found, len(by_prompt))
    # Where all prompts are alike there is no spread, and a mean of 0 and 1 is a share.
    plain = set(highest) <= {0.0, 1.0} or len(set(highest)) == 1
    mean = wilson(sum(highest), len(highest)) if plain else clustered_mean(highest).interval()
    bounds = max(0.0, mean.low), min(1.0, mean.high)
    return PromptRates(
        len(by_prompt),
        Rate(sum(highest) / len(highest), bounds),
        Rate(any_found / len(by_prompt), (share.low, share.high)),
    )


def _score(detection: Detection) -> float:
    return float(bool(detection.found)) if detection.score is None else detection.score
