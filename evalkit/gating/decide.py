"""Evidence to verdicts.

PASS: the lower bound is above −tolerance. REGRESSION: the upper bound, corrected for how many were tested, is below it.
Else CANNOT TELL.

A pass over all tasks claims that every one of them holds, which is an intersection–union test and needs no correction
(Berger 1982, Technometrics 24:295). A regression claims that at least one fails, and is Holm-corrected over all that
could have failed the gate. Tests that could not fail whatever the changes were, because too few documents changed, are
no chances of error and leave the family (Tarone 1990, Biometrics 46:515).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from evalkit.gating.evidence import Evidence, FlagEvidence
from evalkit.gating.verdict import Bound, FlagVerdict, Verdict
from evalkit.stats import Bounds, documents_needed, holm, holm_levels

__all__ = ["Decision", "decide"]


@dataclass(frozen=True, slots=True)
class Decision:
    """The metric's own verdict and those of its flags; `verdict` is what they come to."""

    verdict: Verdict
    metric: Verdict
    p: float
    p_holm: float
    margin_lower: Bound
    margin_upper: Bound
    lower: Bound
    upper: Bound
    flags: tuple[FlagVerdict, ...]


@dataclass(frozen=True, slots=True)
class _Test:
    p: float
    testable: bool


def decide(evidence: Sequence[Evidence], confidence: float = 0.95, *, settled: Collection[int] = ()) -> list[Decision]:
    """One decision for each, in order. Advisory tasks are a family of their own: they can't fail the gate.

    `settled`: indexes of evidence that the early gate has decided already. They are not tested again, but they
    count in the correction for several tests.
    """
    decisions: dict[int, Decision] = {}
    for advisory in (False, True):
        places = [i for i, proof in enumerate(evidence) if (proof.policy.tier == "advisory") == advisory]
        closed = [i in settled for i in places]
        family = _family([evidence[i] for i in places], 1 - confidence, closed)
        for place, decision in zip(places, family, strict=True):
            decisions[place] = decision
    return [decisions[i] for i in range(len(evidence))]


def _family(evidence: Sequence[Evidence], alpha: float, closed: Sequence[bool]) -> list[Decision]:
    tests = [test for proof, shut in zip(evidence, closed, strict=True) for test in _tests(proof, shut)]
    inside = [i for i, test in enumerate(tests) if test.testable]
    p_holm, levels = [1.0] * len(tests), [alpha / max(1, len(inside))] * len(tests)
    if inside:
        p_values = [tests[i].p for i in inside]
        for i, p, level in zip(inside, holm(p_values), holm_levels(p_values, alpha), strict=True):
            p_holm[i], levels[i] = float(p), float(level)
    decisions, place = [], 0
    for proof in evidence:
        width = 1 + len(proof.flags)
        mine = slice(place, place + width)
        decisions.append(_decision(proof, tests[mine], p_holm[mine], levels[mine], alpha))
        place += width
    return decisions


def _tests(proof: Evidence, closed: bool) -> list[_Test]:
    if closed:
        return [_Test(1.0, True), *(_Test(1.0, flag.change is not None) for flag in proof.flags)]
    return [_metric_test(proof), *(_flag_test(flag, proof) for flag in proof.flags)]


def _metric_test(proof: Evidence) -> _Test:
    if proof.best is None:
        return _Test(1.0, False)
    testable = proof.relative > 0 or proof.best.discordance * proof.best.scale > proof.absolute
    return _Test(proof.best.p_below(-proof.absolute, proof.relative) if testable else 1.0, testable)


def _flag_test(flag: FlagEvidence, proof: Evidence) -> _Test:
    if flag.change is None or flag.change.discordance <= proof.policy.max_rise:
        return _Test(1.0, False)
    return _Test(flag.change.p_below(-proof.policy.max_rise), True)


def _decision(
    proof: Evidence, tests: Sequence[_Test], p_holm: Sequence[float], levels: Sequence[float], alpha: float
) -> Decision:
    margin_lower = _bound(proof.worst, -1, alpha, proof.relative, proof.absolute)
    margin_upper = _bound(proof.best, +1, levels[0], proof.relative, proof.absolute)
    metric: Verdict = "cannot_tell"
    if margin_upper.value is not None and margin_upper.value < 0 and p_holm[0] < alpha:
        metric = "regression"
    elif margin_lower.value is not None and margin_lower.value > 0 and proof.doubt is None:
        metric = "pass"
    flags = tuple(
        _flag_verdict(flag, proof, test, p, level, alpha)
        for flag, test, p, level in zip(proof.flags, tests[1:], p_holm[1:], levels[1:], strict=True)
    )
    verdicts: set[Verdict | None] = {metric, *(flag.verdict for flag in flags)}
    return Decision(
        verdict="regression" if "regression" in verdicts else "cannot_tell" if "cannot_tell" in verdicts else "pass",
        metric=metric,
        p=tests[0].p,
        p_holm=p_holm[0],
        margin_lower=margin_lower,
        margin_upper=margin_upper,
        lower=_bound(proof.worst, -1, alpha),
        upper=_bound(proof.best, +1, levels[0]),
        flags=flags,
    )


def _bound(difference: Bounds | None, side: int, alpha: float, relative: float = 0.0, shift: float = 0.0) -> Bound:
    level = 1 - alpha
    if difference is None:
        return Bound(None, level)
    value = difference.upper(level, relative) if side > 0 else difference.lower(level, relative)
    return Bound(value + shift if math.isfinite(value) else None, level)


def _flag_verdict(
    flag: FlagEvidence, proof: Evidence, test: _Test, p_holm: float, level: float, alpha: float
) -> FlagVerdict:
    most = proof.policy.max_rise
    if flag.unknown is not None:
        nothing = Bound(None, 1 - level)
        return FlagVerdict(flag.kind, None, None, None, flag.n, None, most, nothing, 1.0, 1.0, reason=flag.unknown)
    verdict: Verdict = "pass"
    needed = None
    if flag.change is not None and p_holm < alpha:
        verdict = "regression"
    elif flag.change is not None and flag.rise > most:
        # The rise itself is held to the tolerance, not its bound: the metric's own test covers what such answers cost.
        verdict = "cannot_tell"
        needed = documents_needed(flag.change.lost, flag.change.gained, tolerance=most, level=1 - level)
    risen = Bound(0.0, 1 - level) if flag.change is None else Bound(-flag.change.upper(1 - level), 1 - level)
    return FlagVerdict(
        kind=flag.kind,
        verdict=verdict,
        baseline=flag.baseline,
        candidate=flag.candidate,
        n=flag.n,
        rise=flag.rise,
        max_rise=most,
        lower=risen,
        p=test.p,
        p_holm=p_holm,
        needed_n=None if needed is None or flag.change is None else _documents(needed, flag.change),
    )


def _documents(effective: int, change: Bounds) -> int:
    return math.ceil(effective * change.design_effect)
