"""Judges the answers of a run and writes the figures beside its other figures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from evalkit.errors import JudgeError
from evalkit.judging.audit import constant_outputs, self_preference
from evalkit.judging.backends.spec import OpenJudge
from evalkit.judging.caps import capped, capped_score
from evalkit.judging.certificate import JudgedAnswers
from evalkit.judging.entries import Entries, Opinion
from evalkit.judging.figures import Design, combine, coverage, overall, row_of
from evalkit.judging.items import Item
from evalkit.judging.judgment import Judge, Judgment
from evalkit.judging.reports import CalibrationNote
from evalkit.judging.rubric import Rubric
from evalkit.results import Reporter, Run, RunWriter, filter_of
from evalkit.types import JsonObject

__all__ = ["Judged", "cautions", "design_of", "judge_all", "write_judged"]

Progress = Callable[[int, int], None]
Calibration = Callable[[Sequence[Judge], JudgedAnswers], Sequence[CalibrationNote]]
"""Finds the record of how far judges agree with people."""


@dataclass(slots=True)
class Judged:
    """All judgments of one `judge run`."""

    rubric: Rubric
    judges: list[Judge]
    by_judge: list[list[Judgment]] = field(default_factory=list)
    asked: int = 0
    reused: int = 0
    warnings: list[str] = field(default_factory=list)
    described: list[JsonObject] = field(default_factory=list)
    """The description of each judge, for the manifest."""

    @property
    def coverage(self) -> float:
        return min((coverage(judgments) for judgments in self.by_judge), default=0.0)

    def check(self) -> None:
        if self.coverage < self.rubric.min_coverage:
            reasons: dict[str, int] = defaultdict(int)
            for judgment in (j for judgments in self.by_judge for j in judgments if j.score is None):
                reasons[judgment.reason or "no score"] += 1
            most = max(reasons, key=lambda reason: reasons[reason], default="")
            raise JudgeError(
                f"the judge covered {self.coverage:.1%} of the answers, and rubric {self.rubric.id} wants"
                f" {self.rubric.min_coverage:.0%}; most often missing because: {most}."
                " What was judged is kept: the same command asks for the rest again"
            )


def judge_all(
    rubric: Rubric, items: Sequence[Item], judge: OpenJudge, progress: Progress | None = None
) -> list[Judgment]:
    """Judge every item in every dimension; returned in document order."""
    total = len(items) * len(rubric.dimensions)
    asked = ((item.item, dimension.name) for item in items for dimension in rubric.dimensions)
    place = {key: number for number, key in enumerate(asked)}
    judgments: list[Judgment] = []
    for judgment in judge.judge_items(rubric, items):
        judgments.append(judgment)
        if progress:
            progress(len(judgments), total)
    return sorted(judgments, key=lambda j: place[j.item.item, j.dimension])


def cautions(items: Sequence[Item], judges: Sequence[Judge]) -> list[str]:
    """Warnings that a reader should know before relying on the figures."""
    warnings = []
    systems = sorted({item.system for item in items} | {item.against for item in items if item.against})
    for judge in judges:
        shared = self_preference(judge.name.partition(":")[2] or judge.name, systems)
        if shared:
            warnings.append(shared)
    constant = constant_outputs({item.group: (item.answer, len(item.answer)) for item in items if not item.missing})
    if constant.get("flagged"):
        warnings.append(
            f"constant output: the same text answers {constant['count']} of {constant['n']} prompts;"
            " a judge can be fooled by one, do not believe its score"
        )
    return warnings


def write_judged(run: Run, judged: Judged, calibration: Calibration, report: Reporter | None = None) -> Run:
    """Write judgments, figures and score lines, all at once or not at all. `report` makes the new report.md.

    Figures of other rubrics and judges stay. Several judges have a figure each, and one together.
    """
    rubric = judged.rubric
    opinions = [
        _opinion(rubric, [judge], [judgments], calibration)
        for judge, judgments in zip(judged.judges, judged.by_judge, strict=True)
    ]
    if len(judged.judges) > 1:
        opinions.append(_opinion(rubric, judged.judges, judged.by_judge, calibration))
    entries = Entries(rubric, opinions, design_of(run))
    settings = {
        "rubric": {"id": rubric.id, "version": rubric.version, "hash": rubric.hash},
        "judges": [
            {"name": judge.name, "fingerprint": judge.fingerprint, "engine": dict(described)}
            for judge, described in zip(judged.judges, judged.described, strict=True)
        ],
        "asked": judged.asked,
        "reused": judged.reused,
        "warnings": judged.warnings,
    }
    name = filter_of(rubric.id, [judge.name for judge in judged.judges])
    judging = {**(run.record.manifest.judging or {}), name: settings}
    manifest = run.record.manifest.model_copy(update={"judging": judging})
    with RunWriter.amend(run) as writer:
        for judge, judgments in zip(judged.judges, judged.by_judge, strict=True):
            name = f"{rubric.id}@{judge.name}"
            writer.judgments(name, _beside_others(run, name, [_row(j, judge, rubric) for j in judgments]))
        writer.scores(_scores(run, entries))
        results = entries.put_into(run)
        return writer.commit(manifest, results, report)


def _opinion(
    rubric: Rubric, judges: Sequence[Judge], by_judge: Sequence[Sequence[Judgment]], calibration: Calibration
) -> Opinion:
    given, disagreement = combine(by_judge, [judge.name for judge in judges])
    counted = capped(given, rubric)
    given, counted = given + overall(given, rubric), counted + overall(counted, rubric)
    answers = JudgedAnswers.of([judgment.item for judgments in by_judge for judgment in judgments])
    return Opinion(judges, given, counted, disagreement, calibration(judges, answers))


def _row(judgment: Judgment, judge: Judge, rubric: Rubric) -> JsonObject:
    """`score` is what the judge said; `capped` what counts of it where a check had failed."""
    row = row_of(judgment, judge, rubric)
    if judgment.item.failed_check and rubric.kind == "pointwise":
        return {**row, "capped": capped_score(judgment, rubric)}
    return row


def _beside_others(run: Run, name: str, rows: Sequence[JsonObject]) -> list[JsonObject]:
    """The rows together with earlier ones of the run's other tasks, whose figures stay too."""
    now = {row["task"] for row in rows}
    tasks = run.record.results.tasks
    others = [row for row in run.judgments(name) if row.get("task") in tasks and row["task"] not in now]
    order = {task: number for number, task in enumerate(tasks)}
    return sorted([*others, *rows], key=lambda row: order[row["task"]])


