"""Joins several judges' scores of the same answers into those of a jury, with weights learnt from people's labels."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evalkit.errors import JudgeError, NotComparable, RunFolderError, UsageError, nearest
from evalkit.judging.figures import Design
from evalkit.judging.items import Item
from evalkit.judging.judgment import Judge, Judgment
from evalkit.judging.records import Judged as Recorded
from evalkit.judging.records import score_row
from evalkit.judging.rubric import Rubric
from evalkit.judging.run import Judged, design_of
from evalkit.results import Run, filter_of, judge_names
from evalkit.stats.jury import JuryWeights, jury_weights
from evalkit.types import JsonObject

__all__ = ["JURY", "DimensionWeights", "Jury", "Labels", "learn_jury"]

JURY = "jury"
"""The name that figures have behind the rubric's: quality,instruction-following@jury."""

Floats = NDArray[np.float64]
Labels = Mapping[tuple[str, str], Sequence[float]]
"""(item, dimension) → people's ratings, as `evalkit judge calibrate` takes them."""
_NOTICEABLE = 0.005
"""A difference of correlations that is worth a note."""
_Rows = Mapping[tuple[str, str], Recorded]
"""(item, dimension) → what one judge wrote of it."""


@dataclass(frozen=True, slots=True)
class DimensionWeights:
    """What was learnt of one dimension."""

    weights: JuryWeights
    labelled: int
    """Answers with a label and a score of every member."""
    correlation: tuple[float | None, ...]
    """Of each member's scores with people's; None where one side is constant."""
    jury_correlation: float | None
    """The same of the jury's, each score by weights that its own label had no part in."""


@dataclass(frozen=True, slots=True)
class Jury:
    """Members with their weights by dimension, and what each run's answers got."""

    rubric: Rubric
    members: tuple[str, ...]
    dimensions: Mapping[str, DimensionWeights]
    judged: tuple[Judged, ...]
    """One for each run, in the order of the runs."""
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Answers:
    """A run's judged answers with the scores of every member."""

    run: Run
    rows: tuple[_Rows, ...]
    design: Design
    names: tuple[str, ...]
    """By what names labels may mean the run."""

    def document(self, row: JsonObject) -> Hashable:
        """Answers that share it belong together: the document's cluster, else the document."""
        place = str(row["task"]), int(row["doc_id"])
        cluster = self.design.get(place, (None, None))[1]
        return place[0], place[1] if cluster is None else str(cluster)

    def of(self, dimension: str) -> Iterator[tuple[JsonObject, list[float | None]]]:
        """Each answer's row and its scores by member."""
        for key, row in self.rows[0].items():
            if key[1] == dimension:
                given = [of_member.get(key) for of_member in self.rows]
                yield row.row, [None if one is None else one.score for one in given]

    def label(self, row: JsonObject, dimension: str, labels: Labels) -> float | None:
        """The mean of people's ratings."""
        for name in self.names:
            given = [v for v in labels.get((f"{row['task']}/{row['doc_id']}|{name}", dimension), ()) if np.isfinite(v)]
            if given:
                return sum(given) / len(given)
        return None


def learn_jury(runs: Sequence[Run], rubric: Rubric, members: Sequence[str], labels: Labels, file: Path) -> Jury:
    """Learn one weight for each member and dimension from the labelled answers of all runs, and score every answer.

    `file` is where the labels come from, which is part of the jury's identity.
    """
    if len(members) < 2:
        raise UsageError(f"--judges {','.join(members)}: a jury has two members at least")
    answers = [_read(run, runs, rubric, members) for run in runs]
    fingerprints = [
        _fingerprint(name, [of_run.rows[place] for of_run in answers]) for place, name in enumerate(members)
    ]
    found = {name: _learn(answers, name, labels, members) for name in (d.name for d in rubric.dimensions)}
    labelled = sum(of_dimension.labelled for of_dimension in found.values())
    if not labelled:
        row = next(iter(answers[0].rows[0].values())).row
        raise UsageError(
            f"--labels {file}: no label is of an answer that {', '.join(members)} all scored; an item is written as"
            f" {row['task']}/{row['doc_id']}|{answers[0].names[-1]} (the labels have {next(iter(labels))[0]})"
        )
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    identity = {
        "members": dict(zip(members, fingerprints, strict=True)),
        "labels": {"file": file.name, "sha256": digest},
        "weights": {
            name: {m: round(float(w), 6) for m, w in zip(members, one.weights.mean, strict=True)}
            for name, one in found.items()
        },
    }
    judge = Judge(JURY, "jury:" + hashlib.blake2b(json.dumps(identity).encode(), digest_size=8).hexdigest())
    notes = [note for name, one in found.items() for note in _notes(name, one, members)]
    judged = []
    for of_run in answers:
        judgments = _judgments(of_run, rubric, members, found)
        judged.append(Judged(rubric, [judge], [judgments], warnings=list(notes), described=[identity]))
    return Jury(rubric, tuple(members), found, tuple(judged), tuple(notes))


def _read(run: Run, runs: Sequence[Run], rubric: Rubric, members: Sequence[str]) -> _Answers:
    judges = _judges_of(run, rubric.id)
    rows = []
    for name in members:
        if name not in judges or name == JURY:
            others = [judge for judge in judges if judge != JURY]
            raise UsageError(
                f"--judges {name}: {run.run_id} has no figure of it by {rubric.id}{nearest(name, others)}"
                f" (judges with one: {', '.join(others) or 'none'}); evalkit judge run makes it"
            )
        rows.append(_rows_of(run, rubric, name))
    alone = sum(other.label == run.label for other in runs) == 1
    return _Answers(run, tuple(rows), design_of(run), (run.run_id, run.label) if alone else (run.run_id,))


