"""The tasks of a log of inspect_ai in another run's names: its lines, its figures, its rows."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from evalkit.comparison.questions import plain
from evalkit.comparison.texts import answers, continuations
from evalkit.results import Count, GroupResult, Results, Run, RunRecord, TaskResult
from evalkit.results.foreign.run import Columns, ForeignRun
from evalkit.types import JsonObject

__all__ = ["AlignedTask", "aligned_run", "aligned_task"]

_MOST_DISAGREEMENT = 0.02
"""The share of equal answers that two scorers may judge differently. Beyond it, no difference in score is believed."""


@dataclass(frozen=True, slots=True)
class _Document:
    """A line of the other run, and what that run answered."""

    leaf: str
    doc_id: int
    doc_hash: str
    value: float
    answer: str | None


@dataclass(frozen=True, slots=True)
class AlignedTask:
    """One task of the log as a task of the other run."""

    name: str
    """The other run's name, which may be a group's."""
    theirs: str
    """The log's."""
    metric: str
    """The other run's."""
    log_metric: str
    lines: tuple[tuple[str, int, str, float | None, str], ...]
    """Task, document, hash, value and flags."""
    places: Mapping[int, tuple[str, int, str]]
    """By the log's doc_id: task, document and hash in the other run."""
    notes: tuple[str, ...]
    doubted: int
    """Documents whose score counts as not known, since the two tools score equal answers differently."""
    covers_less: bool
    """Whether the other run has documents that the log lacks."""


# ── its lines ────────────────────────────────────────────────────────────────


def aligned_task(
    log: Run,
    theirs: str,
    other: Run,
    name: str,
    metric: str,
    log_metric: str,
    rows: Sequence[tuple[str, JsonObject]],
    samples: Sequence[JsonObject],
    partner_of: Mapping[int, int],
) -> AlignedTask:
    documents = _documents(other, metric, rows)
    values, flags, _ = _scores(log, theirs, log_metric)
    sample_of = {row["doc_id"]: row for row in samples}
    places: dict[int, tuple[str, int, str]] = {}
    drafts: list[tuple[int, float | None, str, bool]] = []
    equal = unlike = 0
    partners = {samples[place]["doc_id"]: rows[at] for place, at in partner_of.items()}
    for doc_id, value in values.items():
        partner = partners.get(doc_id)
        document = documents.get((partner[0], partner[1].get("doc_id"))) if partner else None
        if document is None:
            continue  # the other run has no such document, or the log never came to it and does not say what it asks
        places[doc_id] = (document.leaf, document.doc_id, document.doc_hash)
        same = value is not None and _same_answer(document, sample_of.get(doc_id, {}))
        equal += same
        if same and value is not None and math.isfinite(document.value) and value != document.value:
            unlike += 1
            value = document.value
        differs = not same and value is not None and value != document.value
        drafts.append((doc_id, value, flags[doc_id], differs))
    at_odds = equal > 0 and unlike > _MOST_DISAGREEMENT * equal
    doubted = sum(differs for *_, differs in drafts) if at_odds else 0
    lines = tuple(
        (*places[doc_id], None, "error") if at_odds and differs else (*places[doc_id], value, flag)
        for doc_id, value, flag, differs in drafts
    )
    notes = [
        f"{name}: {len(partner_of):,} of {len(samples):,} documents of {theirs} ({log.run_id}) are paired by what they"
        f" ask, and {log_metric} there stands for {metric} here"
        + (
            f"; {len(rows) - len(partner_of):,} documents of {other.run_id} are not in it"
            if len(rows) > len(partner_of)
            else ""
        )
    ]
    if unlike:
        notes.append(
            f"{name}: the two tools score {unlike:,} of {equal:,} equal answers differently; an equal answer counts as"
            " no change"
            + (f", and {doubted:,} other documents whose score differs count as not known" if doubted else "")
        )
    return AlignedTask(
        name, theirs, metric, log_metric, lines, places, tuple(notes), doubted, len(partner_of) < len(rows)
    )


def _documents(run: Run, metric: str, rows: Sequence[tuple[str, JsonObject]]) -> dict[tuple[str, Any], _Document]:
    documents = {}
    words = {(leaf, row.get("doc_id")): row for leaf, row in rows}
    for leaf in dict.fromkeys(leaf for leaf, _ in rows):
        values, _, hashes = _scores(run, leaf, metric)
        for doc_id, value in values.items():
            row = words.get((leaf, doc_id))
            if row is not None:
                number = math.nan if value is None else value
                documents[leaf, doc_id] = _Document(leaf, doc_id, hashes[doc_id], number, _answer(row))
    return documents


