"""Runs for a leaderboard, written by hand, and the board made of them."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

from evalkit.ranking import Leaderboard, leaderboard
from evalkit.reporting.leaderboard_view import as_csv
from evalkit.results import Run, all_runs, model_slug

__all__ = ["board", "figure", "rows", "write"]


def figure(value: float | None, stderr: float | None = 0.01, **more: Any) -> dict[str, Any]:
    if value is None:
        return {"value": None, "reason": "no document was scored"}
    ci95 = None if stderr is None else [value - 2 * stderr, value + 2 * stderr]
    return {"value": value, "stderr": stderr, "ci95": ci95, "higher_is_better": True, **more}


def write(
    root: Path,
    model: str,
    scores: dict[str, float | None],
    *,
    run_id: str = "r1",
    status: str = "complete",
    stderr: float | None = 0.01,
    chance: float | None = 0.25,
    shots: int = 5,
    metric: str = "acc,none",
    higher: bool = True,
    day: int = 1,
    finished: bool = True,
    **facts: Any,
) -> Run:
    path = root / model_slug(model) / run_id
    path.mkdir(parents=True)
    date = f"2026-03-{day:02d}T00:00:00Z"
    manifest = {
        "schema": 1,
        "run_id": run_id,
        "created": date,
        "finished": date if finished else None,
        "model": {
            "typed": model,
            "source": f"org/{model}",
            "parameters": 7_241_732_096,
            "license": "apache-2.0",
            **facts,
        },
        "engine": {"name": "vllm", "dtype": "bfloat16"},
    }
    tasks = {
        name: {
            "version": 1.0,
            "num_fewshot": shots,
            "n": 100,
            "headline": metric,
            "chance": chance,
            "metrics": {"other,none": figure(0.0), metric: {**figure(value, stderr), "higher_is_better": higher}},
        }
        for name, value in scores.items()
    }
    results = {"schema": 1, "run_id": run_id, "requested": list(scores), "status": status, "tasks": tasks}
    (path / "manifest.json").write_text(json.dumps(manifest))
    (path / "results.json").write_text(json.dumps(results))
    return Run.open(path)


def board(root: Path, **options: Any) -> Leaderboard:
    return leaderboard(all_runs(root).runs, **options)


def rows(made: Leaderboard) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(as_csv(made).removeprefix("\ufeff"), newline="")))
