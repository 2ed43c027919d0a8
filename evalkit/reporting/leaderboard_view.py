"""Shows a leaderboard on a terminal, as markdown and as HTML; leaderboard_data writes JSON and CSV."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalkit import safe
from evalkit.ranking import Benchmark, Leaderboard, Line, Score, listed
from evalkit.reporting.leaderboard_data import as_csv, as_dict, as_json
from evalkit.reporting.pieces import row, rule
from evalkit.reporting.tables import Cell, Column, Table, draw, fits, open_console, say

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["about", "as_csv", "as_dict", "as_html", "as_json", "as_markdown", "grid", "show"]

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem; color: #1c2430; background: #fff; }
h1 { font-size: 1.4rem; } .wide { overflow-x: auto; }
table { border-collapse: collapse; } th, td { padding: .4rem .8rem; text-align: left; white-space: nowrap; }
thead th { border-bottom: 2px solid #1c2430; } tbody tr:nth-child(odd) { background: #f4f6f9; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
small { display: block; color: #5a6675; } li { color: #5a6675; }
@media screen and (prefers-color-scheme: dark) {
  body { color: #e6e9ee; background: #14181f; } tbody tr:nth-child(odd) { background: #1c222c; }
  thead th { border-color: #e6e9ee; } small, li { color: #9aa6b5; }
}
"""
_UNKNOWN = "–"


@dataclass(frozen=True)
class _Cell:
    text: str
    small: str = ""
    title: str = ""
    number: bool = False


# ── for people ───────────────────────────────────────────────────────────────


def grid(board: Leaderboard, *, wide: bool = False) -> tuple[list[str], list[list[str]]]:
    """Head and rows of the table: rank, model, mean and each benchmark; with `wide`, all columns."""
    columns = _columns(board)
    shown = range(len(columns)) if wide else _chief(board)
    rows = []
    for line in board.lines:
        cells = _cells(board, line)
        rows.append([f"{cells[place].text} {cells[place].small}".strip() for place in shown])
    return [columns[place][0] for place in shown], rows


def as_markdown(board: Leaderboard, *, wide: bool = False) -> str:
    """A markdown table of rank, model, mean and each benchmark; with `wide`, of all columns."""
    if not board.lines:
        return "\n".join(["No run to show.", "", *_bullets(board)]) + "\n"
    head, rows = grid(board, wide=wide)
    lines = [row(head), rule(len(head), words=2), *(row(cells) for cells in rows)]
    return "\n".join([*lines, "", safe.markdown(about(board, above_chance=wide)), "", *_bullets(board)]).rstrip() + "\n"


def as_html(board: Leaderboard) -> str:
    """An HTML page in one file, without scripts and without links to other files."""
    from jinja2 import Environment, PackageLoader

    templates = Environment(loader=PackageLoader("evalkit.reporting"), autoescape=True, keep_trailing_newline=True)
    digest = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    return templates.get_template("leaderboard.html").render(
        style=_STYLE,
        style_hash=f"sha256-{digest}",
        about=about(board) if board.lines else "No run to show.",
        columns=[{"title": title, "number": number} for title, number in _columns(board)],
        rows=[_cells(board, line) for line in board.lines],
        notes=board.notes,
    )


def show(board: Leaderboard, *, wide: bool = False) -> None:
    """Print to stdout: tables on a terminal, markdown in a pipe."""
    console = open_console()
    if not console.is_terminal:
        print(as_markdown(board, wide=wide), end="")
        return
    for table in _tables(console, board, wide) if board.lines else ():
        draw(console, table)
        console.print()
    say(console, about(board, most=5, above_chance=wide) if board.lines else "No run to show.")
    for note in board.notes:
        say(console, note, "yellow")


# ── on a terminal ────────────────────────────────────────────────────────────


def _tables(console: Console, board: Leaderboard, wide: bool) -> list[Table]:
    """One table if all figures fit beside the models; else a table of the models, then a line for each benchmark."""
    if wide:
        return [_wide(board)]
    whole = _summary(board, [(_short_title(benchmark), benchmark.name) for benchmark in board.benchmarks])
    if fits(console, whole):
        return [whole]
    named = _by_benchmark(board, [line.name for line in board.lines])
    if fits(console, named, without_drops=True):
        return [_summary(board), named]
    numbers = [f"#{place}" for place in range(1, len(board.lines) + 1)]
    tables, start = [_summary(board, numbers=numbers)], 0
    while start < len(numbers):
        end = len(numbers)
        while end > start + 1 and not fits(console, _by_benchmark(board, numbers, start, end), without_drops=True):
            end -= 1
        tables.append(_by_benchmark(board, numbers, start, end))
        start = end
    return tables


def _summary(
    board: Leaderboard, figures: Sequence[tuple[str, str]] = (), *, numbers: Sequence[str] | None = None
) -> Table:
    """A table with a row for each model: rank, mean, and the figures of these benchmarks."""
    columns = [Column("rank", "figure"), Column("model"), Column("mean", "figure"), Column("95% interval", drop=1)]
    columns += [Column(title, "figure") for title, _ in figures]
    rows: list[list[Cell | str]] = []
    for place, line in enumerate(board.lines):
        name = f"{line.name} {_status(line)}".rstrip()
        cells: list[Cell | str] = [_rank(line), Cell(name, "bold"), _value(line.mean), _ends(line.mean)]
        cells += [_value(line.scores[benchmark]) for _, benchmark in figures]
        rows.append([numbers[place], *cells] if numbers else cells)
    return Table([Column("#", "figure"), *columns] if numbers else columns, rows)


