"""Views, boards, troubles and manifests as JSON: what the other verbs found, in their own words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from evalkit.compare import Comparison, Target, entry, parts
from evalkit.leaderboard import Leaderboard
from evalkit.report import compare as comparing
from evalkit.report import gate as judging
from evalkit.report import leaderboard as ranking
from evalkit.report.views import Part, View
from evalkit.results import Run

__all__ = ["board_entry", "run_entry", "troubles", "view_entry"]

TROUBLES = ("truncated_prompts", "unfinished", "unparsed", "missing", "errors")


def run_entry(run: Run) -> dict[str, Any]:
    engine = run.manifest.get("engine")
    known = {key: run.results.get(key) for key in ("timing", "tokens", "notes")}
    return {
        "label": run.label,
        "run_id": run.run_id,
        "status": run.status,
        "limited": bool(run.results.get("limited")) or run.status == "limited",
        "finished": None if run.finished is None else run.finished.isoformat(timespec="seconds"),
        "engine": engine.get("name") if isinstance(engine, Mapping) else engine,
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
        "gate": None,
        "gate_reason": view.gate_reason,
        "notes": [],
        "tasks": [],
    }
    compared: Mapping[str, Any] = {}
    judged: Mapping[str, Any] = {}
    if view.against is not None:
        [said] = comparing.as_dict(Comparison(view.baseline, (view.against,)))["against"]
        compared, found["notes"] = said["tasks"], said["notes"]
    if view.gate is not None:
        result = judging.as_dict(view.gate)
        judged = result["tasks"]
        found["gate"] = {
            "verdict": result["verdict"],
            "headline": judging.headline(view.gate),
            "policy": judging.policy_words(view.gate),
            "confidence": result["confidence"],
            "notes": [note for note in result["notes"] if note not in found["notes"]],
        }
    for part in view.parts:
        name = part.target.name
        found["tasks"].append(
            {
                **_target(part.target),
                "n": part.found.n,
                "scale": part.found.scale,
                **{key: value for key, value in compared.get(name, {}).items() if key not in _ELSEWHERE},
                "figures": [_figure(run, name, part.target.metric) for run in (view.baseline, view.run)],
                "gate": judged.get(name),
                "parts": _parts(view, part),
                "parts_are": "strata" if len(part.target.leaves) == 1 else "tasks",
            }
        )
    # A policy may name a task by another metric than the headline; the verdict then is of that one.
    for task in found["tasks"]:
        if task["gate"] is not None:
            task["gate"] = {key: value for key, value in task["gate"].items() if key not in ("members",)}
    return found


_ELSEWHERE = ("members", "changed_documents")


def troubles(views: Sequence[View], runs: Sequence[Run]) -> list[dict[str, Any]]:
    """How many prompts were cut, answers unreadable or absent: by what was asked for, and by its troubled members."""
    found: list[dict[str, Any]] = []
    names = list(dict.fromkeys(part.target.name for view in views for part in view.parts))
    names += [name for run in runs for name in run.requested if name not in names and entry(run, name)]
    for name in dict.fromkeys(names):
        leaves = list(dict.fromkeys(leaf for run in runs for leaf in _leaves(run, name)))
        found.append({"name": name, "depth": 0, "runs": [_troubles(run, leaves) for run in runs]})
        if leaves == [name]:
            continue
        for leaf in leaves:
            counts = [_troubles(run, [leaf]) for run in runs]
            if any(one and any(one[key] for key in TROUBLES) for one in counts):
                found.append({"name": leaf, "depth": 1, "runs": counts})
    return found


def _troubles(run: Run, leaves: Sequence[str]) -> dict[str, Any] | None:
    """None: the run has none of these tasks. A count is null where the run doesn't give it."""
    here = [found for leaf in leaves if isinstance(found := run.tasks.get(leaf), Mapping)]
    if not here:
        return None
    counts = {key: _sum(here, key) for key in ("n", *TROUBLES)}
    covered = [counts[key] or 0 for key in ("n", "missing", "errors")]
    return {**counts, "asked": sum(covered)}


def _sum(entries: Sequence[Mapping[str, Any]], key: str) -> int | None:
    known = [found[key] for found in entries if isinstance(found.get(key), int)]
    return sum(known) if known else None


def _leaves(run: Run, name: str) -> Iterator[str]:
    members = (run.groups.get(name) or {}).get("members") or ()
    if not members and name in run.tasks:
        yield name
    for member in map(str, members):
        if member != name:
            yield from _leaves(run, member)


def _target(target: Target) -> dict[str, Any]:
    return {"name": target.name, "metric": target.metric, "higher_is_better": target.higher_is_better}


def _figure(run: Run, name: str, metric: str) -> dict[str, Any] | None:
    """As results.json has it, interval included."""
    found = ((entry(run, name) or {}).get("metrics") or {}).get(metric)
    if found is None or isinstance(found, Mapping):
        return None if found is None else dict(found)
    return {"value": found}


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
