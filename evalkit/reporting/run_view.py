"""Shows a finished run as a table with lm-eval's columns, an interval, and counts of what went wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalkit import safe
from evalkit.reporting import early
from evalkit.reporting.beside import ARROWS, asked_for, beside_markdown, chief_figures, few_members, show_beside
from evalkit.reporting.tables import Cell, Column, Table, draw, open_console, say
from evalkit.reporting.wrapping import pad, width_of
from evalkit.results import Metric, Results, Run, TaskResult
from evalkit.results.record import Entry

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["Line", "as_json", "as_markdown", "lines", "report", "show"]

_TROUBLES = {
    "truncated_prompts": "prompts cut to the window",
    "unfinished": "answers cut off before their end",
    "unparsed": "answers that could not be read",
    "missing": "documents without an answer",
    "errors": "documents that raised an error",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One figure of one task or group."""

    name: str
    depth: int
    version: str
    filter: str
    shots: str
    metric: str
    arrow: str
    figure: Metric


def lines(results: Results, *, members: bool = True) -> Iterator[Line]:
    """Yield the figures in the order of --tasks, groups before their members.

    Without `members`, groups show their members only if there are few in all, and each member only by its main
    figures. All groups do it or none: otherwise a group without shown members would look as if it had none.
    """
    members_too = members or few_members(results)

    def walk(name: str, depth: int, brief: bool = False) -> Iterator[Line]:
        entry = results.entry(name)
        if entry is None:
            return
        for key in chief_figures(entry) if brief else entry.metrics:
            yield _line(name, depth, entry, key)
        bare = not entry.metrics
        for member in entry.all_members:
            # A group without figures only stands for its members.
            if members_too or bare or member in results.groups:
                short = not (members or bare or member in results.groups)
                yield from walk(member, depth if bare else depth + 1, short)
        for part in results.parts(name):
            yield from walk(part, depth + 1)

    for name in asked_for(results):
        yield from walk(name, 0)


def _line(name: str, depth: int, entry: Entry, key: str) -> Line:
    metric, _, filter_name = key.partition(",")
    return Line(
        name=name,
        depth=depth,
        version=_text(entry.version),
        filter=filter_name,
        shots=_text(entry.num_fewshot),
        metric=metric,
        arrow=ARROWS[entry.metrics[key].higher_is_better],
        figure=entry.metrics[key],
    )


def as_markdown(runs: Sequence[Run]) -> str:
    """The text of report.md for each run, and a table side by side if there are several."""
    results = [run.record.results for run in runs]
    reports = [report(run, run.path) for run in runs]
    return "\n".join([*reports, *([beside_markdown(results)] if len(results) > 1 else [])])


def report(run: Run, path: Path) -> str:
    """The text of report.md for one run, which will stand in folder `path`."""
    return _markdown(run, path) + "\n"


def as_json(runs: Sequence[Run]) -> str:
    """The content of results.json; a list if there are several runs."""
    contents = [run.record.results.as_json() for run in runs]
    content = contents[0] if len(contents) == 1 else contents
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)


def show(runs: Sequence[Run]) -> None:
    """Print to stdout: a table on a terminal, markdown in a pipe."""
    console = open_console()
    results = [run.record.results for run in runs]
    for run in runs:
        if console.is_terminal:
            _show(console, run)
        else:
            print(_markdown(run, run.path, members=False))
    if len(results) > 1 and console.is_terminal:
        show_beside(console, results)
    elif len(results) > 1:
        print(beside_markdown(results))


_COLUMNS = (
    Column("task"),
    Column("filter", drop=3),
    Column("metric"),
    Column("shots", "figure", drop=2),
    Column("value", "figure"),
    Column("± stderr", "figure", drop=1),
    Column("95% interval", "figure"),
)


def _show(console: Console, run: Run) -> None:
    results, path = run.record.results, run.path
    rows: list[list[Cell | str]] = []
    last = None
    for line in lines(results, members=False):
        name = "" if line.name == last else "  " * line.depth + line.name
        last = line.name
        cells = [name, line.filter, f"{line.metric} {line.arrow}".rstrip(), line.shots, *_numbers(line.figure)]
        rows.append([Cell(cell, "" if line.depth else "bold") for cell in cells])
    draw(console, Table(_COLUMNS, rows, _title(results)))
    for remark in [*_remarks(results, _chat(run)), *_halves(run)]:
        say(console, remark, "yellow")
    early.show(console, results)
    say(console, str(path), "dim")


_HEAD = ("Tasks", "Version", "Filter", "n-shot", "Metric", "", "Value", "", "Stderr", "95% interval")
_NUMBERS = (1, 3, 6, 8, 9)