def _by_benchmark(board: Leaderboard, heads: Sequence[str], start: int = 0, end: int | None = None) -> Table:
    """A table with a row for each benchmark and a column for each of the models from `start` to `end`."""
    lines = board.lines[start:end]
    columns = [Column("benchmark"), Column("metric", drop=1), *(Column(head, "figure") for head in heads[start:end])]
    rows = [
        [
            benchmark.of,
            _metric(benchmark),
            *(_value(line.scores[benchmark.name]) for line in lines),
        ]
        for benchmark in board.benchmarks
    ]
    return Table(columns, rows)


def _wide(board: Leaderboard) -> Table:
    columns = [Column(title, "figure" if number else "name") for title, number in _columns(board)]
    order = [1, 0, *range(2, len(columns))]  # the model first: it is the heading if a row becomes a block
    rows = []
    for line in board.lines:
        cells = [Cell(f"{cell.text} {cell.small}".strip()) for cell in _cells(board, line)]
        rows.append([cells[place] for place in order])
    return Table([columns[place] for place in order], rows)


def _value(score: Score) -> str:
    return (
        _UNKNOWN if score.value is None else f"{score.value:.3f}" if abs(score.value) < 1000 else f"{score.value:.4g}"
    )


def _ends(score: Score) -> str:
    return "" if score.ci95 is None else f"{score.ci95[0]:.3f} – {score.ci95[1]:.3f}"


def _short_title(benchmark: Benchmark) -> str:
    metric = benchmark.metric if benchmark.judged else benchmark.metric.partition(",")[0]
    return f"{benchmark.of} {metric}" + (" ↓" if benchmark.higher_is_better is False else "")


def _metric(benchmark: Benchmark) -> str:
    arrow = " ↓" if benchmark.higher_is_better is False else ""
    return benchmark.metric.removesuffix(",none") + arrow


# ── pieces ───────────────────────────────────────────────────────────────────


def _columns(board: Leaderboard) -> list[tuple[str, bool]]:
    """The title of each column, and whether it holds numbers."""
    front = [("rank", True), ("model", False), ("parameters", True), ("licence", False), ("engine", False)]
    means = [("mean", True), ("above chance", True)]
    benchmarks = [(_title(benchmark), True) for benchmark in board.benchmarks]
    return [*front, *means, *benchmarks, ("shots", False), ("date", False), ("run", False)]


def _title(benchmark: Benchmark) -> str:
    return f"{benchmark.of} {_metric(benchmark)}"


def _chief(board: Leaderboard) -> list[int]:
    """The positions of rank, model, mean and the benchmarks among the columns."""
    titles = [title for title, _ in _columns(board)]
    first = titles.index("above chance") + 1
    return [0, 1, titles.index("mean"), *range(first, first + len(board.benchmarks))]


def _status(line: Line) -> str:
    return "" if line.run.status == "complete" else line.run.status.upper()


def _cells(board: Leaderboard, line: Line) -> list[_Cell]:
    return [
        _Cell(_rank(line), number=True),
        _Cell(line.name, small=_status(line)),
        _Cell(_size(line.parameters), number=True, title=_exactly(line.parameters)),
        _Cell(line.license or _UNKNOWN),
        _Cell(" ".join(filter(None, (line.engine, line.precision))) or _UNKNOWN),
        _score_cell(line.mean),
        _score_cell(line.normalised),
        *(_score_cell(line.scores[benchmark.name]) for benchmark in board.benchmarks),
        _Cell(_shots(line)),
        _Cell(_UNKNOWN if line.date is None else line.date.isoformat()),
        _Cell(line.run.run_id),
    ]


def _score_cell(score: Score) -> _Cell:
    if score.value is None:
        return _Cell(_UNKNOWN, title=score.reason or "", number=True)
    interval = "" if score.ci95 is None else f"[{score.ci95[0]:.3f}, {score.ci95[1]:.3f}]"
    return _Cell(f"{score.value:.3f}", interval, title=repr(score.value), number=True)


def _rank(line: Line) -> str:
    if line.rank is None:
        return _UNKNOWN
    return f"{line.rank.low}–{line.rank.high} tied" if line.tied else str(line.rank.low)


def _shots(line: Line) -> str:
    counts = {
        name: shots for name, shots in line.shots.items() if shots is not None and line.scores[name].value is not None
    }
    if len(set(counts.values())) == 1:
        return str(next(iter(counts.values())))
    return ", ".join(f"{name} {shots}" for name, shots in counts.items()) or _UNKNOWN


def _size(parameters: int | None) -> str:
    if parameters is None:
        return _UNKNOWN
    for unit, size in (("T", 1e12), ("B", 1e9), ("M", 1e6), ("K", 1e3)):
        if parameters >= size:
            return f"{parameters / size:.3g}{unit}"
    return str(parameters)


def _exactly(parameters: int | None) -> str:
    return "" if parameters is None else f"{parameters:,}"


def about(board: Leaderboard, *, most: int = 1000, above_chance: bool = True) -> str:
    """A sentence on how to read mean, rank and intervals. It names at most the first `most` benchmarks."""
    if not board.shared:
        return "No mean and no ranks: no benchmark is shared by all lines. Intervals are 95%."
    mean = f"mean: over {listed(board.shared, most)}, which all lines share"
    above = f"above chance: the mean of (figure − chance)/(1 − chance) over {listed(board.normalised, most)}"
    ranks = "rank: by the mean, from the best to the worst that the data allow; lines that overlap are tied"
    return "; ".join([mean, *([above] if board.normalised and above_chance else []), ranks, "intervals are 95%"]) + "."


def _bullets(board: Leaderboard) -> list[str]:
    return [f"- {safe.markdown(note)}" for note in board.notes]
