"""Figures of all documents together, as functions of sums: what each document adds, and the figure from the sums.

macro_f1, f1, mcc      from gold and prediction, as numbers (Matthews 1975, BBA 405:442)
bleu, chrf, ter        from the counts that sacrebleu keeps of a segment (Papineni et al. 2002; Popović 2015)
perplexity …           from log-likelihoods and the words or bytes that they are of
ratio, ratio_difference  a mean over the documents that it is about, and one such mean less another
ratio_signed           such a mean of values from −1 to 1
bbq_amb, bbq_disamb    bias scores of BBQ (Parrish et al. 2022), as lm-eval has them

A figure that is a function of sums can be had from any resample of the documents by one product of matrices.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["KINDS", "CorpusKind"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class CorpusKind:
    name: str
    width: int
    """How many numbers a document gives."""
    summands: Callable[[Floats, Floats], Floats]
    """From the documents' numbers, one row each, and all labels that occur: what is added up, one row a document."""
    value: Callable[[Floats], Floats]
    """From the sums, which stand along the last axis: the figure. NaN where it has none."""
    scale: tuple[float, float] | None
    """Its lowest and highest value; None where it has none."""
    each: Callable[[Floats], Floats]
    """Each document by itself, so that what changed can be counted: 1 is right where there is right and wrong."""
    labelled: bool = False
    """Whether a document's numbers are gold and prediction."""

    def labels(self, *parts: Floats) -> Floats:
        """The labels of all these documents; nothing where their numbers are none."""
        return np.unique(np.concatenate([part.ravel() for part in parts])) if self.labelled else np.empty(0)


def _plain(parts: Floats, _: Floats) -> Floats:
    return parts


def _divided(above: Floats, below: Floats, otherwise: float = math.nan) -> Floats:
    known = np.broadcast_to(below != 0, np.broadcast_shapes(np.shape(above), np.shape(below)))
    return np.asarray(np.divide(above, below, out=np.full(known.shape, otherwise), where=known))


# ── gold and prediction ──────────────────────────────────────────────────────


def _by_class(parts: Floats, labels: Floats) -> Floats:
    """For each class whether it was hit, whether it is gold, and whether it was predicted."""
    gold, predicted = (parts[:, column, None] == labels[None, :] for column in (0, 1))
    return np.asarray(np.concatenate([gold & predicted, gold, predicted], axis=1), dtype=float)


def _of_one(parts: Floats, _: Floats) -> Floats:
    return _by_class(parts, np.array([1.0]))


def _thirds(sums: Floats) -> tuple[Floats, Floats, Floats]:
    classes = sums.shape[-1] // 3
    return sums[..., :classes], sums[..., classes : 2 * classes], sums[..., 2 * classes :]


def _macro_f1(sums: Floats) -> Floats:
    """The mean over the classes that are gold or predicted somewhere."""
    hits, gold, predicted = _thirds(sums)
    present = gold + predicted > 0
    return _divided((_divided(2 * hits, gold + predicted, 0.0)).sum(axis=-1), present.sum(axis=-1).astype(float))


def _f1(sums: Floats) -> Floats:
    hits, gold, predicted = _thirds(sums)
    return np.asarray(_divided(2 * hits, gold + predicted, 0.0)[..., 0])


def _mcc(sums: Floats) -> Floats:
    hits, gold, predicted = _thirds(sums)
    n, correct = gold.sum(axis=-1), hits.sum(axis=-1)
    covariance = correct * n - (gold * predicted).sum(axis=-1)
    spread = (n**2 - (predicted**2).sum(axis=-1)) * (n**2 - (gold**2).sum(axis=-1))
    return _divided(covariance, np.sqrt(np.maximum(spread, 0.0)), 0.0)


def _agree(parts: Floats) -> Floats:
    return np.asarray(parts[:, 0] == parts[:, 1], dtype=float)


# ── translations ─────────────────────────────────────────────────────────────


def _bleu(sums: Floats) -> Floats:
    """Lengths of answer and reference, then matched and all n-grams of four orders; smoothed as sacrebleu does."""
    length, wanted, hits, total = sums[..., 0], sums[..., 1], sums[..., 2:6], sums[..., 6:10]
    smooth = 2.0 ** np.cumsum((hits == 0) & (total > 0), axis=-1)
    precision = np.where(hits > 0, _divided(hits, total, 0.0), _divided(np.ones_like(hits), smooth * total, 0.0))
    there = (total > 0).all(axis=-1) & (hits > 0).any(axis=-1)
    with np.errstate(divide="ignore", over="ignore"):
        mean = np.exp(np.log(np.where(precision > 0, precision, 1.0)).mean(axis=-1))
        brief = np.exp(np.minimum(1 - _divided(wanted, length, math.inf), 0.0))
    return np.asarray(np.where(there, 100.0 * brief * mean, 0.0))


