"""How much single answers to one document differ, where a run has several of each."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from evalkit.comparison import Target, read_lines
from evalkit.errors import EvalkitError
from evalkit.metrics import answers_averaged
from evalkit.results import Run

__all__ = ["NO_NOISE", "AnswerNoise", "answer_noise", "answer_variance"]


@dataclass(frozen=True, slots=True)
class AnswerNoise:
    """The noise of single answers in the difference of two runs."""

    variance: float | None = None
    """Of one document's difference if each run had one answer to it. None: a run has only one, so it is not known."""
    answers: float = 1.0
    """To how many answers per document the averages of the two runs are worth."""
    no_more_documents: bool = False
    """The runs hold every document of the task."""


NO_NOISE = AnswerNoise()


def answer_noise(baseline: Run, candidate: Run, target: Target) -> AnswerNoise:
    """Unknown noise unless both runs have several answers to each document."""
    here, there = answer_variance(baseline, target), answer_variance(candidate, target.of_candidate)
    if here is None or there is None:
        return NO_NOISE
    single = here[0] + there[0]
    averaged = here[0] / here[1] + there[0] / there[1]
    worth = single / averaged if averaged > 0 else float(min(here[1], there[1]))
    return AnswerNoise(single, worth)


def answer_variance(run: Run, target: Target) -> tuple[float, int] | None:
    """The mean variance of the answers to one document, and how many answers there are; None for one answer each."""
    count, (_, comma, filter_name) = answers_averaged(target.metric), target.metric.partition(",")
    if count is None or not comma:
        return None
    try:
        lines = read_lines(run, replace(target, metric=f"var@{count},{filter_name}"))
    except EvalkitError:
        return None
    known = lines.value[np.isfinite(lines.value)]
    return (float(known.mean()), count) if known.size else None
