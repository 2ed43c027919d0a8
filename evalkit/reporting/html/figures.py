"""Views, boards, troubles and manifests as JSON: what the other verbs found, in their own words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from evalkit.comparison import Comparison, Target, parts, requested_names
from evalkit.ranking import Leaderboard
from evalkit.reporting import comparison_view as comparing
from evalkit.reporting import early as sequential
from evalkit.reporting import gate_view as judging
from evalkit.reporting import leaderboard_view as ranking
from evalkit.reporting.views import Part, View
from evalkit.results import Run

__all__ = ["board_entry", "run_entry", "troubles", "view_entry"]

_TROUBLES = ("truncated_prompts", "unfinished", "unparsed", "missing", "errors", "not_run")


def run_entry(run: Run) -> dict[str, Any]:
    engine = run.record.manifest.engine
    known = {key: run.results.get(key) for key in ("timing", "tokens", "notes")}
    return {
        "label": run.label,
        "run_id": run.run_id,
        "status": run.status,
        "limited": bool(run.record.results.limited) or run.status == "limited",
        "finished": None if run.finished is None or run.dated is None else run.dated.isoformat(timespec="seconds"),
        "ended": run.finished is not None,
        "engine": engine.name if engine else None,
        "requested": run.requested,
        **known,
        "manifest": run.manifest,
    }


def board_entry(board: Leaderboard, runs: Sequence[Run]) -> dict[str, Any]:
    places = {id(run): place for place, run in enumerate(runs)}
    said = ranking.as_dict(board)
    for row, line in zip(said["rows"], board.lines, strict=True):
        row["run"] = places[id(line.run)]
        del row["path"]
    return {**said, "about": ranking.about(board)}


def view_entry(view: View, runs: Sequence[Run]) -> dict[str, Any]:
    places = {id(run): place for place, run in enumerate(runs)}
    found: dict[str, Any] = {
        "run": places[id(view.run)],
        "baseline": None if view.alone else places[id(view.baseline)],
        "reason": view.reason,
        "refused": dict(view.refused),
        "gate_reason": view.gate_reason,
        "notes": [],
        "tasks": [],
    }
    compared: Mapping[str, Any] = {}
    if view.against is not None:
        [said] = comparing.as_dict(Comparison(view.baseline, (view.against,)))["against"]
        compared, found["notes"] = said["tasks"], said["notes"]
    found["gate"], judged = _verdict(view, found["notes"])
    for part in view.parts:
        name = part.target.name
        found["tasks"].append(
            {
                **_target(part.target),
                "n": part.found.n,
                "scale": part.found.scale,
                **{key: value for key, value in compared.get(name, {}).items() if key not in _ELSEWHERE},
                "figures": [_figure(run, name, part.target.metric) for run in (view.baseline, view.run)],
                "gate": judged.pop((name, part.target.metric), None),
                "parts": _parts(view, part),
                "parts_are": "strata" if len(part.target.leaves) == 1 else "tasks",
            }
        )
    # What the policy holds beside the headlines: other metrics of a task, or what judges said of it.
    found["others"] = [{**entry, "gate": entry} for entry in judged.values()]
    return found


_ELSEWHERE = ("members", "changed_documents")

_Judged = dict[tuple[str, str], dict[str, Any]]


def _verdict(view: View, known: Sequence[str]) -> tuple[dict[str, Any] | None, _Judged]:
    """The gate's; of a run that was judged while it ran and stopped early, its own."""
    if view.gate is None:
        return _own_verdict(view)
    result = judging.as_dict(view.gate)
    said = {
        "verdict": result["verdict"],
        "headline": judging.headline(view.gate),
        "policy": judging.policy_words(view.gate),
        "notes": [note for note in result["notes"] if note not in known],
    }
    entries: _Judged = {}
    rules = view.gate.policy.tasks
    for task in view.gate.tasks:
        entry = {key: value for key, value in result["tasks"][task.name].items() if key not in _ELSEWHERE}
        rule = rules.get(task.name)
        name = (rule.task if rule else None) or task.name
        entries[name, task.metric] = {**entry, "name": task.name, "scale": task.scale}
    return said, entries


def _own_verdict(view: View) -> tuple[dict[str, Any] | None, _Judged]:
    """The verdict of a run that was judged while it ran, where it was held against this baseline."""
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


def troubles(views: Sequence[View], runs: Sequence[Run]) -> list[dict[str, Any]]:
    """How many prompts were cut, answers unreadable or absent: by what was asked for, and by its troubled members."""
    found: list[dict[str, Any]] = []
    names = list(dict.fromkeys(part.target.name for view in views for part in view.parts))
    names += [name for run in runs for name in requested_names(run) if name not in names]
    for name in dict.fromkeys(names):
        leaves = list(dict.fromkeys(leaf for run in runs for leaf in _leaves(run, name)))
        found.append({"name": name, "depth": 0, "runs": [_troubles(run, leaves) for run in runs]})
        if leaves == [name]:
            continue
        for leaf in leaves:
            counts = [_troubles(run, [leaf]) for run in runs]
            if any(one and any(one[key] for key in _TROUBLES) for one in counts):
                found.append({"name": leaf, "depth": 1, "runs": counts})
    return found


def _troubles(run: Run, leaves: Sequence[str]) -> dict[str, Any] | None:
    """None: the run has none of these tasks. A count is null where the run doesn't give it."""
    tasks = run.record.results.tasks
    here = [tasks[leaf] for leaf in leaves if leaf in tasks]
    if not here:
        return None
    counts = {"n": _sum(task.n for task in here)}
    counts |= {key: _sum(getattr(task, key).value for task in here) for key in _TROUBLES}
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


def _target(target: Target) -> dict[str, Any]:
    return {"name": target.name, "metric": target.metric, "higher_is_better": target.higher_is_better}


def _figure(run: Run, name: str, metric: str) -> dict[str, Any] | None:
    """As results.json has it, interval included."""
    entry = run.entry(name)
    figure = entry.metrics.get(metric) if entry else None
    return figure.as_json() if figure else None


def _parts(view: View, part: Part) -> list[dict[str, Any]]:
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
        for member in parts(part.found)
    ]
