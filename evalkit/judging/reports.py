"""The types of what `evalkit judge audit` and `calibrate` write as JSON. None is not known, with a `reason`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NotRequired, TypedDict

__all__ = [
    "Agreement",
    "Attack",
    "AuditReport",
    "CalibrationNote",
    "CanaryReport",
    "Ceiling",
    "Consistency",
    "ConstantOutput",
    "DimensionAudit",
    "DimensionReport",
    "Estimate",
    "GroupAgreement",
    "LengthEffect",
    "PairwiseFigures",
    "PositionEffect",
    "Repeatability",
    "Replies",
    "SystemAudit",
]


# ── audit ────────────────────────────────────────────────────────────────────


class LengthEffect(TypedDict):
    """How scores or preferences go with the length of answers."""

    n: int
    pearson: float | None
    spearman: float | None
    reason: NotRequired[str]
    win_rate_longer: NotRequired[float | None]
    win_rate_shorter: NotRequired[float | None]
    longer: NotRequired[int]
    shorter: NotRequired[int]


class PositionEffect(TypedDict):
    """Win rate shown first and shown second, and whether the difference is one of chance."""

    n: int
    detected: bool | None
    reason: NotRequired[str]
    first: NotRequired[float]
    second: NotRequired[float]
    difference: NotRequired[float]
    ci95: NotRequired[list[float]]
    p: NotRequired[float]
    paired: NotRequired[bool]


class Consistency(TypedDict):
    """How often both orders name the same winner."""

    n: int
    value: float | None
    reason: NotRequired[str]


class ConstantOutput(TypedDict):
    """Whether one answer, or one length of answers, stands for most prompts."""

    n: int
    flagged: bool | None
    reason: NotRequired[str]
    by: NotRequired[str]
    count: NotRequired[int]
    share: NotRequired[float]
    length: NotRequired[int]


class SystemAudit(TypedDict):
    """The comparisons of one system."""

    win_rate: float | None
    stderr: float | None
    ci95: list[float] | None
    n: int
    missing: int
    discrete_win_rate: float | None
    wins: int
    losses: int
    draws: int
    position: PositionEffect
    length: LengthEffect
    constant: ConstantOutput
    consistency: Consistency
    preferences: list[float | None]


class Repeatability(TypedDict):
    """How far replies to one question spread."""

    n: int
    sd: float | None
    agree: float | None
    reason: NotRequired[str]


class DimensionAudit(TypedDict):
    """The judgments of one dimension."""

    n: int
    coverage: float
    missing: Mapping[str, int]
    length: LengthEffect
    repeatability: Repeatability
    constant_score: bool | None


class Attack(TypedDict):
    """How far one way of talking a judge into a better score moved it, as a share of the scale."""

    gain: float
    worst: float
    n: int


class CanaryReport(TypedDict):
    tried: int
    succeeded: int
    unscored: int
    rate: float | None
    attacks: Mapping[str, Attack]


class AuditReport(TypedDict, total=False):
    """The results of an audit; only the parts that were asked for."""

    systems: Mapping[str, SystemAudit]
    position: PositionEffect
    dimensions: Mapping[str, DimensionAudit]
    constant: Mapping[str, ConstantOutput]
    canaries: CanaryReport
    repeated: Repeatability
    warnings: list[str]


# ── calibration ──────────────────────────────────────────────────────────────


class Replies(TypedDict):
    """Counts of single replies, several of which may belong to one score."""

    n: int
    read: int
    unread: Mapping[str, int]


class Correlations(TypedDict, total=False):
    pearson: float | None
    spearman: float | None
    kendall: float | None
    reason: str


class Ceiling(Correlations, total=False):
    """How far people agree among themselves."""

    alpha: float | None
    raters: float | None


class GroupAgreement(Correlations, total=False):
    """The mean agreement inside groups of items."""

    pearson_ci95: list[float] | None
    spearman_ci95: list[float] | None
    kendall_ci95: list[float] | None
    groups: int
    constant: int
    """Groups in which one side does not tell items apart."""


class Agreement(Correlations, total=False):
    """Agreement over all items that have a label and a score."""

    pearson_ci95: list[float] | None
    spearman_ci95: list[float] | None
    kendall_ci95: list[float] | None
    qwk: float | None
    qwk_ci95: list[float] | None
    alpha: float | None
    alpha_ci95: list[float] | None
    bias: float | None
    bias_ci95: list[float] | None
    pairwise_accuracy: float | None
    pairs: int
    resamples: int
    rank_resamples: int
    mean_judge: float
    mean_people: float


class PeopleMean(TypedDict):
    mean: float
    stderr: float
    ci95: list[float]


class Estimate(PeopleMean):
    """The mean that people would give to everything judged."""

    power: float
    labelled: int
    unlabelled: int
    people_alone: PeopleMean


class CalibrationNote(TypedDict, total=False):
    """What results.json says of a judge's calibration beside its figures."""

    value: None
    reason: str
    """Why there is no record."""
    labels: str | None
    """The file of the labels."""
    language: str | None
    """Of the judged answers: `ko` or `other`."""
    models: Sequence[str] | None
    """Whose answers were labelled."""
    dimensions: Mapping[str, Mapping[str, object]] | None


class PairwiseFigures(TypedDict):
    """What a judge's figure has beside the mean preference, if the rubric compares two answers."""

    win_rate: float | None
    discrete_win_rate: float | None
    wins: int
    losses: int
    draws: int
    against: str | None
    consistency: float | None
    shown_first: float | None
    shown_second: float | None
    length: LengthEffect


class DimensionReport(Agreement, total=False):
    """How far a judge agrees with people in one dimension."""

    n: int
    coverage: float
    judged: int
    labelled: int
    labels_without_judgment: int
    missing: Mapping[str, int]
    replies: Replies
    per_group: GroupAgreement
    ceiling: Ceiling
    estimate: Estimate
