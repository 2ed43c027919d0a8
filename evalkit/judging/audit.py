"""Measures the biases of a judge on its recorded judgments: order, length, constant outputs, its own family."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from evalkit.judging.agreement import pearson, spearman
from evalkit.judging.pairwise import Comparison, length_dependence, win_rate
from evalkit.judging.records import Judged
from evalkit.judging.reports import (
    AuditReport,
    Consistency,
    ConstantOutput,
    DimensionAudit,
    LengthEffect,
    PositionEffect,
    Repeatability,
    SystemAudit,
)
from evalkit.stats import clustered_mean

__all__ = [
    "audit_comparisons",
    "audit_scores",
    "constant_outputs",
    "family",
    "position_effect",
    "repeatability",
    "self_preference",
]

_CONSTANT_SHARE = 0.5
"""If more than this share of prompts get the same output, or outputs of one length, the output is constant."""
_ENOUGH = 10

_FAMILIES: Mapping[str, tuple[str, ...]] = {
    "gpt": ("gpt", "chatgpt", "openai", "davinci", "o1", "o3", "o4"),
    "claude": ("claude", "anthropic"),
    "gemini": ("gemini", "gemma", "palm", "bard"),
    "llama": ("llama", "alpaca", "vicuna", "tulu", "guanaco", "wizardlm"),
    "mistral": ("mistral", "mixtral", "zephyr", "openhermes", "ministral", "magistral"),
    "qwen": ("qwen", "qwq"),
    "deepseek": ("deepseek",),
    "exaone": ("exaone",),
    "solar": ("solar",),
    "hyperclova": ("hyperclova",),
    "falcon": ("falcon",),
    "phi": ("phi",),
    "command": ("command", "cohere", "aya"),
    "yi": ("yi",),
}


def audit_comparisons(comparisons: Sequence[Comparison], judge: str | None = None) -> AuditReport:
    """Audit comparisons, for each system in the order of the file and over all."""
    systems: dict[str, list[Comparison]] = defaultdict(list)
    for comparison in comparisons:
        systems[comparison.system].append(comparison)
    warnings: list[str] = []
    audits: dict[str, SystemAudit] = {}
    for system, own in systems.items():
        rate = win_rate(own)
        audit: SystemAudit = {
            "win_rate": _known(rate.value),
            "stderr": rate.stderr,
            "ci95": list(rate.ci95) if rate.ci95 else None,
            "n": rate.n,
            "missing": rate.missing,
            "discrete_win_rate": _known(rate.discrete),
            "wins": rate.wins,
            "losses": rate.losses,
            "draws": rate.draws,
            "position": position_effect(own),
            "length": length_dependence(own),
            "constant": constant_outputs({c.item: (c.answer, c.length) for c in own}),
            "consistency": _consistency(own),
            "preferences": [c.preference for c in own],
        }
        audits[system] = audit
        warnings += _warnings(system, audit)
        if judge and (shared := self_preference(judge, [system])):
            warnings.append(shared)
    effect = position_effect(comparisons)
    if effect["detected"]:
        warnings.append(
            f"position: shown first an answer wins {effect['first']:.1%}, shown second {effect['second']:.1%}"
            f" (difference {effect['difference']:+.1%}, p = {effect['p']:.2g}); judge both orders"
        )
    return {"systems": audits, "position": effect, "warnings": warnings}


def position_effect(comparisons: Sequence[Comparison]) -> PositionEffect:
    """The win rate of answers shown second minus that of answers shown first.

    If both orders of an item were judged, they are paired. Otherwise the order was random, and the standard error is
    Welch's (1947, Biometrika 34:28).
    """
    usable = [c for c in comparisons if c.preference is not None and c.system_first is not None and not c.same]
    first = [float(c.preference or 0.0) for c in usable if c.system_first]
    second = [float(c.preference or 0.0) for c in usable if not c.system_first]
    if len(first) < 2 or len(second) < 2:
        return {"n": len(usable), "detected": None, "reason": "the order is not known, or always the same"}
    paired = _both_orders(usable)
    if len(paired) > 1:
        differences = [b - a for a, b in paired.values()]
        mean = clustered_mean(differences, clusters=np.array([item for _, item in paired], object))
        difference, stderr = mean.value, mean.stderr
        sides = [a for a, _ in paired.values()], [b for _, b in paired.values()]
    else:
        sides = first, second
        difference = _mean(second) - _mean(first)
        stderr = math.hypot(_stderr(first), _stderr(second))
    p = math.erfc(abs(difference) / stderr / math.sqrt(2)) if stderr > 0 else (0.0 if difference else 1.0)
    half = 1.959963984540054 * stderr
    return {
        "n": len(usable),
        "first": _mean(sides[0]),
        "second": _mean(sides[1]),
        "difference": difference,
        "ci95": [difference - half, difference + half],
        "p": p,
        "paired": len(paired) > 1,
        "detected": p < 0.05,
    }


def _both_orders(known: Sequence[Comparison]) -> dict[tuple[str, str], tuple[float, float]]:
    seen: dict[tuple[str, str], dict[bool, float]] = defaultdict(dict)
    for c in known:
        if c.preference is not None and c.system_first is not None:
            seen[c.system, c.item][c.system_first] = c.preference
    return {key: (orders[True], orders[False]) for key, orders in seen.items() if len(orders) == 2}


def _consistency(comparisons: Sequence[Comparison]) -> Consistency:
    """How often both orders name the same winner."""
    paired = _both_orders([c for c in comparisons if not c.same])
    if not paired:
        return {"n": 0, "value": None, "reason": "no item was judged in both orders"}
    same = sum((a > 0.5) == (b > 0.5) and (a < 0.5) == (b < 0.5) for a, b in paired.values())
    return {"n": len(paired), "value": same / len(paired)}


def constant_outputs(answers: Mapping[str, tuple[str | None, int | None]]) -> ConstantOutput:
    """Whether many prompts got one answer: an attack on the judge, or a broken model. Without texts, by length."""
    texts = Counter(text.strip() for text, _ in answers.values() if text is not None)
    lengths = Counter(length for _, length in answers.values() if length is not None)
    counted, by = (texts, "text") if texts else (lengths, "length")
    total = counted.total()
    if total < _ENOUGH:
        return {"n": total, "flagged": None, "reason": "too few outputs to tell"}
    (value, times) = counted.most_common(1)[0]
    return {
        "n": total,
        "by": by,
        "count": times,
        "share": times / total,
        "length": value if isinstance(value, int) else len(value),
        "flagged": times / total > _CONSTANT_SHARE,
    }


def audit_scores(judged: Sequence[Judged], judge: str | None = None) -> AuditReport:
    """Audit pointwise judgments: length, repeatability of samples, constant outputs, the judge's own family."""
    audits: dict[str, DimensionAudit] = {}
    warnings: list[str] = []
    by_dimension: dict[str, list[Judged]] = defaultdict(list)
    for judgment in judged:
        by_dimension[judgment.dimension].append(judgment)
    for dimension, rows in by_dimension.items():
        scored = [row for row in rows if row.score is not None]
        length = _length_correlation(scored)
        audits[dimension] = {
            "n": len(rows),
            "coverage": len(scored) / len(rows),
            "missing": dict(Counter(row.reason or "no score" for row in rows if row.score is None).most_common()),
            "length": length,
            "repeatability": repeatability([row.parsed for row in rows]),
            "constant_score": len({row.score for row in scored}) == 1 if len(scored) > 1 else None,
        }
        if length["spearman"] is not None and abs(length["spearman"]) > 0.5:
            warnings.append(f"{dimension}: the score goes with the answer's length (Spearman {length['spearman']:.2f})")
        if audits[dimension]["constant_score"]:
            warnings.append(f"{dimension}: every item got the same score")
    systems: dict[str, dict[str, tuple[str | None, int | None]]] = defaultdict(dict)
    for judgment in judged:
        text, size = judgment.row.get("answer"), judgment.row.get("length")
        answer = text if isinstance(text, str) else None, size if isinstance(size, int) else None
        if answer != (None, None):
            systems[judgment.system or ""][judgment.group or judgment.item] = answer
    constant = {system: constant_outputs(answers) for system, answers in systems.items()}
    warnings += [_constant_warning(name, output) for name, output in constant.items() if output["flagged"]]
    if judge and (shared := self_preference(judge, sorted({row.system for row in judged if row.system}))):
        warnings.append(shared)
    return {"dimensions": audits, "constant": constant, "warnings": warnings}


