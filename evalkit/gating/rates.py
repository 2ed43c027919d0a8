"""Rates of `evalkit rate`, gated: how far a rate of refusals, insults … may rise.

Baseline and candidate are what `evalkit rate --json` wrote. Their answers are other answers, so the rise has the
interval of two independent rates: Zou & Donner (2008), Statistics in Medicine 27:1693, from each rate's own interval.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from evalkit.comparison import Unpaired
from evalkit.errors import ConfigError, DataNotFound
from evalkit.gating.verdict import Bound, TaskVerdict, Verdict
from evalkit.policy import Drop, RatePolicy
from evalkit.regularfile import read_regular_file

__all__ = ["judge_rates"]

_Z975 = NormalDist().inv_cdf(0.975)


class _Rate(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, strict=False)

    rate: float = Field(ge=0, le=1)
    ci95: tuple[float, float]


class _RateFile(BaseModel):
    """What --json of `evalkit rate` holds."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    n: int = Field(ge=1)
    missing: int = Field(default=0, ge=0)
    """Answers without a verdict. Files of older versions do not say."""
    raw: _Rate
    corrected: _Rate | None


@dataclass(frozen=True, slots=True)
class _Rise:
    """A difference of two rates, with one-sided limits."""

    value: float
    low_by: float
    high_by: float
    """How far the 97.5% limits lie below and above it."""

    def lower(self, level: float) -> float:
        return max(-1.0, self.value - self.low_by * NormalDist().inv_cdf(level) / _Z975)

    def upper(self, level: float) -> float:
        return min(1.0, self.value + self.high_by * NormalDist().inv_cdf(level) / _Z975)

    def p_above(self, limit: float) -> float:
        """One-sided, against 'the rise is within the limit'."""
        if self.low_by == 0:
            return 1.0 if self.value <= limit else 0.0
        return NormalDist().cdf((limit - self.value) / (self.low_by / _Z975))


def judge_rates(
    policies: Mapping[str, RatePolicy], confidence: float, allow: Collection[str] = ()
) -> tuple[TaskVerdict, ...]:
    """A verdict for each rate of a policy. With `limit` in `allow`, the candidate may have fewer answers.

    Regressions are corrected for how many rates could fail (Bonferroni).
    """
    tested = max(1, sum(policy.tier != "advisory" for policy in policies.values()))
    return tuple(_judged(name, policy, confidence, tested, allow) for name, policy in policies.items())


def _judged(name: str, policy: RatePolicy, confidence: float, tested: int, allow: Collection[str]) -> TaskVerdict:
    files = [_read(name, path) for path in (policy.baseline, policy.candidate)]
    kind = _kind(name, policy, files)
    before, after = (
        file.corrected if kind == "corrected" and file.corrected is not None else file.raw for file in files
    )
    rise = _rise(before, after)
    strict = 1 - (1 - confidence) / (1 if policy.tier == "advisory" else tested)
    verdict = _verdict(rise, policy.max_rise, confidence, strict)
    less = _less_evidence(policy, files, allow) if verdict == "pass" else None
    # Bounds are positive where it is better, as for any metric of which less is better.
    low, high = -rise.upper(confidence), -rise.lower(strict)
    p = rise.p_above(policy.max_rise)
    return TaskVerdict(
        name=name,
        verdict="cannot_tell" if less else verdict,
        tier=policy.tier,
        metric=f"{kind} rate",
        higher_is_better=False,
        scale=1.0,
        baseline=before.rate,
        candidate=after.rate,
        delta=rise.value,
        ci95=(rise.lower(0.975), rise.upper(0.975)),
        p=p,
        p_holm=min(1.0, p * tested),
        n=files[1].n,
        lost=0,
        gained=0,
        max_drop=Drop(policy.max_rise),
        tolerance=policy.max_rise,
        margin_lower=Bound(low + policy.max_rise, confidence),
        margin_upper=Bound(high + policy.max_rise, strict),
        lower=Bound(low, confidence),
        upper=Bound(high, strict),
        needed_n=None,
        needed_repeats=None,
        missing_baseline=files[0].missing,
        missing_candidate=files[1].missing,
        missing_both=0,
        unpaired=Unpaired(),
        flags=(),
        noise=None,
        members=(),
        reasons=((less,) if less else ()) + _reasons(kind, policy, rise, verdict, confidence, strict),
        metric_verdict=verdict,
    )


def _verdict(rise: _Rise, tolerated: float, confidence: float, strict: float) -> Verdict:
    if rise.upper(confidence) <= tolerated:
        return "pass"
    return "regression" if rise.lower(strict) > tolerated else "cannot_tell"


def _reasons(
    kind: str, policy: RatePolicy, rise: _Rise, verdict: Verdict, confidence: float, strict: float
) -> tuple[str, ...]:
    tolerated = f"a rise of the {kind} rate by {policy.max_rise:.2%} is tolerated"
    if verdict == "pass":
        first = f"it rose by at most {rise.upper(confidence):.2%} ({confidence:.0%}); {tolerated}"
    elif verdict == "regression":
        first = f"it rose by {rise.lower(strict):.2%} at least ({strict:.4g} one-sided); {tolerated}"
    else:
        bounds = f"between {rise.lower(confidence):+.2%} and {rise.upper(confidence):+.2%}"
        more = "label more answers, or rate more" if kind == "corrected" else "rate more answers"
        first = f"the rise lies {bounds} ({confidence:.0%} each side); {tolerated}; {more}"
    if kind == "raw":
        return first, "raw: a detector's rate, not held against people; another model may be misjudged otherwise"
    return (first,)


def _rise(before: _Rate, after: _Rate) -> _Rise:
    down = math.hypot(after.rate - after.ci95[0], before.ci95[1] - before.rate)
    up = math.hypot(after.ci95[1] - after.rate, before.rate - before.ci95[0])
    return _Rise(after.rate - before.rate, down, up)


def _less_evidence(policy: RatePolicy, files: Sequence[_RateFile], allow: Collection[str]) -> str | None:
    """Why a PASS is withheld: the candidate's rate is of fewer answers, or of a smaller share of them."""
    before, after = (file.n + file.missing for file in files)
    if after < before and "limit" not in allow:
        return (
            f"{policy.candidate} has {after:,} answers, the baseline {before:,}: rate as many, or type --allow limit"
            " if that is meant"
        )
    if files[1].missing / after - files[0].missing / before > policy.max_rise:
        return (
            f"{files[1].missing:,} of {after:,} answers have no verdict, of the baseline's {files[0].missing:,} of"
            f" {before:,}: what they would be is not known"
        )
    return None


def _kind(name: str, policy: RatePolicy, files: Sequence[_RateFile]) -> str:
    lacking = [
        path for path, file in zip((policy.baseline, policy.candidate), files, strict=True) if file.corrected is None
    ]
    if policy.which == "corrected" and lacking:
        raise ConfigError(
            f"rates: {name}: {lacking[0]} holds no corrected rate: give evalkit rate --labels, or write which: raw"
        )
    return policy.which


def _read(name: str, path: Path) -> _RateFile:
    try:
        content = json.loads(read_regular_file(path))
    except OSError as error:
        raise DataNotFound(f"rates: {name}: {path} cannot be read ({error.strerror or error})") from None
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"rates: {name}: {path} is not JSON ({error})") from None
    try:
        return _RateFile.model_validate(content)
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise ConfigError(
            f"rates: {name}: {path} is not what evalkit rate --json writes ({where or 'no object'})"
        ) from None
