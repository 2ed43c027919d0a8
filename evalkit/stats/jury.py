"""Weights of several judges, learnt from people's labels in such a way that the labels may correct the result as well.

Cross-prediction-powered inference (Zrnic & Candès 2024, PNAS 121(15), arXiv:2309.16598): the labelled documents are
split into folds, and the judges of a fold's answers are weighted by what the labels of the other folds say. An answer
without a label gets the mean of all folds' weights. So no score rests on the label of its own document, and estimates
that are corrected with the same labels (`evalkit.stats.powered`) stay unbiased.

The weights are those of non-negative least squares on scores less their means (Breiman 1996, "Stacked regressions",
Machine Learning 24:49), drawn towards equal ones as far as labels are too few to tell (a normal prior around them).
They sum to 1, so that a jury's scores stay on the judges' scale.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

__all__ = ["FEWEST_LABELLED", "JuryWeights", "jury_weights"]

Floats = NDArray[np.float64]

FEWEST_LABELLED = 20
"""Labelled documents without which all judges weigh the same."""
_FOLDS = 5
_SPREAD = 0.3
"""How far weights are thought to lie from equal ones, before any label is seen (a standard deviation)."""


@dataclass(frozen=True, slots=True)
class JuryWeights:
    """One weight for each judge; of a labelled document, those that the labels of other documents say."""

    mean: Floats
    """The weights for answers to documents without a label."""
    by_fold: Floats
    fold: Mapping[Hashable, int]
    """Of each labelled document."""
    reason: str | None = None
    """Why all judges weigh the same; None where they do not."""

    def of(self, document: Hashable) -> Floats:
        fold = self.fold.get(document)
        return self.mean if fold is None else np.asarray(self.by_fold[fold])


def jury_weights(
    scores: Floats, people: Floats, documents: Sequence[Hashable], strata: Sequence[Hashable], seed: int = 0
) -> JuryWeights:
    """`scores[i, j]`: of labelled answer i by judge j. `strata`: a run's answers to a task, whose mean is taken off."""
    judges = scores.shape[1]
    named = sorted(set(documents), key=repr)
    if len(named) < FEWEST_LABELLED:
        few = f"labelled documents that all judges scored: {len(named)}; {FEWEST_LABELLED} at least are needed"
        return JuryWeights(np.full(judges, 1 / judges), np.empty((0, judges)), {}, few)
    order = np.random.default_rng(seed).permutation(len(named))
    fold = {named[document]: place % _FOLDS for place, document in enumerate(order)}
    places = np.array([fold[document] for document in documents])
    stratum = np.unique([repr(one) for one in strata], return_inverse=True)[1]
    per_document = len(documents) / len(named)
    by_fold = [
        _fit(scores[kept], people[kept], stratum[kept], per_document) for k in range(_FOLDS) for kept in (places != k,)
    ]
    learnt = np.array([np.full(judges, 1 / judges) if one is None else one for one in by_fold])
    sizes = np.bincount(list(fold.values()), minlength=_FOLDS) / len(named)
    reason = "people's labels do not tell the judges apart" if all(one is None for one in by_fold) else None
    return JuryWeights(sizes @ learnt, learnt, fold, reason)


def _fit(scores: Floats, people: Floats, stratum: NDArray[np.intp], per_document: float) -> Floats | None:
    """Weights that sum to 1; None where equal ones explain people's labels as well.

    As well: what the weights explain beyond equal ones is less than two variances for each weight (Akaike's criterion),
    where all answers to one document count as one.
    """
    f, y = _centred(scores, stratum), _centred(people[:, None], stratum)[:, 0]
    judges = f.shape[1]
    alike = f.mean(axis=1)
    norm = float(alike @ alike)
    equal = y - (max(float(alike @ y) / norm, 0.0) if norm else 0.0) * alike
    noise = nnls(f, y)[1] ** 2 / max(len(y) - judges, 1) * per_document
    pull = np.sqrt(noise) / _SPREAD * (np.eye(judges) - 1 / judges)
    weights, _ = nnls(np.vstack([f, pull]), np.concatenate([y, np.zeros(judges)]))
    left = y - f @ weights
    if not weights.sum() or float(equal @ equal) - float(left @ left) <= 2 * (judges - 1) * noise:
        return None
    return np.asarray(weights / weights.sum())


def _centred(values: Floats, stratum: NDArray[np.intp]) -> Floats:
    counts = np.bincount(stratum)
    means = np.stack([np.bincount(stratum, column) / counts for column in values.T], axis=1)
    return np.asarray(values - means[stratum])
