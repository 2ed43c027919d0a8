"""Matches people's labels with a detector's verdicts on the same answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evalkit.detectors.answers import AnswerFile, Label
from evalkit.detectors.detector import Detection
from evalkit.errors import UsageError

__all__ = ["FEWEST", "Labelled", "check_labels", "match_labels"]

FEWEST = 30
"""Labels below which no rate is corrected."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """The answers that have a verdict and a label, and the verdicts on all others."""

    people: tuple[bool, ...]
    detector: tuple[bool, ...]
    rest: tuple[bool, ...]


def check_labels(file: AnswerFile, labels: Sequence[Label], source: str, model: str | None) -> None:
    """Refuse labels of other answers, since a detector errs differently on another model, and labels that are too few.

    It needs no verdict, so that nothing is paid for labels that cannot be used.
    """
    places = {answer.id: place for place, answer in enumerate(file.answers)}
    if unknown := [label for label in labels if label.id not in places]:
        raise UsageError(
            f"--labels {source}: {len(unknown)} of {len(labels)} labels are of answers that are not in {file.path}"
            f" (the first: id {unknown[0].id!r}); label this model's own answers"
        )
    for label in labels:
        _check_origin(label, file, places[label.id], source, model)
    _check_enough(len(labels), source, "labels of these answers")


def match_labels(file: AnswerFile, detections: Sequence[Detection], labels: Sequence[Label], source: str) -> Labelled:
    """Match by id."""
    by_id = {label.id: label.found for label in labels}
    people, detector, rest = [], [], []
    for answer, detection in zip(file.answers, detections, strict=True):
        if detection.found is None:
            continue
        if answer.id in by_id:
            people.append(by_id[answer.id])
            detector.append(detection.found)
        else:
            rest.append(detection.found)
    _check_enough(len(people), source, "labels of answers with a verdict")
    return Labelled(tuple(people), tuple(detector), tuple(rest))


def _check_enough(count: int, source: str, what: str) -> None:
    if count < FEWEST:
        raise UsageError(
            f"--labels {source}: {count} {what}, and {FEWEST} are needed to correct a rate;"
            f" label {FEWEST - count} more answers, drawn at random"
        )


def _check_origin(label: Label, file: AnswerFile, place: int, source: str, model: str | None) -> None:
    whose = model or file.models[place]
    if label.model is not None and whose is not None and label.model != whose:
        raise UsageError(
            f"--labels {source}: {label.place} labels an answer of {label.model}, and these answers are {whose}'s;"
            " a detector errs otherwise on another model: label this model's own answers"
        )
    if label.output is not None and label.output != file.answers[place].output:
        raise UsageError(
            f"--labels {source}: {label.place} labels another answer to {label.id!r} than {file.path} holds;"
            " label this model's own answers"
        )
