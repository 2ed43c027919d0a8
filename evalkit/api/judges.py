"""What there is to do with a judge beside judging: draft steps, hold it against people's labels, audit it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from evalkit.journal import Journal
from evalkit.judging.backends.chat import asker_of
from evalkit.judging.backends.spec import JudgeOptions, open_judge, parse_judge
from evalkit.judging.calibrate import calibrate
from evalkit.judging.certificate import save_certificate
from evalkit.judging.records import read_judgments, read_labels
from evalkit.judging.reports import AuditReport, DimensionReport
from evalkit.judging.rubric import find_rubric
from evalkit.judging.scale import parse_scales
from evalkit.judging.steps import as_yaml, draft_steps
from evalkit.parsing import parse_pairs
from evalkit.reporting import judge_view
from evalkit.runner.auditing import audit_files, audit_live

__all__ = ["Audit", "Calibration", "audit_judge", "calibrate_judge", "draft"]


@dataclass(frozen=True, slots=True)
class Calibration:
    """How far a judge agrees with people."""

    dimensions: Mapping[str, DimensionReport]
    """Agreement and corrected mean by dimension."""
    kept: Path | None
    """The record that later judgments show beside their figures."""

    def json(self) -> str:
        # A dimension can be asked for by its name alone, or under `dimensions` by those who want nothing else.
        return judge_view.as_json({**self.dimensions, "dimensions": self.dimensions})

    def show(self) -> None:
        judge_view.show_calibration(self.dimensions)


@dataclass(frozen=True, slots=True)
class Audit:
    """What was measured of a judge: order, length, repeatability, injection attempts."""

    report: AuditReport

    def json(self) -> str:
        return judge_view.as_json(self.report)

    def show(self) -> None:
        judge_view.show_audit(self.report)


def draft(
    rubric: str,
    judge: str,
    *,
    include_path: Sequence[str] = (),
    judge_args: Sequence[str] = (),
    dimension: Sequence[str] = (),
    output_path: Path = Path("results"),
    journal: Path | None = None,
    note: Callable[[str], None] = lambda line: None,
) -> str:
    """Evaluation steps for a rubric, drafted by a judge, as YAML for the rubric's file.

    `note` is told the lines that the judge's engine has for the user.
    """
    chosen = find_rubric(rubric, include_path)
    dimensions = [chosen.dimension(name) for name in dimension] or list(chosen.dimensions)
    arguments = parse_pairs(judge_args, "--judge-args")
    with (
        Journal.open(output_path, folder=journal) as kept,
        open_judge(parse_judge(judge), kept, JudgeOptions(arguments, note=note)) as opened,
    ):
        return as_yaml(draft_steps(chosen, dimensions, asker_of(opened)))


def calibrate_judge(
    judgments: Path,
    labels: Path,
    *,
    rubric: str | None = None,
    include_path: Sequence[str] = (),
    scale: str | None = None,
    resamples: int = 2000,
    seed: int = 0,
    output_path: Path = Path("results"),
) -> Calibration:
    """Hold a judge's recorded judgments against people's labels, and keep the result under `output_path`."""
    chosen = find_rubric(rubric, include_path) if rubric else None
    judged = read_judgments(
        judgments,
        parse_scales(scale) if scale else {},
        chosen.settings.min_mass if chosen else 0.9,
        known_scales=chosen.scales if chosen else {},
    )
    ratings = read_labels(labels)
    figures = calibrate(judged, ratings, resamples=resamples, seed=seed)
    # The record is of the models whose answers people rated, not of all that were judged.
    labelled = [judgment for judgment in judged if (judgment.item, judgment.dimension) in ratings]
    return Calibration(figures, save_certificate(output_path, figures, labelled, labels.name))


def audit_judge(
    judgments: Sequence[Path] = (),
    *,
    judge: str | None = None,
    judge_args: Sequence[str] = (),
    rubric: str | None = None,
    include_path: Sequence[str] = (),
    output_path: Path = Path("results"),
    journal: Path | None = None,
    note: Callable[[str], None] = lambda line: None,
) -> Audit:
    """Audit recorded judgments; with a judge and a rubric, the judge is also asked injection attempts."""
    report = audit_files(judgments, judge)
    if judge and rubric:
        arguments = parse_pairs(judge_args, "--judge-args")
        live = audit_live(
            find_rubric(rubric, include_path), parse_judge(judge), output_path, arguments, journal, note=note
        )
        report = {**report, **live, "warnings": [*report["warnings"], *live["warnings"]]}
    return Audit(report)