def design_of(run: Run) -> Design:
    """The stratum and the cluster of each document."""
    table = run.scores().select(["task", "doc_id", "stratum", "cluster"]).to_pydict()
    columns = (table[name] for name in ("task", "doc_id", "stratum", "cluster"))
    return {(task, doc_id): (stratum, cluster) for task, doc_id, stratum, cluster in zip(*columns, strict=True)}


def _scores(run: Run, entries: Entries) -> Any:
    """The run's score lines without those of replaced figures, and the new ones."""
    import pyarrow as pa
    import pyarrow.compute as pc

    table = run.scores()
    replaced = {(task, name) for task, names in entries.replaced_filters(run).items() for name in names}
    places = zip(table.column("task").to_pylist(), table.column("filter").to_pylist(), strict=True)
    table = table.filter(pc.invert(pa.array([place in replaced for place in places], pa.bool_())))
    documents: dict[tuple[str, int], JsonObject] = {}
    for line in table.select(["task", "doc_id", "doc_hash", "prompt_hash", "stratum", "cluster"]).to_pylist():
        documents.setdefault((line["task"], line["doc_id"]), line)
    lines = []
    for filter_name, judgment in (
        (opinion.filter(entries.rubric), judgment) for opinion in entries.opinions for judgment in opinion.counted
    ):
        item = judgment.item
        same = documents.get((item.task, item.doc_id), {})
        lines.append(
            {
                "task": item.task,
                "doc_id": item.doc_id,
                "doc_hash": same.get("doc_hash") or item.doc_hash,
                "prompt_hash": same.get("prompt_hash", item.prompt_hash),
                "filter": filter_name,
                "stratum": same.get("stratum"),
                "cluster": same.get("cluster"),
                "metric": judgment.dimension,
                "value": judgment.score,
                "flags": "" if judgment.score is not None else _flag(judgment.reason),
            }
        )
    return pa.concat_tables([table, pa.Table.from_pylist(lines, schema=table.schema)])


def _flag(reason: str | None) -> str:
    named = {"cut": "cut", "unfinished": "unfinished", "unparsed": "unparsed", "ambiguous": "unparsed"}
    kind = named.get(reason or "")
    return f"{kind},missing" if kind else "missing"
