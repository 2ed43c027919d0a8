"""Several models run at once, side by side: a line for each figure, a column for each model."""

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
"""Members that groups show beside themselves, in all; the 57 subjects of MMLU stay in report.md."""


@dataclass(frozen=True, slots=True)
class BesideLine:
    name: str
    depth: int
    metric: str
    """As results.json has it."""
    higher_is_better: bool | None
    figures: tuple[Metric | None, ...]
    """One for each model; None where it was not run."""


def chief_figures(entry: Entry) -> list[str]:
    """The metrics that sum an entry up: its headline, and what each judge gave on the whole."""
    given = entry.as_json()
    chief = headline(given)
    return list(dict.fromkeys([*([] if chief is None else [chief]), *judged(given)]))


def few_members(results: Results) -> bool:
    """Whether the groups with a figure of their own have few enough tasks below them to list each."""
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
    """The names that were typed; everything where the run doesn't say."""
    return [*results.groups, *results.tasks] if results.requested is None else results.requested


def beside(results: Sequence[Results]) -> list[BesideLine]:
    """Every name that was asked for, with the members of groups that have few."""
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
    """Of what was asked for every metric, its headline first; of what judges gave, only the sum."""
    own = [name for name, metric in entry.metrics.items() if not metric.judged]
    chief = chief_figures(entry)
    return list(dict.fromkeys([*chief[:1], *own, *chief]))


def _figure(results: Results, name: str, metric: str) -> Metric | None:
    entry = results.entry(name)
    return entry.metrics.get(metric) if entry else None


# ── shown ────────────────────────────────────────────────────────────────────


def show_beside(console: Console, results: Sequence[Results]) -> None:
    """A column for each model; where they are too many for the terminal, several tables of fewer models."""
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
    """The models from `start` to `end` beside each other."""
    columns = [Column("task"), Column("metric"), *(Column(label, "figure") for label in labels[start:end])]
    return Table(columns, [[*row[:2], *row[2 + start : 2 + end]] for row in rows], "side by side")


def beside_markdown(results: Sequence[Results]) -> str:
    """The same as a markdown table."""
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
    """The best by value. Whether it is better for sure is what `evalkit compare` says."""
    values = {place: figure.value for place, figure in enumerate(line.figures) if figure and figure.value}
    if len(line.figures) < 2 or not values or line.higher_is_better is None:
        return set()
    best = max(values.values()) if line.higher_is_better else min(values.values())
    return {place for place, value in values.items() if value == best}
