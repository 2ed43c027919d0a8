"""Keeps the record that a judge with a rubric was compared with people. A gate needs it to use the judge's figures."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from evalkit.judging.judgment import Judge
from evalkit.judging.records import Judged
from evalkit.judging.reports import CalibrationNote, DimensionReport
from evalkit.results import check_writable, slug, write_file

__all__ = ["find_certificate", "save_certificate"]

_FOLDER = ".calibration"
_KEPT = ("n", "coverage", "pearson", "spearman", "kendall", "qwk", "alpha", "pairwise_accuracy", "bias")


def save_certificate(
    root: Path, figures: Mapping[str, DimensionReport], judged: Sequence[Judged], labels: str
) -> Path | None:
    """Write the record. None if the judgments do not all name the same judge and rubric."""
    named = {(row.row.get("rubric_hash"), row.row.get("judge_fingerprint")) for row in judged}
    if len(named) != 1 or None in next(iter(named)):
        return None
    (rubric_hash, fingerprint), first = named.pop(), judged[0].row
    content = {
        "schema": 1,
        "rubric": first.get("rubric"),
        "rubric_hash": rubric_hash,
        "judge": first.get("judge"),
        "judge_fingerprint": fingerprint,
        "labels": labels,
        "models": sorted({str(row.system) for row in judged if row.system}),
        "language": _language([str(row.row.get("answer") or "") for row in judged]),
        "dimensions": {
            name: {key: value.get(key) for key in _KEPT} | {"spearman_ci95": value.get("spearman_ci95")}
            for name, value in figures.items()
        },
    }
    path = _path(check_writable(root), str(rubric_hash), str(fingerprint))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_file(path, json.dumps(content, ensure_ascii=False, indent=1).encode() + b"\n")
    return path


def find_certificate(root: Path, rubric_hash: str, judges: Sequence[Judge]) -> CalibrationNote:
    """The record of this judge with exactly this rubric, or the reason why there is none and how to make one."""
    missing: CalibrationNote = {
        "value": None,
        "reason": "this judge with this rubric was never held against people; evalkit judge calibrate does that",
    }
    if len(judges) != 1:
        return {**missing, "reason": "several judges together have no calibration record"}
    path = _path(root, rubric_hash, judges[0].fingerprint)
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return missing
    if not isinstance(content, dict) or content.get("rubric_hash") != rubric_hash:
        return missing
    return {
        "labels": content.get("labels"),
        "language": content.get("language"),
        "models": content.get("models"),
        "dimensions": content.get("dimensions"),
    }


def _language(answers: Sequence[str]) -> str | None:
    """`ko` where at least half of the letters are Hangul, else `other`. None where the judgments hold no answer."""
    letters = [character for answer in answers for character in answer if character.isalpha()]
    if not letters:
        return None
    korean = sum("\uac00" <= character <= "\ud7a3" for character in letters)
    return "ko" if 2 * korean >= len(letters) else "other"


def _path(root: Path, rubric_hash: str, fingerprint: str) -> Path:
    return root / _FOLDER / f"{slug(rubric_hash[:16])}@{slug(fingerprint)[:60]}.json"
