"""Keeps the records of how far a judge with a rubric agreed with people, and finds the one that a figure may rest on.

A record names the judge's fingerprint, the rubric's hash, the dimensions that were labelled, and the models and the
language of the labelled answers. A figure of another model, language or dimension does not rest on it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from evalkit.judging.items import Item
from evalkit.judging.judgment import Judge
from evalkit.judging.records import Judged
from evalkit.judging.reports import CalibrationNote, DimensionReport
from evalkit.results import check_writable, slug, write_file
from evalkit.types import JsonObject

__all__ = ["JudgedAnswers", "certificate_of", "find_certificates", "language_of", "save_certificate"]

_FOLDER = ".calibration"
_KEPT = ("n", "coverage", "pearson", "spearman", "kendall", "qwk", "alpha", "pairwise_accuracy", "bias")
_FEWEST_LABELS = 2
"""Labels of a dimension without which its calibration record says nothing of it."""
_NEVER = "this judge with this rubric was never held against people; evalkit judge calibrate does that"


@dataclass(frozen=True, slots=True)
class JudgedAnswers:
    """The models and the language of judged answers, which a record has to match."""

    models: frozenset[str]
    language: str | None

    @classmethod
    def of(cls, items: Sequence[Item]) -> JudgedAnswers:
        models = frozenset(item.system for item in items if item.system)
        return cls(models, language_of(item.answer for item in items))


def save_certificate(
    root: Path, figures: Mapping[str, DimensionReport], judged: Sequence[Judged], labels: str
) -> Path | None:
    """Write the record. None if the judgments do not all name the same judge and rubric. `judged`: those with a label.

    Records of other models or another language stay beside it, and what such a record says of other dimensions in it.
    """
    named = {(row.row.get("rubric_hash"), row.row.get("judge_fingerprint")) for row in judged}
    if len(named) != 1 or None in next(iter(named)):
        return None
    (rubric_hash, fingerprint), first = named.pop(), judged[0].row
    models = sorted({str(row.system) for row in judged if row.system})
    language = language_of(str(row.row.get("answer") or "") for row in judged)
    answers = hashlib.blake2b("\0".join([str(language), *models]).encode(), digest_size=4).hexdigest()
    path = check_writable(root) / _FOLDER / f"{_stem(str(rubric_hash), str(fingerprint))}@{answers}.json"
    about = {"rubric_hash": rubric_hash, "judge_fingerprint": fingerprint, "models": models, "language": language}
    dimensions = _merged(
        _read(path),
        about,
        {
            name: {key: value.get(key) for key in _KEPT}
            | {"spearman_ci95": value.get("spearman_ci95"), "labels": labels}
            for name, value in figures.items()
        },
    )
    content = {
        "schema": 1,
        "rubric": first.get("rubric"),
        "rubric_hash": rubric_hash,
        "judge": first.get("judge"),
        "judge_fingerprint": fingerprint,
        "labels": _files(dimensions.values(), labels),
        "models": models,
        "language": language,
        "dimensions": dimensions,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    write_file(path, json.dumps(content, ensure_ascii=False, indent=1).encode() + b"\n")
    return path


def find_certificates(
    root: Path, rubric_hash: str, judges: Sequence[Judge], answers: JudgedAnswers | None = None
) -> list[CalibrationNote]:
    """The records of this judge with exactly this rubric for such answers, the newest first.

    Where there are none, a single note has the reason. Where there are only records of other answers, it says of which.
    """
    if len(judges) != 1:
        return [{"value": None, "reason": "several judges together have no calibration record"}]
    records = _records(root, rubric_hash, judges[0].fingerprint)
    if not records:
        return [{"value": None, "reason": _NEVER}]
    reasons = [(_mismatch(record, answers), record) for record in records]
    fitting = [record for reason, record in reasons if reason is None]
    if not fitting:
        return [
            {"value": None, "reason": f"{reasons[0][0]}; evalkit judge calibrate with labels of these answers does"}
        ]
    return [
        {
            "labels": record.get("labels"),
            "language": record.get("language"),
            "models": record.get("models"),
            "dimensions": record.get("dimensions"),
        }
        for record in fitting
    ]


def certificate_of(records: Sequence[CalibrationNote], dimensions: Sequence[str]) -> CalibrationNote | None:
    """The newest record that covers all these dimensions, else one made of the newest that covers each.

    The reason where a dimension is covered by none. None where nobody looked for records.
    """
    if not records or records[0].get("reason"):
        return records[0] if records else None
    for record in records:
        if all(_covers(record, name) for name in dimensions):
            return record
    chosen = {}
    for name in dimensions:
        covering = next((record for record in records if _covers(record, name)), None)
        if covering is None:
            reason = f"people's labels in its calibration record say nothing of {name}"
            return {"value": None, "reason": f"{reason}; evalkit judge calibrate with such labels does"}
        chosen[name] = covering
    named = [models for record in chosen.values() if (models := record.get("models"))]
    return {
        "labels": ", ".join(dict.fromkeys(str(record.get("labels")) for record in chosen.values())),
        "language": next(iter(chosen.values())).get("language"),
        # Of those whose answers were labelled in every one of the dimensions.
        "models": [model for model in named[0] if all(model in models for models in named)] if named else None,
        "dimensions": {name: (record.get("dimensions") or {})[name] for name, record in chosen.items()},
    }


def language_of(answers: Iterable[str]) -> str | None:
    """`ko` where at least half of the letters are Hangul, else `other`. None where there are no letters."""
    letters = korean = 0
    for answer in answers:
        letters += sum(map(str.isalpha, answer))
        korean += sum("\uac00" <= character <= "\ud7a3" for character in answer)
    if not letters:
        return None
    return "ko" if 2 * korean >= letters else "other"


def _records(root: Path, rubric_hash: str, fingerprint: str) -> list[JsonObject]:
    """All records of the judge with the rubric, the newest first."""
    stem = _stem(rubric_hash, fingerprint)
    try:
        # A record of an older version has no part for its answers in its name.
        paths = [path for path in (root / _FOLDER).iterdir() if path.stem == stem or path.stem.startswith(f"{stem}@")]
        paths.sort(key=lambda path: (-path.stat().st_mtime_ns, path.name))
    except OSError:
        return []
    records: list[JsonObject] = []
    for path in paths:
        content = _read(path)
        if content is not None and content.get("rubric_hash") == rubric_hash:
            records.append(content)
    return records


def _read(path: Path) -> JsonObject | None:
    """None where there is no record, or something else."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def _merged(
    before: JsonObject | None, about: Mapping[str, object], found: Mapping[str, dict[str, object]]
) -> dict[str, dict[str, object]]:
    """What was found of each dimension, and what an earlier record of the same answers says of the others."""
    if before is None or any(before.get(key) != value for key, value in about.items()):
        return dict(found)
    earlier = before.get("dimensions")
    kept = {
        name: {"labels": before.get("labels"), **entry}
        for name, entry in (earlier.items() if isinstance(earlier, dict) else ())
        if _enough(entry) and not _enough(found.get(name))
    }
    return {**found, **kept}


