"""The page of learning curves: a chart for each task, what it says, and the documents that were forgotten."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from importlib.resources import files
from typing import Any

from evalkit import __version__
from evalkit.comparison.texts import answers, question, target
from evalkit.curves import Curves, TaskCurve, number, place
from evalkit.reporting import curve_view
from evalkit.reporting.html.charts import chart
from evalkit.reporting.html.tidy import tidy
from evalkit.results import Run
from evalkit.scrub import Scrubber
from evalkit.types import JsonObject

__all__ = ["as_html"]

_MOST = 200
"""Forgotten documents that are listed for a task."""
_LONGEST = 600
_TOLD = {"declined": "DECLINED", "held": "no decline shown", "unknown": "unknown"}


def as_html(curves: Curves, runs: Mapping[str, Run]) -> str:
    """The page. `runs`: by run-id, for the texts of documents. It shows everything without scripts too."""
    from jinja2 import Environment

    scrubber = Scrubber()
    content: dict[str, Any] = {
        "axis": curves.axis,
        "evalkit": __version__,
        "notes": curve_view.notes(curves),
        "tasks": [_entry(task, curves.axis, runs, number_) for number_, task in enumerate(curves.tasks)],
    }
    assets = files("evalkit.reporting.html") / "assets"
    style = "\n" + "".join((assets / name).read_text(encoding="utf-8") for name in ("report.css", "curves.css"))
    script = '\n"use strict";\n' + (assets / "curves.js").read_text(encoding="utf-8")
    template = Environment(autoescape=True, keep_trailing_newline=True).from_string(
        (assets / "curves.html").read_text(encoding="utf-8")
    )
    return template.render(
        style=style,
        script=script,
        style_hash=_hash(style),
        script_hash=_hash(script),
        **tidy(content, scrubber, steady=True),
    )


def _entry(task: TaskCurve, axis: str, runs: Mapping[str, Run], count: int) -> JsonObject:
    drawn = chart(task, axis)
    state = "unknown" if task.declined is None else "declined" if task.declined else "held"
    best = task.best
    return {
        "id": f"task-{count}",
        "name": task.name,
        "metric": task.metric,
        "told": state,
        "verdict": _TOLD[state],
        "since": None if not task.declined else place(task.declined_from or task.last.x),
        "reason": task.reason,
        "best": None if best is None or best.value is None else f"{number(best.value)} at {axis} {place(best.x)}",
        "best_band": None if best is None else curve_view.band(best),
        "last": None if task.last.value is None else f"{number(task.last.value)} at {axis} {place(task.last.x)}",
        "enough": None if task.enough is None or best is None or task.enough == best.x else place(task.enough),
        "baseline": None if task.baseline is None else number(task.baseline),
        "chart": None if drawn is None else asdict(drawn),
        "points": curve_view.point_rows(task),
        "head": curve_view.point_head(task, axis),
        "paired": task.documents,
        "forgotten": _documents(task, runs),
        "forgotten_count": len(task.forgotten),
        "by_place": _by_place(task),
    }


def _by_place(task: TaskCurve) -> list[tuple[str, int]]:
    """How many documents were forgotten from each point on."""
    counts: dict[str, int] = {}
    for document in task.forgotten:
        counts[place(document.since)] = counts.get(place(document.since), 0) + 1
    return list(counts.items())


def _documents(task: TaskCurve, runs: Mapping[str, Run]) -> list[JsonObject]:
    listed = task.forgotten[:_MOST]
    wanted = {(document.task, document.doc_id) for document in listed}
    ends = [runs.get(point.run_id) if point is not None else None for point in (task.best, task.last)]
    texts = [_texts(run, wanted, task.metric) for run in ends]
    documents: list[JsonObject] = []
    for document in listed:
        before, after = (texts[k].get((document.task, document.doc_id), {}) for k in (0, 1))
        documents.append(
            {
                "task": document.task,
                "doc_id": document.doc_id,
                "since": place(document.since),
                "question": after.get("question") or before.get("question") or "",
                "target": after.get("target") or before.get("target") or "",
                "before": before.get("answer", ""),
                "after": after.get("answer", ""),
                "values": f"{number(document.before)} → {number(document.after)}",
            }
        )
    return documents


def _texts(run: Run | None, wanted: set[tuple[str, int]], metric: str) -> dict[tuple[str, int], dict[str, str]]:
    """Question, target and answer of the wanted documents; empty where the run keeps no rows."""
    texts: dict[tuple[str, int], dict[str, str]] = {}
    for leaf in dict.fromkeys(leaf for leaf, _ in sorted(wanted)) if run is not None else ():
        assert run is not None
        if not run.has_rows(leaf):
            continue
        for row in run.rows(leaf):
            key = leaf, row.get("doc_id", -1)
            if key in wanted and key not in texts:
                answer = " · ".join(answers(row, metric)[:2])
                told = {"question": question(row), "target": target(row), "answer": answer}
                texts[key] = {name: _cut(text) for name, text in told.items()}
    return texts


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST // 2]} … {text[-_LONGEST // 2 :]}"


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
