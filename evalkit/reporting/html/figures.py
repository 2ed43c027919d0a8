"""Turns views, leaderboard, troubles and manifests into the page's JSON, with the texts of the other verbs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from evalkit.comparison import Comparison, Target, parts, requested_names
from evalkit.ranking import Leaderboard
from evalkit.reporting import comparison_view as comparing
from evalkit.reporting import early as sequential
from evalkit.reporting import gate_view as judging
from evalkit.reporting import leaderboard_view as ranking
from evalkit.reporting.views import Part, View
from evalkit.results import Run
from evalkit.types import JsonObject

__all__ = ["board_entry", "run_entry", "troubles", "view_entry"]

_TROUBLES = ("truncated_prompts", "unfinished", "unparsed", "missing", "errors", "not_run")


def run_entry(run: Run) -> JsonObject:
    engine = run.record.manifest.engine
    costs = {key: run.record.results.as_json().get(key) for key in ("timing", "tokens", "notes")}
    return {
        "label": run.label,
        "run_id": run.run_id,
        "status": run.status,
        "limited": bool(run.record.results.limited) or run.status == "limited",
        "finished": None if run.finished is None or run.dated is None else run.dated.isoformat(timespec="seconds"),
        "ended": run.finished is not None,
        "engine": engine.name if engine else None,
        "requested": run.requested,
        **costs,
        "manifest": run.record.manifest.as_json(),
    }


def board_entry(board: Leaderboard, runs: Sequence[Run]) -> JsonObject:
    places = {id(run): place for place, run in enumerate(runs)}
    entry = ranking.as_dict(board)
    for row, line in zip(entry["rows"], board.lines, strict=True):
        row["run"] = places[id(line.run)]
        del row["path"]
    return {**entry, "about": ranking.about(board)}


def view_entry(view: View, runs: Sequence[Run]) -> JsonObject:
    places = {id(run): place for place, run in enumerate(runs)}
    content: dict[str, Any] = {
        "run": places[id(view.run)],
        "baseline": None if view.alone else places[id(view.baseline)],
        "reason": view.reason,
        "refused": dict(view.refused),
        "gate_reason": view.gate_reason,
        "notes": [],
        "tasks": [],
    }
    compared: JsonObject = {}
    if view.against is not None:
        [comparison] = comparing.as_dict(Comparison(view.baseline, (view.against,)))["against"]
        compared, content["notes"] = comparison["tasks"], comparison["notes"]
    content["gate"], judged = _verdict(view, content["notes"])
    for part in view.parts:
        name = part.target.name
        content["tasks"].append(
            {
                **_target(part.target),
                "n": part.measured.n,
                "scale": part.measured.scale,
                **{key: value for key, value in compared.get(name, {}).items() if key not in _ELSEWHERE},
                "figures": [_figure(run, name, part.target.metric) for run in (view.baseline, view.run)],
                "gate": judged.pop((name, part.target.metric), None),
                "parts": _parts(view, part),
                "parts_are": "strata" if len(part.target.leaves) == 1 else "tasks",
            }
        )
    # The policy may also judge other metrics of a task, such as a judge's score.
    content["others"] = [{**entry, "gate": entry} for entry in judged.values()]
    return content


_ELSEWHERE = ("members", "changed_documents")

_Judged = dict[tuple[str, str], JsonObject]


def _verdict(view: View, shown: Sequence[str]) -> tuple[JsonObject | None, _Judged]:
    """The gate's verdict, or that of a run which was judged while it ran; `shown`: notes that need not be repeated."""
    if view.gate is None:
        return _early_verdict(view)
    result = judging.as_dict(view.gate)
    verdict = {
        "verdict": result["verdict"],
        "headline": judging.headline(view.gate),
        "policy": judging.policy_words(view.gate),
        "notes": [note for note in result["notes"] if note not in shown],
    }
    entries: _Judged = {}
    rules = view.gate.policy.tasks
    for task in view.gate.tasks:
        entry = {key: value for key, value in result["tasks"][task.name].items() if key not in _ELSEWHERE}
        rule = rules.get(task.name)
        name = (rule.task if rule else None) or task.name
        entries[name, task.metric] = {**entry, "name": task.name, "scale": task.scale}
    return verdict, entries


