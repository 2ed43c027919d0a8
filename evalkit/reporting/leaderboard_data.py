"""Writes a leaderboard as JSON and CSV."""

from __future__ import annotations

import csv
import io
import json

from evalkit import safe
from evalkit.ranking import Leaderboard, Line, Score
from evalkit.types import JsonObject

__all__ = ["as_csv", "as_dict", "as_json"]


def as_dict(board: Leaderboard) -> JsonObject:
    return {
        "schema": 1,
        "benchmarks": {
            benchmark.name: {"metric": benchmark.metric, "higher_is_better": benchmark.higher_is_better}
            for benchmark in board.benchmarks
        },
        "mean_over": list(board.shared),
        "normalised_mean_over": list(board.normalised),
        "notes": list(board.notes),
        "rows": [_as_dict(line) for line in board.lines],
    }


def as_json(board: Leaderboard) -> str:
    return json.dumps(as_dict(board), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _as_dict(line: Line) -> JsonObject:
    unknown = {"value": None, "reason": "the run's manifest doesn't say"}
    return {
        "rank": None if line.rank is None else {"best": line.rank.low, "worst": line.rank.high, "tied": line.tied},
        "model": line.label,
        "parameters": unknown if line.parameters is None else line.parameters,
        "license": line.license or unknown,
        "engine": line.engine or unknown,
        "precision": line.precision or unknown,
        "mean": _score(line.mean),
        "normalised_mean": _score(line.normalised),
        "benchmarks": {
            name: {**_score(score), "num_fewshot": line.shots.get(name)} for name, score in line.scores.items()
        },
        "status": line.run.status,
        "date": unknown if line.date is None else line.date.isoformat(),
        "run_id": line.run.run_id,
        "path": str(line.run.path),
    }


def _score(score: Score) -> JsonObject:
    if score.value is None:
        return {"value": None, "reason": score.reason or "not known"}
    ci95 = None if score.ci95 is None else list(score.ci95)
    return {"value": score.value, "stderr": score.stderr, "ci95": ci95}


# ── CSV ──────────────────────────────────────────────────────────────────────


_YES_NO = {True: "yes", False: "no", None: None}


def as_csv(board: Leaderboard) -> str:
    """One header row, then unrounded numbers. The byte order mark at the start tells spreadsheets that it is UTF-8."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    head = ["rank", "rank_low", "rank_high", "model", "parameters", "license", "engine", "precision", "mean"]
    head += ["mean_low", "mean_high", "normalised_mean", "normalised_mean_low", "normalised_mean_high", "mean_over"]
    for benchmark in board.benchmarks:
        title = f"{benchmark.of} {benchmark.metric}"
        head += [title, f"{title} low", f"{title} high", f"{benchmark.name} shots", f"{benchmark.name} documents"]
    head += ["chat_template", "revision", "status", "date", "run_id"]
    writer.writerow([safe.csv_cell(cell) for cell in head])
    for line in board.lines:
        low, high = (None, None) if line.rank is None else (line.rank.low, line.rank.high)
        row: list[object] = [low, low, high, line.label, line.parameters, line.license, line.engine, line.precision]
        row += [*_numbers(line.mean), *_numbers(line.normalised), " ".join(board.shared)]
        for benchmark in board.benchmarks:
            name = benchmark.name
            row += [*_numbers(line.scores[name]), line.shots[name], line.documents[name]]
        row += [_YES_NO[line.chat_template], line.run.record.manifest.model.revision]
        row += [line.run.status, line.date, line.run.run_id]
        writer.writerow([safe.csv_cell(cell) for cell in row])
    return "\ufeff" + out.getvalue()


def _numbers(score: Score) -> tuple[float | None, float | None, float | None]:
    low, high = score.ci95 or (None, None)
    return score.value, low, high