def _rows_of(run: Run, rubric: Rubric, judge: str) -> _Rows:
    scales, tasks, rows = rubric.scales, run.record.results.tasks, {}
    for line in run.judgments(filter_of(rubric.id, [judge])):
        item, dimension, task, doc_id = (line.get(key) for key in ("item", "dimension", "task", "doc_id"))
        if not (isinstance(item, str) and isinstance(dimension, str) and isinstance(task, str) and type(doc_id) is int):
            raise RunFolderError(
                f"{run.path}: a judgment of {judge} lacks its item, dimension, task or doc_id; judge again with evalkit"
                " judge run"
            )
        if line.get("rubric_hash") != rubric.hash:
            raise NotComparable(
                f"{run.run_id}: {judge} judged by another version of rubric {rubric.id}; evalkit judge run judges again"
            )
        if dimension in scales and task in tasks:
            rows[item, dimension] = score_row({"score": None, **line}, scales[dimension], f"{run.path}: {item}")
    for name in scales:
        if not any(row.score is not None for key, row in rows.items() if key[1] == name):
            raise JudgeError(f"{run.run_id}: {judge} gave no score of {name}, so no jury can count it")
    return rows


def _judges_of(run: Run, rubric: str) -> list[str]:
    """The judges that have a figure by this rubric."""
    named: dict[str, None] = {}
    for task in run.record.results.tasks.values():
        for metric in task.metrics.values():
            names = judge_names(metric)
            if names is not None and names[0] == rubric:
                named |= dict.fromkeys(names[1])
    return list(named)


def _fingerprint(name: str, by_run: Sequence[_Rows]) -> str:
    found = {str(recorded.row.get("judge_fingerprint")) for rows in by_run for recorded in rows.values()}
    if len(found) > 1:
        raise NotComparable(
            f"{name} changed between these judgments (it has {len(found)} fingerprints); judge all runs alike with"
            " evalkit judge run"
        )
    return found.pop()


def _learn(answers: Sequence[_Answers], dimension: str, labels: Labels, members: Sequence[str]) -> DimensionWeights:
    scores: list[list[float]] = []
    people, documents, strata = [], [], []
    for place, of_run in enumerate(answers):
        for row, given in of_run.of(dimension):
            label = of_run.label(row, dimension, labels)
            known = [score for score in given if score is not None]
            if label is None or len(known) < len(members):
                continue
            scores.append(known)
            people.append(label)
            documents.append(of_run.document(row))
            strata.append((place, row["task"]))
    f, y = np.array(scores, float).reshape(-1, len(members)), np.array(people, float)
    weights = jury_weights(f, y, documents, strata)
    jury = np.array([weights.of(document) @ row for document, row in zip(documents, f, strict=True)])
    return DimensionWeights(weights, len(y), tuple(_correlation(one, y) for one in f.T), _correlation(jury, y))


def _notes(dimension: str, learnt: DimensionWeights, members: Sequence[str]) -> Iterator[str]:
    if learnt.weights.reason:
        yield f"{dimension}: equal weights: {learnt.weights.reason}"
    best, place = max((value or 0.0, -number) for number, value in enumerate(learnt.correlation))
    if learnt.jury_correlation is not None and best - learnt.jury_correlation > _NOTICEABLE:
        yield (
            f"{dimension}: {members[-place]} alone goes with people's labels as well as the jury does"
            f" ({best:.3f}, the jury {learnt.jury_correlation:.3f})"
        )


def _correlation(judge: Floats, people: Floats) -> float | None:
    if len(people) < 2 or not np.ptp(judge) or not np.ptp(people):
        return None
    return float(np.corrcoef(judge, people)[0, 1])


def _judgments(
    answers: _Answers, rubric: Rubric, members: Sequence[str], learnt: Mapping[str, DimensionWeights]
) -> list[Judgment]:
    """The jury's judgment of each answer that the first member was asked about, in its order."""
    made: list[Judgment] = []
    for (name, dimension), recorded in answers.rows[0].items():
        weights, item = learnt[dimension].weights, _item(recorded.row)
        used = weights.of(answers.document(recorded.row))
        given = [rows.get((name, dimension)) for rows in answers.rows]
        score, reason = 0.0, None
        for member, one, share, mean in zip(members, given, used, weights.mean, strict=True):
            if one is not None and one.score is not None:
                score += float(share) * one.score
            elif mean > 0:  # a member that weighs nothing is not waited for
                reason = reason or f"{member}: {'not judged' if one is None else one.reason}"
        if reason is not None:
            made.append(Judgment(item, dimension, None, reason))
            continue
        scale = rubric.dimension(dimension).scale
        shares = ", ".join(f"{member} {share:.2f}" for member, share in zip(members, weights.mean, strict=True))
        score = min(max(score, scale.low), scale.high)
        made.append(Judgment(item, dimension, score, method=f"jury ({shares})"))
    return made


def _item(row: JsonObject) -> Item:
    """The judged answer as its row has it."""
    return Item(
        item=str(row["item"]),
        group=str(row.get("group") or f"{row['task']}/{row['doc_id']}"),
        system=str(row.get("system") or ""),
        inputs={"answer": str(row.get("answer") or "")},
        task=str(row["task"]),
        doc_id=int(row["doc_id"]),
        doc_hash=str(row.get("doc_hash") or ""),
        prompt_hash=None,
        against=against if isinstance(against := row.get("against"), str) else None,
        failed_check="capped" in row,
    )
