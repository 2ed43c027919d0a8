"""evalkit judge audit: statistics of recorded judgments, and a judge's replies to injection attempts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from evalkit.journal import Journal
from evalkit.judging.audit import audit_comparisons, audit_scores, repeatability
from evalkit.judging.backends.spec import JudgeOptions, NamedJudge, open_judge
from evalkit.judging.canaries import canary_items, canary_report
from evalkit.judging.pairwise import read_comparisons
from evalkit.judging.records import is_comparison, read_judgments
from evalkit.judging.reports import AuditReport
from evalkit.judging.rubric import Rubric
from evalkit.judging.run import judge_all
from evalkit.types import Arguments

__all__ = ["audit_files", "audit_live"]


def audit_files(paths: Sequence[Path], judge: str | None) -> AuditReport:
    """Audit recorded comparisons and judgments; `judge` keeps only those of one judge."""
    comparisons = [c for path in paths if is_comparison(path) for c in read_comparisons(path)]
    judged = [j for path in paths if not is_comparison(path) for j in read_judgments(path, {}, lenient=True)]
    report: AuditReport = {}
    warnings: list[str] = []
    if comparisons:
        report = audit_comparisons(comparisons, judge)
        warnings += report.pop("warnings", [])
    if judged:
        report = {**report, **audit_scores(judged, judge)}
        warnings += report.pop("warnings", [])
    return {**report, "warnings": list(dict.fromkeys(warnings))}


def audit_live(
    rubric: Rubric,
    named: NamedJudge,
    output_path: Path,
    arguments: Arguments,
    journal: Path | None = None,
    *,
    note: Callable[[str], None] = lambda line: None,
) -> AuditReport:
    """Ask a judge about the canary items, and judge the plain answers repeatedly to measure repeatability."""
    sampled = replace(
        rubric,
        hash=f"{rubric.hash}:repeated",
        settings=replace(rubric.settings, min_mass=2.0, samples=min(rubric.settings.samples, 10)),
        min_coverage=0.0,
    )
    with (
        Journal.open(output_path, folder=journal) as kept,
        open_judge(named, kept, JudgeOptions(arguments, note=note)) as judge,
    ):
        items = canary_items(rubric)
        canaries = canary_report(rubric, judge_all(rubric, items, judge))
        plain = [item for item in items if item.system == "plain"]
        repeated = judge_all(sampled, plain, judge) if plain else []
    warnings = []
    if canaries["succeeded"]:
        warnings.append(f"injection: {canaries['succeeded']} of {canaries['tried']} attempts moved the score")
    if canaries["unscored"]:
        warnings.append(f"injection: {canaries['unscored']} attempts got no score")
    return {"canaries": canaries, "repeated": repeatability([j.parsed for j in repeated]), "warnings": warnings}