def _scores(run: Run, leaf: str, metric: str) -> tuple[dict[int, float | None], dict[int, str], dict[int, str]]:
    """By doc_id: value, flags and hash."""
    import pyarrow as pa
    import pyarrow.compute as pc

    base, _, filter_name = metric.partition(",")
    table = run.scores()
    chosen = pc.and_(
        pc.equal(table.column("task"), leaf),
        pc.and_(
            pc.is_in(table.column("metric"), pa.array([base, metric])),
            pc.equal(table.column("filter"), filter_name or "none"),
        ),
    )
    rows = table.filter(chosen).select(["doc_id", "value", "flags", "doc_hash"]).to_pylist()
    return (
        {row["doc_id"]: None if row["value"] is None or math.isnan(row["value"]) else row["value"] for row in rows},
        {row["doc_id"]: row["flags"] or "" for row in rows},
        {row["doc_id"]: row["doc_hash"] for row in rows},
    )


def _answer(row: JsonObject) -> str | None:
    """The one text that was written; None where there were several, or choices were scored."""
    texts = answers(row)
    return plain(texts[0]) if len(texts) == 1 and not continuations(row) else None


def _same_answer(document: _Document, sample: JsonObject) -> bool:
    return document.answer is not None and document.answer == _answer(sample)


# ── the run ──────────────────────────────────────────────────────────────────


def aligned_run(log: Run, tasks: Sequence[AlignedTask]) -> ForeignRun:
    columns = Columns()
    entries: dict[str, TaskResult] = {}
    groups: dict[str, GroupResult] = {}
    rows = {}
    for task in tasks:
        base, _, filter_name = task.metric.partition(",")
        for leaf, doc_id, doc_hash, value, flags in task.lines:
            columns.add(leaf, doc_id, doc_hash, None, filter_name or "none", base, value, flags)
        leaves = list(dict.fromkeys(leaf for leaf, *_ in task.lines))
        for leaf in leaves:
            mine = [line for line in task.lines if line[0] == leaf]
            entries[leaf] = TaskResult.model_validate(_entry(log, task, mine, whole=len(leaves) == 1))
            rows[leaf] = partial(_words, log, task, leaf)
        if task.name not in leaves:
            entry = {**_entry(log, task, task.lines, whole=False), "members": leaves}
            groups[task.name] = GroupResult.model_validate(entry)
    status = "limited" if log.status == "complete" and any(task.covers_less for task in tasks) else log.status
    requested = tuple(task.name for task in tasks)
    results = Results(
        schema=1,
        run_id=log.run_id,
        model=log.record.results.model,
        requested=requested,
        status=status,
        limited=status == "limited" or log.record.results.limited,
        tasks=entries,
        groups=groups,
    )
    manifest = log.record.manifest.model_copy(update={"limit": None, "requested": requested, "tasks": {}})
    return ForeignRun(log.path, RunRecord(manifest, results), table=columns.table(), _rows=rows)


def _entry(log: Run, task: AlignedTask, lines: Sequence[tuple[Any, ...]], *, whole: bool) -> JsonObject:
    """Figures of these lines; the log's own standard error where they are all that it has."""
    known = [line[3] for line in lines if line[3] is not None]
    of_log = log.record.results.tasks[task.theirs]
    figure = of_log.metrics[task.log_metric]
    kept = {key: getattr(of_log, key) for key in ("truncated_prompts", "unparsed") if of_log.states(key)}
    missing = Count(value=sum("missing" in line[4] for line in lines))
    if task.doubted:
        missing = Count.unknown("the two tools score equal answers differently")
    return {
        **kept,
        "n": len(known),
        "missing": missing,
        "errors": sum("error" in line[4] for line in lines),
        "unfinished": sum("unfinished" in line[4] for line in lines),
        "headline": task.metric,
        "metrics": {
            task.metric: {
                "value": float(np.mean(known)) if known else None,
                "stderr": figure.stderr if whole else None,
                "higher_is_better": True,
            }
        },
    }


def _words(log: Run, task: AlignedTask, leaf: str) -> Iterator[JsonObject]:
    """The log's rows of one task of the other run, under that run's names."""
    base, _, filter_name = task.metric.partition(",")
    log_base, _, log_filter = task.log_metric.partition(",")
    for row in log.rows(task.theirs):
        place = task.places.get(row["doc_id"])
        if row.get("filter") != log_filter or place is None or place[0] != leaf:
            continue
        yield {
            **row,
            "doc_id": place[1],
            "doc_hash": place[2],
            "prompt_hash": None,
            "filter": filter_name or "none",
            "metrics": [base],
            base: row.get(log_base),
        }