def _chrf(sums: Floats) -> Floats:
    """For each order, of characters or words: n-grams of the answer, of the reference, and of both; beta is 2."""
    hypothesis, wanted, both = sums[..., 0::3], sums[..., 1::3], sums[..., 2::3]
    counts = (hypothesis > 0) & (wanted > 0)
    orders = counts.sum(axis=-1).astype(float)
    shares = [np.where(counts, _divided(both, whole, 0.0), 0.0) for whole in (hypothesis, wanted)]
    precision, recall = (_divided(share.sum(axis=-1), orders, 0.0) for share in shares)
    return _divided(100 * 5 * precision * recall, 4 * precision + recall, 0.0)


def _ter(sums: Floats) -> Floats:
    edits, wanted = sums[..., 0], sums[..., 1]
    return np.asarray(np.where(wanted > 0, _divided(100 * edits, wanted, 0.0), np.where(edits > 0, 100.0, 0.0)))


# ── likelihoods, shares, stereotypes ─────────────────────────────────────────


def _perplexity(sums: Floats) -> Floats:
    with np.errstate(over="ignore"):
        return np.asarray(np.exp(-_divided(sums[..., 0], sums[..., 1])))


def _bits(sums: Floats) -> Floats:
    return -_divided(sums[..., 0], sums[..., 1]) / math.log(2)


def _ratio(sums: Floats) -> Floats:
    return _divided(sums[..., 0], sums[..., 1])


def _ratio_difference(sums: Floats) -> Floats:
    return _divided(sums[..., 0], sums[..., 1]) - _divided(sums[..., 2], sums[..., 3])


def _bbq_disamb(sums: Floats) -> Floats:
    """Biased answers, answers other than unknown, right ones, and documents that count; 0 where none is biased."""
    biased, known, documents = sums[..., 0], sums[..., 1], sums[..., 3]
    score = np.where(biased == 0, 0.0, 2.0 * _divided(biased, known, 0.0) - 1.0)
    return np.asarray(np.where(documents > 0, score, math.nan))


def _bbq_amb(sums: Floats) -> Floats:
    return np.asarray((1 - _divided(sums[..., 2], sums[..., 3])) * _bbq_disamb(sums))


def _first(parts: Floats) -> Floats:
    return parts[:, 0]


def _shares(parts: Floats) -> Floats:
    return _divided(parts[:, 0], parts[:, 1], 0.0)


def _sides(parts: Floats) -> Floats:
    return parts[:, 0] - parts[:, 2]


def _matched(hits: Sequence[int], whole: Sequence[int]) -> Callable[[Floats], Floats]:
    return lambda parts: _divided(parts[:, hits].sum(axis=1), parts[:, whole].sum(axis=1), 0.0)


_BOTH, _HYPOTHESIS = list(range(2, 18, 3)), list(range(0, 18, 3))

KINDS: Mapping[str, CorpusKind] = {
    kind.name: kind
    for kind in (
        CorpusKind("macro_f1", 2, _by_class, _macro_f1, (0.0, 1.0), _agree, labelled=True),
        CorpusKind("f1", 2, _of_one, _f1, (0.0, 1.0), _agree, labelled=True),
        CorpusKind("mcc", 2, _by_class, _mcc, (-1.0, 1.0), _agree, labelled=True),
        CorpusKind("bleu", 10, _plain, _bleu, (0.0, 100.0), _matched([2, 3, 4, 5], [6, 7, 8, 9])),
        CorpusKind("chrf", 18, _plain, _chrf, (0.0, 100.0), _matched(_BOTH, _HYPOTHESIS)),
        CorpusKind("chrf++", 24, _plain, _chrf, (0.0, 100.0), _matched(list(range(2, 24, 3)), list(range(0, 24, 3)))),
        CorpusKind("ter", 2, _plain, _ter, None, _matched([0], [1])),
        CorpusKind("perplexity", 2, _plain, _perplexity, None, _matched([0], [1])),
        CorpusKind("bits", 2, _plain, _bits, None, _matched([0], [1])),
        CorpusKind("ratio", 2, _plain, _ratio, None, _shares),
        CorpusKind("ratio_signed", 2, _plain, _ratio, (-1.0, 1.0), _shares),
        CorpusKind("ratio_difference", 4, _plain, _ratio_difference, (-1.0, 1.0), _sides),
        CorpusKind("bbq_disamb", 4, _plain, _bbq_disamb, (-1.0, 1.0), _first),
        CorpusKind("bbq_amb", 4, _plain, _bbq_amb, (-1.0, 1.0), _first),
    )
}
