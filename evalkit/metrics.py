"""What evalkit knows about a metric by its name: the one place for it.

A run states most of this itself (`higher_is_better`, `scale`, `headline` in results.json). The table answers where a
run, or another tool's file, does not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["FACTS", "MetricFacts", "answers_averaged", "base_name", "facts", "headline_order", "may_be_share"]


@dataclass(frozen=True, slots=True)
class MetricFacts:
    """The facts of one metric. The defaults are those of a metric that nobody described."""

    headline: int | None = None
    """Its place among the metrics that a task is known by, lowest first; None: it is not one of them."""
    lower_is_better: bool = False
    counts_right_answers: bool = False
    """Whether it is the share of documents answered rightly."""
    unit: bool = False
    """Whether it lies between 0 and 1 in every task."""
    unbounded: bool = False
    """Whether it has no highest value."""
    may_go_to_100: bool = False
    """Whether some tasks give it from 0 to 1 and others from 0 to 100."""
    mean_of_documents: bool = False
    """Whether lm-eval averages it over documents in a task that does not say how."""
    short_bootstrap: bool = False
    """Whether lm-eval draws at most 100 times for its standard error."""


_RIGHT = {"counts_right_answers": True}
_USUAL = {"unit": True, "mean_of_documents": True}

FACTS: dict[str, MetricFacts] = {
    "acc_norm": MetricFacts(headline=1, **_RIGHT, **_USUAL),
    "acc": MetricFacts(headline=2, **_RIGHT, **_USUAL),
    "exact_match": MetricFacts(headline=3, **_RIGHT, **_USUAL),
    "pass@1": MetricFacts(headline=4, **_RIGHT, **_USUAL),
    "prompt_level_strict_acc": MetricFacts(headline=5, unit=True, **_RIGHT),
    "f1": MetricFacts(headline=6, **_USUAL),
    "em": MetricFacts(headline=7, **_RIGHT, **_USUAL),
    "mc1": MetricFacts(unit=True),
    "mc2": MetricFacts(unit=True),
    # inspect_ai's scorers and evalkit's own questions
    "accuracy": MetricFacts(**_RIGHT),
    "mean": MetricFacts(**_RIGHT),
    "numeric_match": MetricFacts(**_RIGHT),
    "contains": MetricFacts(**_RIGHT),
    "regex_match": MetricFacts(**_RIGHT),
    # texts against references
    "bleu": MetricFacts(may_go_to_100=True, short_bootstrap=True),
    "sacrebleu": MetricFacts(may_go_to_100=True),
    "chrf": MetricFacts(may_go_to_100=True, short_bootstrap=True),
    "chrf++": MetricFacts(may_go_to_100=True, short_bootstrap=True),
    "rouge": MetricFacts(may_go_to_100=True),
    "ter": MetricFacts(lower_is_better=True, may_go_to_100=True, short_bootstrap=True),
    "wer": MetricFacts(lower_is_better=True),
    "cer": MetricFacts(lower_is_better=True),
    # likelihoods
    "perplexity": MetricFacts(lower_is_better=True, unbounded=True),
    "ppl": MetricFacts(lower_is_better=True, unbounded=True),
    "word_perplexity": MetricFacts(lower_is_better=True, unbounded=True),
    "byte_perplexity": MetricFacts(lower_is_better=True, unbounded=True),
    "bits_per_byte": MetricFacts(lower_is_better=True, unbounded=True),
    "loglikelihood": MetricFacts(unbounded=True),
    "nll": MetricFacts(lower_is_better=True, unbounded=True),
    "brier_score": MetricFacts(lower_is_better=True),
}
"""By the metric's name without its filter. A new metric that needs a fact gets it here, and nowhere else."""

_UNKNOWN = MetricFacts()
_AVERAGE = re.compile(r"avg@(\d+)")
_UNIT = MetricFacts(unit=True)


def base_name(metric: str) -> str:
    """The metric's name without its filter: `acc` of `acc,none`."""
    return metric.partition(",")[0]


def facts(metric: str) -> MetricFacts:
    """What is known about a metric, named with its filter or without. Families share their facts: pass@k, *_acc."""
    name = base_name(metric)
    if name in FACTS:
        return FACTS[name]
    at_k = name.removeprefix("pass@")
    if name.endswith("_acc") or name.startswith("checks_") or (at_k != name and at_k.isdecimal()):
        return _UNIT
    return _UNKNOWN


def answers_averaged(metric: str) -> int | None:
    """K of `avg@K`, the mean over K answers to each document; None for any other metric."""
    average = _AVERAGE.fullmatch(base_name(metric))
    return int(average[1]) if average else None


def headline_order() -> tuple[str, ...]:
    """The metrics that a task is known by, the first choice first."""
    places = {name: facts.headline for name, facts in FACTS.items() if facts.headline is not None}
    return tuple(sorted(places, key=places.__getitem__))


def may_be_share(metric: str) -> bool:
    """Whether a metric whose values are all 0 can be taken for a share of documents.

    Scores of overlap (rouge2_max, bleu_diff) go to 1 or to 100, by the task; `bleu_acc` counts documents.
    """
    name = base_name(metric).lower()
    overlap = tuple(family for family, facts in FACTS.items() if facts.may_go_to_100)
    return name.endswith("_acc") or not name.startswith(overlap)