def _early_verdict(view: View) -> tuple[JsonObject | None, _Judged]:
    """The verdict of a run that was judged while it ran, if it was compared with this baseline."""
    results = view.run.record.results
    early = results.early_stopping
    if early is None or not early.verdict or view.run.against != view.baseline.run_id:
        return None, {}
    verdict = {
        "verdict": early.verdict,
        "headline": sequential.headline(results, ""),
        "policy": "judged while it ran, by a confidence sequence that may be looked at early",
        "notes": [],
    }
    return verdict, {
        (name, str(task.metric)): {"name": name, "scale": 1.0, "ci95": None, **task.as_json()}
        for name, task in early.tasks.items()
    }


def troubles(views: Sequence[View], runs: Sequence[Run]) -> list[JsonObject]:
    """Counts of cut prompts, unreadable and missing answers, for each requested name and its affected members."""
    lines: list[JsonObject] = []
    names = list(dict.fromkeys(part.target.name for view in views for part in view.parts))
    names += [name for run in runs for name in requested_names(run) if name not in names]
    for name in dict.fromkeys(names):
        leaves = list(dict.fromkeys(leaf for run in runs for leaf in _leaves(run, name)))
        lines.append({"name": name, "depth": 0, "runs": [_troubles(run, leaves) for run in runs]})
        if leaves == [name]:
            continue
        for leaf in leaves:
            counts = [_troubles(run, [leaf]) for run in runs]
            if any(of_run and any(of_run[key] for key in _TROUBLES) for of_run in counts):
                lines.append({"name": leaf, "depth": 1, "runs": counts})
    return lines


def _troubles(run: Run, leaves: Sequence[str]) -> JsonObject | None:
    """The counts of these tasks, None if the run has none of them. A count is null if the run doesn't record it."""
    tasks = run.record.results.tasks
    chosen = [tasks[leaf] for leaf in leaves if leaf in tasks]
    if not chosen:
        return None
    counts = {"n": _sum(task.n for task in chosen)}
    counts |= {key: _sum(getattr(task, key).value for task in chosen) for key in _TROUBLES}
    covered = [counts[key] or 0 for key in ("n", "missing", "errors", "not_run")]
    return {**counts, "asked": sum(covered)}


def _sum(counts: Iterable[int | None]) -> int | None:
    stated = [count for count in counts if count is not None]
    return sum(stated) if stated else None


def _leaves(run: Run, name: str) -> Iterator[str]:
    results = run.record.results
    group = results.groups.get(name)
    members = group.all_members if group else ()
    if not members and name in results.tasks:
        yield name
    for member in members:
        if member != name:
            yield from _leaves(run, member)


def _target(target: Target) -> JsonObject:
    return {"name": target.name, "metric": target.metric, "higher_is_better": target.higher_is_better}


def _figure(run: Run, name: str, metric: str) -> JsonObject | None:
    """The figure's entry in results.json, with its interval."""
    entry = run.entry(name)
    figure = entry.metrics.get(metric) if entry else None
    return figure.as_json() if figure else None


def _parts(view: View, part: Part) -> list[JsonObject]:
    of_tasks = len(part.target.leaves) > 1
    return [
        {
            "name": member.name,
            "n": member.n,
            "a": member.baseline,
            "b": member.candidate,
            "lost": member.lost,
            "gained": member.gained,
            "ci": [
                (_figure(run, member.name, part.target.metric) or {}).get("ci95") if of_tasks else None
                for run in (view.baseline, view.run)
            ],
        }
        for member in parts(part.measured)
    ]