def _files(dimensions: Iterable[Mapping[str, object]], labels: str) -> str:
    """The files of labels that the figures of all these dimensions rest on."""
    names = [str(entry.get("labels")) for entry in dimensions if _enough(entry)]
    return ", ".join(dict.fromkeys(names)) or labels


def _covers(record: CalibrationNote, dimension: str) -> bool:
    held = record.get("dimensions")
    return isinstance(held, Mapping) and _enough(held.get(dimension))


def _enough(entry: object) -> bool:
    """Whether a dimension has labels that say something of it."""
    n = entry.get("n") if isinstance(entry, Mapping) else None
    return isinstance(n, int) and n >= _FEWEST_LABELS


def _mismatch(record: JsonObject, answers: JudgedAnswers | None) -> str | None:
    """Why the record does not match these answers; None where it does. One without language and models matches all."""
    if answers is None:
        return None
    models, language = record.get("models"), record.get("language")
    if isinstance(models, list) and models and (others := sorted(answers.models - set(map(str, models)))):
        return f"its calibration record is of answers by {_words(models)}, and not by {_words(others)}"
    if language and answers.language and language != answers.language:
        words = {"ko": "Korean answers", "other": "answers in another language than Korean"}
        return f"its calibration record is of {words.get(str(language), str(language))}, these are not"
    return None


def _words(names: Sequence[object]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(str(name)[:80] for name in names[:3]) + more


def _stem(rubric_hash: str, fingerprint: str) -> str:
    return f"{slug(rubric_hash[:16])}@{slug(fingerprint)[:60]}"
