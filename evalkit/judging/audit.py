"""What is wrong with a judge, measured on what it has judged: order, length, constancy, its own family."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from evalkit.judging.agreement import pearson, spearman
from evalkit.judging.pairwise import Comparison, length_dependence, win_rate
from evalkit.judging.records import Judged
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
"""An output, or its exact length, that answers more than this share of different prompts answers none of them."""
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


def audit_comparisons(comparisons: Sequence[Comparison], judge: str | None = None) -> dict[str, Any]:
    """Per system, in the order of the file, and over all of them."""
    systems: dict[str, list[Comparison]] = defaultdict(list)
    for comparison in comparisons:
        systems[comparison.system].append(comparison)
    warnings: list[str] = []
    report: dict[str, Any] = {"systems": {}}
    for system, own in systems.items():
        rate = win_rate(own)
        entry = {
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
        report["systems"][system] = entry
        warnings += _warnings(system, entry)
        if judge and (shared := self_preference(judge, [system])):
            warnings.append(shared)
    report["position"] = position_effect(comparisons)
    if report["position"].get("detected"):
        effect = report["position"]
        warnings.append(
            f"position: shown first an answer wins {effect['first']:.1%}, shown second {effect['second']:.1%}"
            f" (difference {effect['difference']:+.1%}, p = {effect['p']:.2g}); judge both orders"
        )
    report["warnings"] = warnings
    return report


def position_effect(comparisons: Sequence[Comparison]) -> dict[str, Any]:
    """Win rate shown second minus shown first, of the same systems: nothing but the order differs.

    Where both orders of an item were judged, the two are paired; else the orders were drawn, and Welch's (1947,
    Biometrika 34:28) standard error holds.
    """
    known = [c for c in comparisons if c.preference is not None and c.system_first is not None and not c.same]
    first = [float(c.preference or 0.0) for c in known if c.system_first]
    second = [float(c.preference or 0.0) for c in known if not c.system_first]
    if len(first) < 2 or len(second) < 2:
        return {"n": len(known), "detected": None, "reason": "the order is not known, or always the same"}
    paired = _both_orders(known)
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
        "n": len(known),
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


def _consistency(comparisons: Sequence[Comparison]) -> dict[str, Any]:
    """How often both orders name the same winner."""
    paired = _both_orders([c for c in comparisons if not c.same])
    if not paired:
        return {"n": 0, "value": None, "reason": "no item was judged in both orders"}
    same = sum((a > 0.5) == (b > 0.5) and (a < 0.5) == (b < 0.5) for a, b in paired.values())
    return {"n": len(paired), "value": same / len(paired)}


def constant_outputs(answers: Mapping[str, tuple[str | None, int | None]]) -> dict[str, Any]:
    """One answer for many prompts is an attack on the judge, or a broken model. Lengths tell where texts are gone."""
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
        "length": value if by == "length" else len(str(value)),
        "flagged": times / total > _CONSTANT_SHARE,
    }


def audit_scores(judged: Sequence[Judged], judge: str | None = None) -> dict[str, Any]:
    """Of pointwise judgments: length, repeatability of samples, constant outputs, the judge's own family."""
    report: dict[str, Any] = {"dimensions": {}}
    warnings: list[str] = []
    by_dimension: dict[str, list[Judged]] = defaultdict(list)
    for one in judged:
        by_dimension[one.dimension].append(one)
    for dimension, rows in by_dimension.items():
        scored = [row for row in rows if row.score is not None]
        length = _length_correlation(scored)
        report["dimensions"][dimension] = {
            "n": len(rows),
            "coverage": len(scored) / len(rows),
            "missing": dict(Counter(row.reason or "no score" for row in rows if row.score is None).most_common()),
            "length": length,
            "repeatability": repeatability([row.parsed for row in rows]),
            "constant_score": len({row.score for row in scored}) == 1 if len(scored) > 1 else None,
        }
        if length.get("spearman") is not None and abs(length["spearman"]) > 0.5:
            warnings.append(f"{dimension}: the score goes with the answer's length (Spearman {length['spearman']:.2f})")
        if report["dimensions"][dimension]["constant_score"]:
            warnings.append(f"{dimension}: every item got the same score")
    systems: dict[str, dict[str, tuple[str | None, int | None]]] = defaultdict(dict)
    for one in judged:
        text, length_known = one.row.get("answer"), one.row.get("length")
        text = text if isinstance(text, str) else None
        length_known = length_known if isinstance(length_known, int) else None
        if text is not None or length_known is not None:
            systems[one.system or ""][one.group or one.item] = (text, length_known)
    report["constant"] = {system: constant_outputs(answers) for system, answers in systems.items()}
    warnings += [_constant_warning(name, found) for name, found in report["constant"].items() if found.get("flagged")]
    if judge and (shared := self_preference(judge, sorted({row.system for row in judged if row.system}))):
        warnings.append(shared)
    return report | {"warnings": warnings}


def repeatability(samples: Sequence[Sequence[float]]) -> dict[str, Any]:
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
    """The maker's line that a model's name tells of; None where it tells none."""
    name = model.casefold()
    parts = set("".join(c if c.isalpha() else " " for c in name).split())
    for line, names in _FAMILIES.items():
        if any(known in parts or (len(known) > 3 and known in name) for known in names):
            return line
    return None


def self_preference(judge: str, systems: Sequence[str]) -> str | None:
    """A warning where the judge's own line is among the judged."""
    own = family(judge)
    relatives = [system for system in systems if own is not None and family(system) == own]
    if not relatives:
        return None
    return (
        f"self-preference: {judge} judges {', '.join(relatives[:3])} of its own family ({own}); add a judge of another"
    )


def _warnings(system: str, entry: Mapping[str, Any]) -> list[str]:
    found = []
    if entry["constant"].get("flagged"):
        found.append(_constant_warning(system, entry["constant"]))
    spearman_ = entry["length"].get("spearman")
    if spearman_ is not None and abs(spearman_) > 0.3:
        found.append(f"{system}: the preference goes with length (Spearman {spearman_:.2f})")
    return found


def _constant_warning(system: str, found: Mapping[str, Any]) -> str:
    what = "the same text" if found["by"] == "text" else f"outputs of one length ({found['length']} characters)"
    return f"constant output: {system} gives {what} for {found['count']} of {found['n']} prompts"


def _length_correlation(scored: Sequence[Judged]) -> dict[str, Any]:
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
