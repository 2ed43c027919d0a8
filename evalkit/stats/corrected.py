"""How often something is so, where a detector saw all answers and people saw some of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["corrected_interval", "intervals_of_counts", "rogan_gladen"]

_DRAWS = 20_000
_SEED = 20230
_MOST_SHIFT, _RARE = 0.25, 6


def corrected_interval(
    people: Sequence[bool], detector: Sequence[bool], rest: Sequence[bool], level: float = 0.95
) -> tuple[float, float]:
    """The interval of a rate: θ = q · P(y|f) + (1 − q) · P(y|not f), q the detector's own rate over all answers.

    The chain-rule estimate of Hofer et al. (2024), "Bayesian Prediction-Powered Inference", arXiv:2405.06034: the three
    shares have beta posteriors, and the interval lies between quantiles of θ. It holds for few labels, where the normal
    interval of `powered_mean` is too short. The priors are Jeffreys' (½, ½). Where few labels are of the rarer kind,
    they are moved towards those whose quantiles are Clopper & Pearson's, (0, 1) for the lower end and (1, 0) for the
    upper one. `people` and `detector` are of the labelled answers, `rest` is the detector's word on all others.
    """
    y, f = np.asarray(people, bool), np.asarray(detector, bool)
    flagged, answers = int(f.sum() + np.sum(rest)), y.size + len(rest)
    counts = np.array([np.sum(y & f), np.sum(~y & f), np.sum(y & ~f), np.sum(~y & ~f), flagged], float)
    low, high = intervals_of_counts(counts, answers, np.random.default_rng(_SEED), level=level)
    return float(low), float(high)


def intervals_of_counts(
    counts: NDArray[np.float64],
    answers: int,
    random: np.random.Generator,
    *,
    level: float = 0.95,
    draws: int = _DRAWS,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The ends of one interval or of many at once.

    `counts` along its first axis: labelled answers that people and the detector find, the detector alone, people alone,
    nobody; and how many of all answers the detector finds.
    """
    both, detector_alone, people_alone, nobody, flagged = counts[..., None]
    rare = np.minimum(both + people_alone, detector_alone + nobody)
    shift = _MOST_SHIFT * np.minimum(1.0, _RARE / np.maximum(rare, 1)) ** 2
    size = (*counts.shape[1:], draws)
    share = random.beta(flagged + 0.5, answers - flagged + 0.5, size)

    def drawn(prior: NDArray[np.float64]) -> NDArray[np.float64]:
        among = random.beta(both + prior, detector_alone + 1 - prior, size)
        without = random.beta(people_alone + prior, nobody + 1 - prior, size)
        return np.asarray(share * among + (1 - share) * without, float)

    tail = (1 - level) / 2
    low = np.quantile(drawn(0.5 - shift), tail, axis=-1)
    return np.asarray(low), np.asarray(np.quantile(drawn(0.5 + shift), 1 - tail, axis=-1))


def rogan_gladen(apparent: float, sensitivity: float | None, specificity: float | None) -> float | None:
    """Rogan & Gladen (1978), Am. J. Epidemiol. 107:71: (apparent + specificity − 1) / (sensitivity + specificity − 1).

    Kept between 0 and 1. None where the detector tells nothing, or too little is known of it.
    """
    if sensitivity is None or specificity is None or sensitivity + specificity <= 1:
        return None
    return min(max((apparent + specificity - 1) / (sensitivity + specificity - 1), 0.0), 1.0)
