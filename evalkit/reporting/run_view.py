"""A finished run as a table: lm-eval's columns, an interval, and whatever went wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalkit import safe
from evalkit.reporting import early
from evalkit.reporting.beside import ARROWS, beside_markdown, chief_figures, few_members, show_beside
from evalkit.reporting.tables import Cell, Column, Table, draw, open_console, say
from evalkit.reporting.wrapping import pad, width_of

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
    figure: Mapping[str, Any]


def lines(results: Mapping[str, Any], *, members: bool = True) -> Iterator[Line]:
    """In the order asked for, groups before their members.

    Without `members`, groups show theirs only where they are few in all, each by its chief figures alone: members of
    one group and not of another would read as if the other had none.
    """
    tasks, groups = results.get("tasks", {}), results.get("groups", {})
    members_too = members or few_members(results)

    def walk(name: str, depth: int, brief: bool = False) -> Iterator[Line]:
        entry = groups.get(name) or tasks.get(name)
        if entry is None:
            return
        figures = entry.get("metrics", {})
        for key, figure in ((key, figures[key]) for key in (chief_figures(entry) if brief else figures)):
            metric, _, filter_name = key.partition(",")
            yield Line(
                name=name,
                depth=depth,
                version=_text(entry.get("version")),
                filter=filter_name,
                shots=_text(entry.get("num_fewshot")),
                metric=metric,
                arrow=ARROWS[figure.get("higher_is_better", True)],
                figure=figure,
            )
        bare = not entry.get("metrics")
        for member in entry.get("members", ()):
            # A group without a figure of its own stands for its members.
            if members_too or bare or member in groups:
                yield from walk(member, depth if bare else depth + 1, not (members or bare or member in groups))

    for name in results.get("requested", [*groups, *tasks]):
        yield from walk(name, 0)


def as_markdown(finished: Sequence[Any]) -> str:
    """What report.md holds, for each run in turn."""
    reports = [report(outcome.results, outcome.path) for outcome in finished]
    beside = [beside_markdown([outcome.results for outcome in finished])] if len(finished) > 1 else []
    return "\n".join([*reports, *beside])


def report(results: Mapping[str, Any], path: Path) -> str:
    """report.md of one run."""
    return _markdown(results, str(path)) + "\n"


def as_json(finished: Sequence[Any]) -> str:
    """One run's results as they stand on disk; a list where there are several."""
    found = [outcome.results for outcome in finished]
    return json.dumps(found[0] if len(found) == 1 else found, indent=2, ensure_ascii=False, allow_nan=False)


def show(finished: Sequence[Any]) -> None:
    """To stdout: a table on a terminal, markdown in a pipe."""
    console = open_console()
    for outcome in finished:
        if console.is_terminal:
            _show(console, outcome.results, str(outcome.path))
        else:
            print(_markdown(outcome.results, str(outcome.path), members=False))
    if len(finished) > 1:
        results = [outcome.results for outcome in finished]
        if console.is_terminal:
            show_beside(console, results)
        else:
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


def _show(console: Console, results: Mapping[str, Any], path: str) -> None:
    rows: list[list[Cell | str]] = []
    last = None
    for line in lines(results, members=False):
        name = "" if line.name == last else "  " * line.depth + line.name
        last = line.name
        cells = [name, line.filter, f"{line.metric} {line.arrow}".rstrip(), line.shots, *_numbers(line.figure)]
        rows.append([Cell(cell, "" if line.depth else "bold") for cell in cells])
    draw(console, Table(_COLUMNS, rows, _title(results)))
    for remark in _remarks(results):
        say(console, remark, "yellow")
    early.show(console, results)
    say(console, path, "dim")


_HEAD = ("Tasks", "Version", "Filter", "n-shot", "Metric", "", "Value", "", "Stderr", "95% interval")
_NUMBERS = (1, 3, 6, 8, 9)


def _markdown(results: Mapping[str, Any], path: str, *, members: bool = True) -> str:
    rows = [list(_HEAD)]
    for line in lines(results, members=members):
        value, stderr, interval = _numbers(line.figure)
        name = (" " * line.depth + "- " if line.depth else "") + safe.markdown(line.name)
        rest = (line.version, line.filter, line.shots, line.metric, line.arrow, value, "±" if stderr else "", stderr)
        rows.append([name, *(safe.markdown(cell) for cell in (*rest, interval))])
    text = [f"## {safe.markdown(_title(results))}", "", *_aligned(rows)]
    remarks = _remarks(results)
    if remarks:
        text += ["", *(f"- {safe.markdown(remark)}" for remark in remarks)]
    return "\n".join([*text, *early.markdown(results), "", f"`{safe.code(path)}`"])


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """A markdown table whose columns line up in an editor too."""
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


def _title(results: Mapping[str, Any]) -> str:
    stamp = {"complete": "", "limited": "  LIMITED", "partial": "  PARTIAL", "incomplete": "  INCOMPLETE"}
    limited = "  LIMITED" if results.get("limited") and results["status"] != "limited" else ""
    return f"{results['model']}{limited}{stamp.get(results['status'], '  ' + str(results['status']).upper())}"


def _numbers(figure: Mapping[str, Any]) -> tuple[str, str, str]:
    value, stderr, interval = figure.get("value"), figure.get("stderr"), figure.get("ci95")
    if value is None:
        return "n/a", "", str(figure.get("reason") or "")
    return (
        f"{value:.4f}",
        "" if stderr is None else f"{stderr:.4f}",
        "" if interval is None else f"{interval[0]:.3f} – {interval[1]:.3f}",
    )


def _remarks(results: Mapping[str, Any]) -> list[str]:
    """Counts that are not zero, summed over the members of what was asked for."""
    remarks: list[str] = []
    if results["status"] == "limited" or results.get("limited"):
        remarks.append("LIMITED: only the first documents of each task; not for a leaderboard")
    if any(entry.get("not_run") for entry in results.get("tasks", {}).values()):
        remarks.append("PARTIAL: stopped early; figures cover the documents drawn until each verdict was sure")
    elif results["status"] == "partial":
        remarks.append("PARTIAL: figures cover the documents that have an answer")
    if results["status"] == "incomplete":
        remarks.append("INCOMPLETE: not every document was scored; the same command goes on from here")
    for name in results.get("requested", ()):
        leaves = list(_leaves(results, name))
        for key, what in _TROUBLES.items():
            count = sum(leaf.get(key) or 0 for leaf in leaves)
            if count:
                total = sum(leaf.get(part) or 0 for leaf in leaves for part in ("n", "missing", "errors"))
                remarks.append(f"{name}: {count} of {total} {what}")
        if left_out := sum(leaf.get("broken_rows") or 0 for leaf in leaves):
            remarks.append(f"{name}: {left_out} rows of its file could not be read and were left out (manifest.json)")
    remarks += results.get("notes", ())
    return remarks


def _leaves(results: Mapping[str, Any], name: str) -> Iterator[Mapping[str, Any]]:
    group = results.get("groups", {}).get(name)
    if group is None:
        if name in results.get("tasks", {}):
            yield results["tasks"][name]
        return
    for member in group.get("members", ()):
        yield from _leaves(results, member)


def _text(value: Any) -> str:
    return "" if value is None else str(value)