def _markdown(run: Run, path: Path, *, members: bool = True) -> str:
    results = run.record.results
    rows = [list(_HEAD)]
    for line in lines(results, members=members):
        value, stderr, interval = _numbers(line.figure)
        name = (" " * line.depth + "- " if line.depth else "") + safe.markdown(line.name)
        rest = (line.version, line.filter, line.shots, line.metric, line.arrow, value, "±" if stderr else "", stderr)
        rows.append([name, *(safe.markdown(cell) for cell in (*rest, interval))])
    # Stamps stand two blanks apart, as in earlier reports.
    title = "  ".join([safe.markdown(str(results.model)), *_stamps(results)])
    text = [f"## {title}", "", *_aligned(rows)]
    remarks = [*_remarks(results, _chat(run)), *_halves(run)]
    if remarks:
        text += ["", *(f"- {safe.markdown(remark)}" for remark in remarks)]
    return "\n".join([*text, *early.markdown(results), "", f"`{safe.code(str(path))}`"])


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """A markdown table whose cells are padded, so that its source is aligned too."""
    widths = [max(1, *(width_of(row[place]) for row in rows)) for place in range(len(rows[0]))]
    rules = ["-" * (width - 1) + (":" if place in _NUMBERS else "-") for place, width in enumerate(widths)]
    padded = [
        [_padded(cell, width, place in _NUMBERS) for place, (cell, width) in enumerate(zip(row, widths, strict=True))]
        for row in rows
    ]
    return ["|" + "|".join(row) + "|" for row in (padded[0], rules, *padded[1:])]


def _padded(text: str, width: int, right: bool) -> str:
    before, after = pad(text, width, right=right)
    return " " * before + text + " " * after


def _title(results: Results) -> str:
    return "  ".join([str(results.model), *_stamps(results)])


def _stamps(results: Results) -> list[str]:
    stamps = [] if results.status == "complete" else [results.status.upper()]
    if results.limited and results.status != "limited":
        stamps.insert(0, "LIMITED")
    return stamps


def _numbers(figure: Metric) -> tuple[str, str, str]:
    if figure.value is None:
        return "n/a", "", figure.reason or ""
    return (
        f"{figure.value:.4f}",
        "" if figure.stderr is None else f"{figure.stderr:.4f}",
        "" if figure.ci95 is None else f"{figure.ci95[0]:.3f} – {figure.ci95[1]:.3f}",
    )


def _halves(run: Run) -> list[str]:
    """Figures on clean documents and on those that stand in training data, where somebody looked."""
    from evalkit.comparison.halves import halves_notes

    return halves_notes(run)


def _remarks(results: Results, chat: bool | None) -> list[str]:
    """Remarks below the table: chat template, status, and the troubles of each requested name, if there are any."""
    remarks = [] if chat is None else [_CHAT[chat]]
    if results.status == "limited" or results.limited:
        remarks.append("LIMITED: only the first documents of each task; not for a leaderboard")
    if any(task.not_run.value for task in results.tasks.values()):
        remarks.append("PARTIAL: stopped early; figures cover the documents drawn until each verdict was sure")
    elif results.status == "partial":
        remarks.append("PARTIAL: figures cover the documents that have an answer")
    if results.status == "incomplete":
        remarks.append("INCOMPLETE: not every document was scored; the same command goes on from here")
    for name in results.requested or ():
        leaves = list(_leaves(results, name))
        for key, what in _TROUBLES.items():
            if count := sum(getattr(leaf, key).value or 0 for leaf in leaves):
                covered = ((leaf.n, leaf.missing.value, leaf.errors.value) for leaf in leaves)
                total = sum(part or 0 for parts in covered for part in parts)
                remarks.append(f"{name}: {count} of {total} {what}")
        remarks += _ended(name, leaves)
        if any(_has(leaf, "raw_") and _has(leaf, "avg@") for leaf in leaves):
            remarks.append(f"{name}: avg@K, maj@K and pass@k are raw too: a detector's, and not people's")
        if left_out := sum(leaf.broken_rows.value or 0 for leaf in leaves):
            remarks.append(f"{name}: {left_out} rows of its file could not be read and were left out (manifest.json)")
    return [*remarks, *results.notes]


def _ended(name: str, leaves: Sequence[TaskResult]) -> Iterator[str]:
    """Programs that ran out of time or memory, as shares of all programs."""
    ended = [leaf.verdicts for leaf in leaves if leaf.verdicts is not None]
    programs = sum(task.programs or 0 for task in ended)
    for key, what in (("timed_out", "out of time"), ("memory", "out of memory")):
        count = sum(round((getattr(task, key) or 0.0) * (task.programs or 0)) for task in ended)
        if count:
            yield f"{name}: {count} of {programs} programs ({count / programs:.1%}) ran {what}"


def _has(task: TaskResult, beginning: str) -> bool:
    return any(key.startswith(beginning) for key in task.metrics)


def _leaves(results: Results, name: str) -> Iterator[TaskResult]:
    group = results.groups.get(name)
    if group is None:
        if name in results.tasks:
            yield results.tasks[name]
        return
    for member in group.all_members:
        yield from _leaves(results, member)


def _text(value: Any) -> str:
    return "" if value is None else str(value)


_CHAT = {True: "chat template: applied", False: "chat template: none"}
"""A remark on the chat template, because a model's figures differ with and without it."""


def _chat(run: Run) -> bool | None:
    """Whether prompts were rendered with a chat template; None if no model was run or the run doesn't record it."""
    manifest = run.record.manifest
    chat = manifest.chat_template
    return chat.applied if chat is not None and (chat.applied or manifest.model.fingerprint) else None
