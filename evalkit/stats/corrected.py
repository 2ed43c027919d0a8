"""How often something is so, where a detector saw all answers and people saw some of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["corrected_interval", "rogan_gladen"]

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
    flagged, n = int(f.sum() + np.sum(rest)), y.size + len(rest)
    rare = min(int(y.sum()), int((~y).sum()))
    shift = _MOST_SHIFT * min(1.0, _RARE / max(rare, 1)) ** 2
    random = np.random.default_rng(_SEED)
    share = random.beta(flagged + 0.5, n - flagged + 0.5, _DRAWS)

    def drawn(prior: float) -> NDArray[np.float64]:
        among, without = (
            random.beta(np.sum(y & chosen) + prior, np.sum(~y & chosen) + 1 - prior, _DRAWS) for chosen in (f, ~f)
        )
        return np.asarray(share * among + (1 - share) * without, float)

    tail = (1 - level) / 2
    return float(np.quantile(drawn(0.5 - shift), tail)), float(np.quantile(drawn(0.5 + shift), 1 - tail))


def rogan_gladen(apparent: float, sensitivity: float | None, specificity: float | None) -> float | None:
    """Rogan & Gladen (1978), Am. J. Epidemiol. 107:71: (apparent + specificity − 1) / (sensitivity + specificity − 1).

    Kept between 0 and 1. None where the detector tells nothing, or too little is known of it.
    """
    if sensitivity is None or specificity is None or sensitivity + specificity <= 1:
        return None
    return min(max((apparent + specificity - 1) / (sensitivity + specificity - 1), 0.0), 1.0)