def repeatability(samples: Sequence[Sequence[float]]) -> Repeatability:
    """How far replies to one question spread: the standard deviation inside an item, and how often all agree."""
    several = [list(values) for values in samples if len(values) > 1]
    if not several:
        return {"n": 0, "sd": None, "agree": None, "reason": "one reply an item"}
    variances = [_variance(values) for values in several]
    return {
        "n": len(several),
        "sd": math.sqrt(_mean(variances)),
        "agree": sum(len(set(values)) == 1 for values in several) / len(several),
    }


def family(model: str) -> str | None:
    """The model family that a name belongs to; None if the name does not show it."""
    name = model.casefold()
    parts = set("".join(c if c.isalpha() else " " for c in name).split())
    for line, names in _FAMILIES.items():
        if any(known in parts or (len(known) > 3 and known in name) for known in names):
            return line
    return None


def self_preference(judge: str, systems: Sequence[str]) -> str | None:
    """A warning if a judged system is of the judge's own family."""
    own = family(judge)
    relatives = [system for system in systems if own is not None and family(system) == own]
    if not relatives:
        return None
    return (
        f"self-preference: {judge} judges {', '.join(relatives[:3])} of its own family ({own}); add a judge of another"
    )


def _warnings(system: str, audit: SystemAudit) -> list[str]:
    warnings = []
    if audit["constant"]["flagged"]:
        warnings.append(_constant_warning(system, audit["constant"]))
    correlation = audit["length"]["spearman"]
    if correlation is not None and abs(correlation) > 0.3:
        warnings.append(f"{system}: the preference goes with length (Spearman {correlation:.2f})")
    return warnings


def _constant_warning(system: str, output: ConstantOutput) -> str:
    what = "the same text" if output["by"] == "text" else f"outputs of one length ({output['length']} characters)"
    return f"constant output: {system} gives {what} for {output['count']} of {output['n']} prompts"


def _length_correlation(scored: Sequence[Judged]) -> LengthEffect:
    pairs = [(row.score, row.row["length"]) for row in scored if isinstance(row.row.get("length"), int)]
    if len(pairs) < 3:
        return {"n": len(pairs), "pearson": None, "spearman": None, "reason": "lengths are not known"}
    scores, lengths = zip(*pairs, strict=True)
    return {"n": len(pairs), "pearson": _known(pearson(lengths, scores)), "spearman": _known(spearman(lengths, scores))}


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _variance(values: Sequence[float]) -> float:
    middle = _mean(values)
    return math.fsum((v - middle) ** 2 for v in values) / (len(values) - 1)


def _stderr(values: Sequence[float]) -> float:
    return math.sqrt(_variance(values) / len(values))


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None
