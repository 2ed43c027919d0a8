"""A finished run as a table: lm-eval's columns, an interval, and whatever went wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalkit.reporting import early
from evalkit.reporting.beside import ARROWS, FEW, beside_markdown, chief_figures, show_beside
from evalkit.reporting.pieces import draw

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
    """In the order asked for, groups before their members. Without `members` a group shows them where they are few,
    each by its chief figures alone.
    """
    tasks, groups = results.get("tasks", {}), results.get("groups", {})

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
            if members or bare or member in groups or len(entry["members"]) <= FEW:
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
    from rich.console import Console

    console = Console(highlight=False)
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


def _show(console: Any, results: Mapping[str, Any], path: str) -> None:
    from rich.markup import escape

    rows = []
    last = None
    for line in lines(results, members=False):
        name = "" if line.name == last else "  " * line.depth + line.name
        last = line.name
        cells = [escape(name), line.filter, f"{line.metric} {line.arrow}".rstrip(), line.shots, *_numbers(line.figure)]
        rows.append([f"[bold]{cell}[/bold]" if cell and line.depth == 0 else cell for cell in cells])
    head = ("task", "filter", "metric", "shots", "value", "± stderr", "95% interval")
    draw(console, _title(results), head, rows, words=3, optional=("± stderr", "shots"))
    for remark in _remarks(results):
        console.print(f"[yellow]{escape(remark)}[/yellow]")
    early.show(console, results)
    console.print(f"[dim]{escape(path)}[/dim]", soft_wrap=True)


def _markdown(results: Mapping[str, Any], path: str, *, members: bool = True) -> str:
    rows = [["Tasks", "Version", "Filter", "n-shot", "Metric", "", "Value", "", "Stderr", "95% interval"]]
    for line in lines(results, members=members):
        value, stderr, interval = _numbers(line.figure)
        name = (" " * line.depth + "- " if line.depth else "") + line.name
        known = "±" if stderr else ""
        rows.append(
            [name, line.version, line.filter, line.shots, line.metric, line.arrow, value, known, stderr, interval]
        )
    rows = [[cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    align = ["<", ">", "<", ">", "<", "<", ">", "<", ">", ">"]

    def draw(row: Sequence[str]) -> str:
        return "|" + "|".join(f"{cell:{align[i]}{widths[i]}}" for i, cell in enumerate(row)) + "|"

    rule = (
        "|"
        + "|".join("-" * (width - 1) + (":" if a == ">" else "-") for width, a in zip(widths, align, strict=True))
        + "|"
    )
    widths = [max(width, 1) for width in widths]
    text = [f"## {_title(results)}", "", draw(rows[0]), rule, *(draw(row) for row in rows[1:])]
    remarks = _remarks(results)
    if remarks:
        text += ["", *(f"- {remark}" for remark in remarks)]
    return "\n".join([*text, *early.markdown(results), "", f"`{path}`"])


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
