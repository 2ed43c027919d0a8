"""Several models run at once, side by side: a line for each figure, a column for each model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evalkit.comparison import headline, judged
from evalkit.reporting.pieces import row, rule
from evalkit.reporting.tables import Cell, Column, Table, draw, fits

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["ARROWS", "FEW", "BesideLine", "beside", "beside_markdown", "chief_figures", "few_members", "show_beside"]

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
    figures: tuple[Mapping[str, Any] | None, ...]
    """One for each model; None where it was not run."""


def chief_figures(entry: Mapping[str, Any]) -> list[str]:
    """The metrics that sum an entry up: its headline, and what each judge said on the whole."""
    chief = headline(entry)
    return list(dict.fromkeys([*([] if chief is None else [chief]), *judged(entry)]))


def few_members(results: Mapping[str, Any]) -> bool:
    """Whether the groups with a figure of their own have few enough tasks below them to list each."""
    groups, tasks = results.get("groups", {}), results.get("tasks", {})
    leaves: set[str] = set()
    seen: set[str] = set()

    def down(name: str, below: bool) -> None:
        found = groups.get(name)
        if found is None or name in seen:
            if below and name in tasks:
                leaves.add(name)
            return
        seen.add(name)
        for member in found.get("members") or ():
            down(member, below or bool(found.get("metrics")))

    for name in results.get("requested", [*groups, *tasks]):
        down(name, False)
    return len(leaves) <= FEW


def beside(results: Sequence[Mapping[str, Any]]) -> list[BesideLine]:
    """Every name that was asked for, with the members of groups that have few."""
    lines: dict[tuple[str, str], BesideLine] = {}
    for found in results:
        for name, depth, metric in _walk(found):
            if (name, metric) in lines:
                continue
            figures = tuple(_figure(other, name, metric) for other in results)
            said = [figure.get("higher_is_better", True) for figure in figures if figure]
            better = None if None in said else all(said)
            lines[name, metric] = BesideLine(name, depth, metric, better, figures)
    return list(lines.values())


def _walk(results: Mapping[str, Any]) -> Iterator[tuple[str, int, str]]:
    groups, tasks = results.get("groups", {}), results.get("tasks", {})
    few = few_members(results)
    seen: set[str] = set()

    def down(name: str, depth: int) -> Iterator[tuple[str, int, str]]:
        entry = groups.get(name) or tasks.get(name)
        if entry is None or name in seen:
            return
        seen.add(name)
        chosen = chief_figures(entry) if depth else _all_figures(entry)
        yield from ((name, depth, metric) for metric in chosen)
        members = entry.get("members") or ()
        for member in members:
            if member in groups or few or not chosen:
                yield from down(member, depth + 1 if chosen else depth)

    for asked in results.get("requested", ()):
        yield from down(asked, 0)


def _all_figures(entry: Mapping[str, Any]) -> list[str]:
    """Of what was asked for every metric, its headline first; of what judges said the sum alone."""
    metrics = entry.get("metrics") or {}
    own = [name for name, figure in metrics.items() if not (isinstance(figure, Mapping) and "rubric" in figure)]
    chief = chief_figures(entry)
    return list(dict.fromkeys([*chief[:1], *own, *chief]))


def _figure(results: Mapping[str, Any], name: str, metric: str) -> Mapping[str, Any] | None:
    entry = results.get("groups", {}).get(name) or results.get("tasks", {}).get(name) or {}
    figure: Mapping[str, Any] | None = (entry.get("metrics") or {}).get(metric)
    return figure


# ── shown ────────────────────────────────────────────────────────────────────


def show_beside(console: Console, results: Sequence[Mapping[str, Any]]) -> None:
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


def beside_markdown(results: Sequence[Mapping[str, Any]]) -> str:
    """The same as a markdown table."""
    head = ["Tasks", "Metric", *_labels(results)]
    text = ["## Side by side", "", row(head), rule(len(head), words=2)]
    for line in beside(results):
        name = (" " * line.depth + "- " if line.depth else "") + line.name
        text.append(row([name, _metric(line), *_cells(line)]))
    return "\n".join(text) + "\n"


def _labels(results: Sequence[Mapping[str, Any]]) -> list[str]:
    return [str(found.get("model", "")) for found in results]


def _metric(line: BesideLine) -> str:
    metric, _, filter_name = line.metric.partition(",")
    known = f"{metric} ({filter_name})" if filter_name not in ("", "none") else metric
    return f"{known} {ARROWS[line.higher_is_better]}".rstrip()


def _cells(line: BesideLine) -> list[str]:
    return ["" if figure is None else _text(figure) for figure in line.figures]


def _text(figure: Mapping[str, Any]) -> str:
    value, stderr = figure.get("value"), figure.get("stderr")
    if value is None:
        return "n/a"
    return f"{value:.4f}" + ("" if stderr is None else f" ± {stderr:.4f}")


def _best(line: BesideLine) -> set[int]:
    """The best by value. Whether it is better for sure is what `evalkit compare` says."""
    values = {place: figure["value"] for place, figure in enumerate(line.figures) if figure and figure.get("value")}
    if len(line.figures) < 2 or not values or line.higher_is_better is None:
        return set()
    best = max(values.values()) if line.higher_is_better else min(values.values())
    return {place for place, value in values.items() if value == best}
