"""Why a verdict is what it is, one line each, and what would settle an open one."""

from __future__ import annotations

import math

from evalkit.comparison import Measured
from evalkit.gating.decide import Decision
from evalkit.gating.evidence import Evidence
from evalkit.gating.noise import NO_NOISE, AnswerNoise
from evalkit.gating.verdict import Bound
from evalkit.stats import documents_needed, repeats_needed

__all__ = ["amount", "needed_documents", "needed_repeats", "reasons", "signed"]


def needed_documents(proof: Evidence, decision: Decision, confidence: float) -> int | None:
    """How many documents settle it four times in five, if what was observed is what is true.

    Where the observed drop sits on the tolerance no number does; then it is how many a pass takes if nothing changed.
    """
    if decision.verdict != "cannot_tell":
        return None
    wanted = [flag.needed_n for flag in decision.flags if flag.needed_n is not None]
    if decision.metric == "cannot_tell" and (own := _for_metric(proof, decision, confidence)) is not None:
        wanted.append(own)
    return max(wanted, default=None)


def _for_metric(proof: Evidence, decision: Decision, confidence: float) -> int | None:
    point = proof.point
    if point is None or proof.doubt is not None or not math.isfinite(point.design_effect):
        return None
    tolerance = (proof.tolerance or 0.0) / point.scale
    gap = point.gained - point.lost + tolerance
    level = confidence if gap > 0 else decision.margin_upper.level
    needed = documents_needed(point.lost, point.gained, tolerance=tolerance, level=level)
    return _unchanged(proof, confidence) if needed is None else math.ceil(needed * point.design_effect)


def _unchanged(proof: Evidence, confidence: float) -> int | None:
    """How many a pass takes if as many answers change and none of it is a drop."""
    point = proof.point
    if point is None or not math.isfinite(point.design_effect):
        return None
    each, tolerance = point.discordance / 2, (proof.tolerance or 0.0) / point.scale
    needed = documents_needed(each, each, tolerance=tolerance, level=confidence)
    return None if needed is None else math.ceil(needed * point.design_effect)


def needed_repeats(
    measured: Measured, noise: Measured | None, needed: int | None, answers: AnswerNoise = NO_NOISE
) -> int | None:
    """How many answers per document would do instead: only the part of the changes that is noise averages out.

    The noise is that of the runs' own answers where they have several per document, else that of a second run.
    """
    if needed is None or needed <= measured.n or measured.point is None:
        return None
    variance = measured.point.stderr * measured.point.stderr * measured.n
    if not math.isfinite(variance):  # a value of 1e308: its square is no number
        return None
    if answers.variance is not None:
        return repeats_needed(variance, answers.variance, measured.n, needed, answers.answers)
    if noise is None or noise.point is None:
        return None
    return repeats_needed(variance, noise.point.stderr * noise.point.stderr * noise.n, measured.n, needed)


def reasons(
    measured: Measured,
    proof: Evidence,
    decision: Decision,
    needed: int | None,
    noise: Measured | None,
    answers: AnswerNoise = NO_NOISE,
) -> tuple[str, ...]:
    lines = [_metric_line(measured, proof, decision)]
    lines += [
        f"{flag.kind} answers: {flag.baseline or 0:,} → {flag.candidate or 0:,} of {flag.n:,}"
        f" ({(flag.rise or 0.0) * 100:+.1f} points, at least {flag.lower.value * 100:+.1f} at {_level(flag.lower)};"
        f" {flag.max_rise * 100:.2f} points tolerated)"
        for flag in sorted(decision.flags, key=lambda flag: flag.verdict != "regression")
        if flag.verdict != "pass" and flag.lower.value is not None
    ]
    if any(flag.verdict == "regression" for flag in decision.flags) and decision.metric != "regression":
        lines.append(lines.pop(0))
    if proof.doubt:
        lines.append(proof.doubt)
    lines += _not_compared(decision)
    lines += _missing(measured)
    lines += measured.pairs.unpaired.lines()
    if decision.verdict == "cannot_tell":
        lines.append(_settle(measured, proof, needed, noise, decision.margin_lower.level, answers))
    lines += _noise(measured, noise)
    lines += _members(measured)
    return tuple(lines)


