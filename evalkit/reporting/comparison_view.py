"""Shows a comparison of runs on a terminal, as markdown and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from evalkit import safe
from evalkit.comparison import Against, Comparison, Flip, TaskComparison
from evalkit.reporting.pieces import members_entry, row, rule, run_entry, unpaired_entry
from evalkit.reporting.tables import Cell, Column, Table, draw, fits, open_console, quote, say
from evalkit.types import JsonObject

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["as_dict", "as_json", "as_markdown", "grid", "show"]

_COLUMNS = (
    Column("task"),
    Column("metric", drop=1),
    Column("baseline", "figure"),
    Column("candidate", "figure"),
    Column("Δ", "figure"),
    Column("95% interval", "figure"),
    Column("p", "figure", drop=4),
    Column("lost / gained", "figure"),
    Column("changed", "figure", drop=3),
    Column("detectable", "figure", drop=2),
    Column("n", "figure", drop=5),
)
_HEAD = tuple(column.title for column in _COLUMNS)
_LONGEST = 1200
"""Characters of an answer that are printed; the whole answer is in samples/."""


def as_dict(comparison: Comparison) -> JsonObject:
    return {
        "schema": 1,
        "baseline": run_entry(comparison.baseline),
        "against": [
            {
                **run_entry(against.run),
                "tasks": {task.name: _task(task) for task in against.tasks},
                "notes": list(against.notes),
            }
            for against in comparison.against
        ],
    }


def as_json(comparison: Comparison) -> str:
    return json.dumps(as_dict(comparison), indent=2, ensure_ascii=False, allow_nan=False)


def grid(against: Against) -> tuple[Sequence[str], list[list[str]]]:
    """Head and rows of the table."""
    return _HEAD, [_cells(task) for task in against.tasks]


def as_markdown(comparison: Comparison) -> str:
    text: list[str] = []
    for against in comparison.against:
        text += [f"## {safe.markdown(_title(comparison, against))}", "", row(_HEAD)]
        text.append(rule(len(_HEAD), words=2))
        text += [row(_cells(task)) for task in against.tasks]
        remarks = _remarks(against)
        text += ["", *(f"- {safe.markdown(remark)}" for remark in remarks)] if remarks else []
        for flip in _flips(against):
            text += ["", f"### {safe.markdown(_flip_title(flip))}", ""]
            for what, content in _parts(flip):
                text += [f"{what}:", "", safe.fenced(_shortened(content)), ""]
        text.append("")
    return "\n".join(text)


def show(comparison: Comparison) -> None:
    """Print to stdout: tables on a terminal, markdown in a pipe."""
    console = open_console()
    if not console.is_terminal:
        print(as_markdown(comparison), end="")
        return
    for against in comparison.against:
        _show(console, comparison, against)


def _show(console: Console, comparison: Comparison, against: Against) -> None:
    rows: list[list[Cell | str]] = []
    for task in against.tasks:
        cells: list[Cell | str] = list(_cells(task))
        cells[4] = Cell(str(cells[4]), {True: "green", False: "red", None: ""}[task.improved])
        rows.append(cells)
    draw(console, Table(_COLUMNS, rows, _title(comparison, against)))
    for remark in _remarks(against):
        say(console, remark, "yellow")
    for flip in _flips(against):
        _show_flip(console, flip)


def _show_flip(console: Console, flip: Flip) -> None:
    console.print()
    say(console, _flip_title(flip), "bold")
    quote(console, _shortened(flip.question), "dim", indent=2)
    quote(console, f"target: {_shortened(flip.target)}", indent=2)
    baseline, candidate = f"baseline ({flip.baseline_value:g})", f"candidate ({flip.candidate_value:g})"
    sides = (Column(baseline, "text"), Column(candidate, "text"))
    answers = (_shortened(flip.baseline), _shortened(flip.candidate))
    beside = Table(sides, [answers])
    if fits(console, beside):
        draw(console, beside)
        return
    for side, answer in zip(sides, answers, strict=True):
        say(console, side.title, "dim")
        quote(console, answer, indent=2)


# ── pieces ───────────────────────────────────────────────────────────────────


def _title(comparison: Comparison, against: Against) -> str:
    candidate, baseline = against.run, comparison.baseline
    return f"{candidate.label} ({candidate.run_id}) against {baseline.label} ({baseline.run_id})"


def _cells(task: TaskComparison) -> list[str]:
    points = task.scale == 1.0 and 0 <= task.baseline <= 1 and 0 <= task.candidate <= 1
    factor, form = (100, ".2f") if points else (1, ".4g")
    interval = "" if task.ci95 is None else f"{task.ci95.low * factor:+{form}} to {task.ci95.high * factor:+{form}}"
    return [
        task.name,
        task.metric + ("" if task.higher_is_better else " ↓"),
        f"{task.baseline * factor:{form}}",
        f"{task.candidate * factor:{form}}",
        f"{task.delta * factor:+{form}}",
        interval,
        "" if task.p is None else f"{task.p:.2g}",
        f"{task.lost:,} / {task.gained:,}",
        f"{task.discordance * 100:.1f}%",
        "" if task.detectable is None else f"{task.detectable * factor:{form}}",
        f"{task.n:,}",
    ]


def _remarks(against: Against) -> list[str]:
    lines = list(against.notes)
    for task in against.tasks:
        lines += [f"{task.name}: {line}" for line in task.unpaired.lines()]
        # Documents that only one run has are in the lines above.
        in_baseline = task.missing_baseline - task.unpaired.only_candidate
        in_candidate = task.missing_candidate - task.unpaired.only_baseline
        if in_baseline > 0 or in_candidate > 0:
            lines.append(
                f"{task.name}: left out for want of an answer, {max(in_candidate, 0):,} in the candidate"
                f" and {max(in_baseline, 0):,} in the baseline"
            )
    return lines


def _flips(against: Against) -> Iterator[Flip]:
    for task in against.tasks:
        yield from task.flips


def _flip_title(flip: Flip) -> str:
    return f"{flip.task} document {flip.doc_id}: {'lost' if flip.lost else 'gained'}"


def _parts(flip: Flip) -> Sequence[tuple[str, str]]:
    return (
        ("Question", flip.question),
        ("Target", flip.target),
        (f"Baseline ({flip.baseline_value:g})", flip.baseline),
        (f"Candidate ({flip.candidate_value:g})", flip.candidate),
    )


def _task(task: TaskComparison) -> JsonObject:
    return {
        "metric": task.metric,
        "higher_is_better": task.higher_is_better,
        "baseline": task.baseline,
        "candidate": task.candidate,
        "delta": task.delta,
        "ci95": None if task.ci95 is None else [task.ci95.low, task.ci95.high],
        "p": task.p,
        "p_holm": task.p_holm,
        "n": task.n,
        "flips": {"lost": task.lost, "gained": task.gained},
        "discordance": task.discordance,
        "detectable": task.detectable,
        "missing": {"baseline": task.missing_baseline, "candidate": task.missing_candidate},
        "unpaired": unpaired_entry(task.unpaired),
        "members": members_entry(task.members),
        "changed_documents": [
            {
                "task": flip.task,
                "doc_id": flip.doc_id,
                "lost": flip.lost,
                "question": flip.question,
                "target": flip.target,
                "baseline": {"answer": flip.baseline, "value": flip.baseline_value},
                "candidate": {"answer": flip.candidate, "value": flip.candidate_value},
            }
            for flip in task.flips
        ],
    }


def _shortened(text: str) -> str:
    text = text or "(not kept)"
    return text if len(text) <= _LONGEST else text[:_LONGEST] + f" … ({len(text) - _LONGEST:,} characters more)"
