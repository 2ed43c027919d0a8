"""Shows several models side by side: a line for each figure, a column for each model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalkit.comparison import headline, judged
from evalkit.reporting.pieces import row, rule
from evalkit.reporting.tables import Cell, Column, Table, draw, fits
from evalkit.results import Metric, Results
from evalkit.results.record import Entry

if TYPE_CHECKING:
    from rich.console import Console

__all__ = [
    "ARROWS",
    "FEW",
    "BesideLine",
    "asked_for",
    "beside",
    "beside_markdown",
    "chief_figures",
    "few_members",
    "show_beside",
]

ARROWS = {True: "↑", False: "↓", None: ""}
"""Which way a metric is better."""

FEW = 12
"""Groups show their members if there are at most this many in all; MMLU's 57 subjects are only in report.md."""


@dataclass(frozen=True, slots=True)
class BesideLine:
    """One metric of a task or group, for every model."""

    name: str
    depth: int
    metric: str
    """The metric's key in results.json."""
    higher_is_better: bool | None
    figures: tuple[Metric | None, ...]
    """One for each model; None if the model was not run on the task."""


def chief_figures(entry: Entry) -> list[str]:
    """The main metrics of an entry: its headline, and the overall score of each judge."""
    chief = headline(entry)
    return list(dict.fromkeys([*([] if chief is None else [chief]), *judged(entry)]))


def few_members(results: Results) -> bool:
    """Whether groups with their own figures have few enough tasks to list every task."""
    leaves: set[str] = set()
    seen: set[str] = set()

    def down(name: str, below: bool) -> None:
        group = results.groups.get(name)
        if group is None or name in seen:
            if below and name in results.tasks:
                leaves.add(name)
            return
        seen.add(name)
        for member in group.all_members:
            down(member, below or bool(group.metrics))

    for name in asked_for(results):
        down(name, False)
    return len(leaves) <= FEW


def asked_for(results: Results) -> Sequence[str]:
    """The names in --tasks; all groups and tasks if the run doesn't record them."""
    return [*results.groups, *results.tasks] if results.requested is None else results.requested


def beside(results: Sequence[Results]) -> list[BesideLine]:
    """A line for each figure of the requested names, and of group members if they are few."""
    lines: dict[tuple[str, str], BesideLine] = {}
    for run in results:
        for name, depth, metric in _walk(run):
            if (name, metric) in lines:
                continue
            figures = tuple(_figure(other, name, metric) for other in results)
            ways = [figure.higher_is_better for figure in figures if figure]
            better = None if None in ways else all(ways)
            lines[name, metric] = BesideLine(name, depth, metric, better, figures)
    return list(lines.values())


def _walk(results: Results) -> Iterator[tuple[str, int, str]]:
    few = few_members(results)
    seen: set[str] = set()

    def down(name: str, depth: int) -> Iterator[tuple[str, int, str]]:
        entry = results.entry(name)
        if entry is None or name in seen:
            return
        seen.add(name)
        chosen = chief_figures(entry) if depth else _all_figures(entry)
        yield from ((name, depth, metric) for metric in chosen)
        for member in entry.all_members:
            if member in results.groups or few or not chosen:
                yield from down(member, depth + 1 if chosen else depth)

    for name in results.requested or ():
        yield from down(name, 0)


def _all_figures(entry: Entry) -> list[str]:
    """Every metric of the task itself, its headline first; of the judges' metrics, only the overall scores."""
    computed = [name for name, metric in entry.metrics.items() if not metric.judged]
    chief = chief_figures(entry)
    return list(dict.fromkeys([*chief[:1], *computed, *chief]))


def _figure(results: Results, name: str, metric: str) -> Metric | None:
    entry = results.entry(name)
    return entry.metrics.get(metric) if entry else None


# ── shown ────────────────────────────────────────────────────────────────────


def show_beside(console: Console, results: Sequence[Results]) -> None:
    """Print a column for each model; if the terminal is too narrow, several tables with fewer models each."""
    lines = beside(results)
    labels = _labels(results)
    rows: list[list[Cell | str]] = []
    last = None
    for line in lines:
        best = _best(line)
        cells = [Cell(text, "bold" if place in best else "") for place, text in enumerate(_cells(line))]
        name = "" if line.name == last else "  " * line.depth + line.name
        rows.append([name, _metric(line), *cells])
        last = line.name
    start = 0
    while start < len(labels):
        end = len(labels)
        while end > start + 1 and not fits(console, _part(labels, rows, start, end)):
            end -= 1
        draw(console, _part(labels, rows, start, end))
        start = end


def _part(labels: Sequence[str], rows: Sequence[Sequence[Cell | str]], start: int, end: int) -> Table:
    """A table of the models from `start` to `end`."""
    columns = [Column("task"), Column("metric"), *(Column(label, "figure") for label in labels[start:end])]
    return Table(columns, [[*row[:2], *row[2 + start : 2 + end]] for row in rows], "side by side")


def beside_markdown(results: Sequence[Results]) -> str:
    """The lines as a markdown table."""
    head = ["Tasks", "Metric", *_labels(results)]
    text = ["## Side by side", "", row(head), rule(len(head), words=2)]
    for line in beside(results):
        name = (" " * line.depth + "- " if line.depth else "") + line.name
        text.append(row([name, _metric(line), *_cells(line)]))
    return "\n".join(text) + "\n"


def _labels(results: Sequence[Results]) -> list[str]:
    return [str(run.model or "") for run in results]


def _metric(line: BesideLine) -> str:
    metric, _, filter_name = line.metric.partition(",")
    named = f"{metric} ({filter_name})" if filter_name not in ("", "none") else metric
    return f"{named} {ARROWS[line.higher_is_better]}".rstrip()


def _cells(line: BesideLine) -> list[str]:
    return ["" if figure is None else _text(figure) for figure in line.figures]


def _text(figure: Metric) -> str:
    if figure.value is None:
        return "n/a"
    return f"{figure.value:.4f}" + ("" if figure.stderr is None else f" ± {figure.stderr:.4f}")


def _best(line: BesideLine) -> set[int]:
    """The positions of the best value. Whether the difference is significant is for `evalkit compare` to say."""
    values = {place: figure.value for place, figure in enumerate(line.figures) if figure and figure.value}
    if len(line.figures) < 2 or not values or line.higher_is_better is None:
        return set()
    best = max(values.values()) if line.higher_is_better else min(values.values())
    return {place for place, value in values.items() if value == best}