def _metric_line(measured: Measured, proof: Evidence, decision: Decision) -> str:
    tolerated = _tolerated(measured, proof)
    low, high = decision.lower, decision.upper
    if decision.metric == "pass":
        return f"{_worse(measured, low, 'at most')} ({_level(low)}); {tolerated}"
    if decision.metric == "regression":
        return f"{_worse(measured, high, 'at least')} ({_level(high)}); {tolerated}"
    worst = "nothing bounds the drop" if low.value is None else _worse(measured, low, "up to", level=True)
    best = "nothing bounds the gain" if high.value is None else _worse(measured, high, "as little as", level=True)
    return f"{worst}, {best}; {tolerated}"


def _worse(measured: Measured, bound: Bound, how: str, *, level: bool = False) -> str:
    at = f" ({_level(bound)})" if level else ""
    if bound.value is None:
        return f"the drop has no bound{at}"
    if bound.value >= 0:
        return f"better by {'at least' if how in ('at most', 'up to') else 'up to'} {amount(measured, bound.value)}{at}"
    return f"worse by {how} {amount(measured, -bound.value)}{at}"


def _tolerated(measured: Measured, proof: Evidence) -> str:
    drop = proof.policy.max_drop
    if not drop.relative:
        return f"{amount(measured, drop.value)} tolerated"
    return f"{drop} of the baseline tolerated, here {amount(measured, proof.tolerance or 0.0)}"


def _not_compared(decision: Decision) -> list[str]:
    """One line for all kinds of trouble that are unknown for the same reason."""
    kinds: dict[str, list[str]] = {}
    for flag in decision.flags:
        if flag.reason is not None:
            kinds.setdefault(flag.reason, []).append(flag.kind)
    return [f"not compared: {', '.join(alike)} answers ({reason})" for reason, alike in kinds.items()]


def _missing(measured: Measured) -> list[str]:
    lines = []
    here, there = measured.missing_baseline, measured.missing_candidate
    if here or there:
        how = "counted at their worst in the lower bound and at their best in the upper"
        if measured.worst is None and measured.n:
            how = f"what they are worth has no bound, since {measured.target.metric} has none"
        lines.append(f"answers missing: {there:,} in the candidate, {here:,} in the baseline; {how}")
    if measured.missing_both:
        lines.append(f"{measured.missing_both:,} documents that neither run answered are left out")
    return lines


def _settle(
    measured: Measured,
    proof: Evidence,
    needed: int | None,
    noise: Measured | None,
    confidence: float,
    answers: AnswerNoise,
) -> str:
    if needed is None:
        return "no number of documents settles this: see to what is missing or contradictory first"
    if needed <= measured.n:
        return f"{needed:,} documents would do, and there are {measured.n:,}: answer the missing ones"
    line = f"needs about {needed:,} documents, has {measured.n:,}"
    if measured.n and (unchanged := _unchanged(proof, confidence)) and needed > 2 * unchanged > 2 * measured.n:
        line += f"; about {unchanged:,} if there is no true drop"
    repeats = needed_repeats(measured, noise, needed, answers)
    if repeats is not None:
        line += f"; or {repeats} answers per document, averaged, in both runs (--repeats {repeats})"
        if answers.no_more_documents:
            return f"{line}: the runs hold all documents that there are"
        return f"{line}, but documents are cheaper: each costs {answers.answers:.3g} answers, not {repeats}"
    if noise is not None or answers.variance is not None:
        return f"{line}; repeats would not do, the documents themselves differ"
    return line


def _noise(measured: Measured, noise: Measured | None) -> list[str]:
    if noise is None or not noise.n or not measured.n:
        return []
    floor, here = ((m.lost + m.gained) / m.n * 100 for m in (noise, measured))
    return [f"flips {here:.1f}% of documents; two runs of the baseline flip {floor:.1f}%"]


def _members(measured: Measured, most: int = 3) -> list[str]:
    sign = measured.target.sign
    worse = sorted((m for m in measured.members if m.delta * sign < 0), key=lambda m: m.delta * sign)[:most]
    if not worse:
        return []
    listed = ", ".join(f"{m.name} {signed(measured, m.delta)} (n {m.n:,})" for m in worse)
    return [f"largest drops among {len(measured.members)} members, not tested: {listed}"]


def amount(measured: Measured, value: float) -> str:
    """In points where the metric goes from 0 to 1, else on its own scale."""
    return f"{value * 100:.2f} points" if _in_points(measured) else f"{value:.4g}"


def signed(measured: Measured, value: float) -> str:
    return f"{value * 100:+.2f}" if _in_points(measured) else f"{value:+.4g}"


def _in_points(measured: Measured) -> bool:
    return measured.scale == 1.0 and max(abs(measured.baseline), abs(measured.candidate)) <= 1.0


def _level(bound: Bound) -> str:
    return f"{bound.level * 100:.4g}%"
