"""Self-debiasing (Schick, Udupa & Schütze 2021, TACL 9:1408): the rule, and what was asked for.

For each token w: Δ = p(w|x) − max over prefixes p(w|prefix, x). Where Δ is below 0 its probability is scaled by
max(exp(λΔ), ε); then all are normalised.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from evalkit.errors import UsageError
from evalkit.types import Sampling

__all__ = ["OPTION", "Debias", "debias_of", "debiased_logprobs"]

OPTION = "self_debias"
"""The generation option that asks for it: a mapping of prefixes, decay and epsilon."""


@dataclass(frozen=True, slots=True)
class Debias:
    prefixes: tuple[str, ...]
    """What stands before the prompt in each copy."""
    decay: float
    """λ"""
    epsilon: float


def debias_of(sampling: Sampling) -> Debias | None:
    """What a request asks for; None where it asks for nothing, or λ is 0, which is plain generation."""
    asked = dict(sampling.extra).get(OPTION)
    if asked is None:
        return None
    settings: Mapping[str, Any] = dict(asked)
    try:
        prefixes = tuple(str(prefix) for prefix in settings["prefixes"])
        decay, epsilon = float(settings["decay"]), float(settings["epsilon"])
    except (KeyError, TypeError, ValueError):
        raise UsageError(
            f"{OPTION}={asked!r}: prefixes, decay and epsilon are wanted, as --self-debias gives"
        ) from None
    if not (math.isfinite(decay) and decay >= 0 and 0 <= epsilon <= 1):
        raise UsageError(
            f"{OPTION}: a decay of 0 or more and an epsilon from 0 to 1 are wanted, not {decay}, {epsilon}"
        )
    return Debias(prefixes, decay, epsilon) if decay and prefixes else None


def debiased_logprobs(
    regular: torch.Tensor, biased: torch.Tensor | Sequence[torch.Tensor], decay: float, epsilon: float
) -> torch.Tensor:
    """Log-probabilities of the debiased distribution, in double precision.

    `regular`: logits [vocabulary] of the plain prompt. `biased`: logits [prefixes, vocabulary] under each prefix.
    """
    plain = regular.double().log_softmax(-1)
    others = torch.stack(list(biased)) if not isinstance(biased, torch.Tensor) else biased
    highest = others.double().softmax(-1).amax(-2)
    difference = (plain.exp() - highest).clamp(max=0.0)
    # In log space, where a scale near 0 is a number and not 0. The floor is −inf for ε = 0.
    floor = math.log(epsilon) if epsilon > 0 else -math.inf
    return (plain + (decay * difference).clamp(min=floor)).log_softmax(-1)
