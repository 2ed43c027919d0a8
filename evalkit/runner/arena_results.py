"""Writes what an arena found: its games, and a run folder of each model, which leaderboard, report and exports read."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from evalkit.judging.rubric import Rubric
from evalkit.ranking.arena.ratings import Arena, Standing
from evalkit.results import (
    Count,
    Manifest,
    Metric,
    Reporter,
    Results,
    Run,
    RunWriter,
    TaskResult,
    TaskSettings,
    filter_of,
    run_path,
    same_settings,
    slug,
    write_file,
)
from evalkit.runner.arena import Match, Played
from evalkit.runner.manifest import now
from evalkit.stats import clustered_mean
from evalkit.types import Row

__all__ = ["TASK", "write_arena"]

TASK = "arena"
_POINTS = {"model_a": (1.0, 0.0), "model_b": (0.0, 1.0), "tie": (0.5, 0.5)}


def write_arena(
    root: Path,
    run_id: str,
    runs: Mapping[str, Run],
    played: Played,
    arena: Arena,
    rubric: Rubric,
    settings: Mapping[str, object],
    report: Reporter | None = None,
) -> tuple[Path, list[Run]]:
    """Write `<root>/arena/<run_id>/games.jsonl` and a run of the task `arena` for each model.

    A model's `score` of a prompt is its share of points in the games on it, so that two models' runs can be compared.
    """
    folder = root / TASK / run_id
    folder.mkdir(parents=True, exist_ok=True)
    lines = "".join(json.dumps(dict(match.row), ensure_ascii=False) + "\n" for match in played.matches)
    write_file(folder / "games.jsonl", lines.encode())
    numbers = {prompt: number for number, prompt in enumerate(played.prompts)}
    name = filter_of(rubric.id, [played.judge.name])
    written = []
    for standing in arena.standings:
        run = runs[standing.model]
        rows = list(_rows(standing.model, played.matches, numbers, name))
        judging = {
            name: {
                "rubric": {"id": rubric.id, "version": rubric.version, "hash": rubric.hash},
                "judges": [{"name": played.judge.name, "fingerprint": played.judge.fingerprint}],
                "asked": played.asked,
                "reused": played.reused,
            }
        }
        source = run.record.manifest
        manifest = Manifest(
            created=now(),
            finished=now(),
            name=run_id,
            model=source.model,
            adapter=source.adapter,
            requested=(TASK,),
            tasks={TASK: TaskSettings(version=1.0, data_hash=_hash(played.prompts))},
            judging=judging,
        ).model_copy(update={"arena": dict(settings)})
        result = TaskResult(
            version=1.0,
            n=len(rows),
            missing=Count(value=0),
            metrics=_metrics(standing, arena, rows, rubric, played, name),
            headline=f"score,{name}",
        )
        results = Results(
            run_id=run_id,
            model=run.label,
            requested=(TASK,),
            status="complete",
            tasks={TASK: result},
            notes=(f"{len(played.matches):,} of {played.possible:,} games: {played.stopped}", *arena.notes),
        )
        place = run.path.parent.name or slug(run.label)
        _remove_earlier(run_path(root, place, run_id), manifest)
        with RunWriter(root, place, run_id) as writer:
            writer.rows(TASK, rows)
            own = (match.row for match in played.matches if standing.model in (match.model_a, match.model_b))
            writer.judgments(name, own)
            written.append(writer.commit(manifest, results, report))
    return folder, written


def _remove_earlier(folder: Path, manifest: Manifest) -> None:
    """Remove what the same arena wrote with fewer games. Another run of that name stays, and is refused."""
    if not (folder / "manifest.json").is_file():
        return
    earlier = Run.open(folder).record.manifest
    if earlier.states("arena") and not same_settings(earlier, manifest):
        shutil.rmtree(folder)


def _rows(model: str, matches: Sequence[Match], numbers: Mapping[str, int], filter_name: str) -> Iterator[Row]:
    """One row for each prompt on which the model has a result."""
    points: dict[str, list[float]] = defaultdict(list)
    games: dict[str, list[str]] = defaultdict(list)
    for match in matches:
        for place, name in enumerate((match.model_a, match.model_b)):
            if name == model and match.winner is not None:
                got = _POINTS[match.winner][place]
                other = (match.model_b, match.model_a)[place]
                points[match.prompt].append(got)
                word = {1.0: "won against", 0.0: "lost to"}.get(got, "tied with")
                games[match.prompt].append(f"{word} {other}")
    for prompt in sorted(points, key=lambda prompt: numbers[prompt]):
        score = sum(points[prompt]) / len(points[prompt])
        key = _hash([prompt])
        text = "; ".join(games[prompt])
        sample = {
            "doc_id": numbers[prompt],
            "doc": {"question_id": prompt},
            "target": "",
            "arguments": [],
            "resps": [[text]],
            "filtered_resps": [text],
            "filter": filter_name,
            "metrics": ["score"],
            "doc_hash": key,
            "prompt_hash": key,
            "target_hash": _hash([""]),
            "score": score,
        }
        yield Row(TASK, numbers[prompt], key, key, filter_name, sample, {"score": score})


def _metrics(
    standing: Standing, arena: Arena, rows: Sequence[Row], rubric: Rubric, played: Played, name: str
) -> dict[str, Metric]:
    judge = {
        "rubric": {"id": rubric.id, "version": rubric.version, "hash": rubric.hash},
        "judge": [{"name": played.judge.name, "fingerprint": played.judge.fingerprint}],
        "fingerprint": played.judge.fingerprint,
    }

    def figure(value: float | None, ci95: tuple[float, float] | None, why: str | None, **more: object) -> Metric:
        known = {"value": value, "ci95": ci95, "n": standing.games, "higher_is_better": True, **more}
        return Metric.model_validate(known if value is not None else {**known, "reason": why or "no games"})

    reason = standing.reason
    # The rating is of all games together: no prompt has a part of it, and a comparison goes by the score.
    metrics = {f"rating,{name}": figure(standing.rating, standing.ci95, reason, against=arena.anchor)}
    if arena.length_effect is not None:
        metrics[f"rating_at_equal_length,{name}"] = figure(standing.equal_length, standing.equal_length_ci95, reason)
    metrics[f"win_rate,{name}"] = figure(standing.win_rate, None, reason)
    if rows:
        mean = clustered_mean([row.metrics["score"] for row in rows])
        low, high = max(mean.interval().low, 0.0), min(mean.interval().high, 1.0)
        metrics[f"score,{name}"] = figure(mean.value, (low, high), None, stderr=mean.stderr, scale=(0.0, 1.0), **judge)
    else:
        metrics[f"score,{name}"] = figure(None, None, "no game with a result")
    return metrics


def _hash(texts: Sequence[str]) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()
