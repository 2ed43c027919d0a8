"""A leaderboard on a terminal, as markdown, CSV, JSON and HTML."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
from dataclasses import dataclass
from typing import Any

from evalkit.ranking import Benchmark, Leaderboard, Line, Score

__all__ = ["about", "as_csv", "as_dict", "as_html", "as_json", "as_markdown", "guarded", "show"]

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
_EXECUTED = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20", "\t", "\r", "\n")


@dataclass(frozen=True)
class _Cell:
    text: str
    small: str = ""
    title: str = ""
    number: bool = False


# ── JSON ─────────────────────────────────────────────────────────────────────


def as_dict(board: Leaderboard) -> dict[str, Any]:
    return {
        "schema": 1,
        "benchmarks": {
            benchmark.name: {"metric": benchmark.metric, "higher_is_better": benchmark.higher_is_better}
            for benchmark in board.benchmarks
        },
        "mean_over": list(board.shared),
        "normalised_mean_over": list(board.normalised),
        "notes": list(board.notes),
        "rows": [_as_dict(line) for line in board.lines],
    }


def as_json(board: Leaderboard) -> str:
    return json.dumps(as_dict(board), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _as_dict(line: Line) -> dict[str, Any]:
    unknown = {"value": None, "reason": "the run's manifest doesn't say"}
    return {
        "rank": None if line.rank is None else {"best": line.rank.low, "worst": line.rank.high, "tied": _tied(line)},
        "model": line.label,
        "parameters": unknown if line.parameters is None else line.parameters,
        "license": line.license or unknown,
        "engine": line.engine or unknown,
        "precision": line.precision or unknown,
        "mean": _score(line.mean),
        "normalised_mean": _score(line.normalised),
        "benchmarks": {
            name: {**_score(score), "num_fewshot": line.shots.get(name)} for name, score in line.scores.items()
        },
        "status": line.run.status,
        "date": unknown if line.date is None else line.date.isoformat(),
        "run_id": line.run.run_id,
        "path": str(line.run.path),
    }


def _score(score: Score) -> dict[str, Any]:
    if score.value is None:
        return {"value": None, "reason": score.reason or "not known"}
    ci95 = None if score.ci95 is None else list(score.ci95)
    return {"value": score.value, "stderr": score.stderr, "ci95": ci95}


# ── CSV ──────────────────────────────────────────────────────────────────────


def as_csv(board: Leaderboard) -> str:
    """One header row, plain numbers, unrounded. The byte order mark in front tells spreadsheets that this is UTF-8."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    head = ["rank", "rank_low", "rank_high", "model", "parameters", "license", "engine", "precision", "mean"]
    head += ["mean_low", "mean_high", "normalised_mean", "normalised_mean_low", "normalised_mean_high", "mean_over"]
    for benchmark in board.benchmarks:
        title = f"{benchmark.of} {benchmark.metric}"
        head += [title, f"{title} low", f"{title} high", f"{benchmark.name} shots"]
    writer.writerow([guarded(cell) for cell in [*head, "status", "date", "run_id"]])
    for line in board.lines:
        low, high = (None, None) if line.rank is None else (line.rank.low, line.rank.high)
        row: list[object] = [low, low, high, line.label, line.parameters, line.license, line.engine, line.precision]
        row += [*_numbers(line.mean), *_numbers(line.normalised), " ".join(board.shared)]
        for benchmark in board.benchmarks:
            row += [*_numbers(line.scores[benchmark.name]), line.shots[benchmark.name]]
        writer.writerow([guarded(cell) for cell in [*row, line.run.status, line.date, line.run.run_id]])
    return "\ufeff" + out.getvalue()


def guarded(cell: object) -> object:
    """The cell as it may stand in a spreadsheet: text that one would execute gets a leading apostrophe.

    Full-width signs count: spreadsheets set to Korean, Japanese or Chinese read them as the plain ones.
    """
    if isinstance(cell, str) and cell.startswith(_EXECUTED):
        return f"'{cell}"
    return "" if cell is None else cell


def _numbers(score: Score) -> tuple[float | None, float | None, float | None]:
    low, high = score.ci95 or (None, None)
    return score.value, low, high


# ── for people ───────────────────────────────────────────────────────────────


def as_markdown(board: Leaderboard) -> str:
    if not board.lines:
        return "\n".join(["No run to show.", "", *_bullets(board)]) + "\n"
    columns = _columns(board)
    lines = [
        "| " + " | ".join(_in_markdown(title) for title, _ in columns) + " |",
        "|" + "|".join("---:" if number else "---" for _, number in columns) + "|",
    ]
    for line in board.lines:
        cells = (_in_markdown(f"{cell.text} {cell.small}".strip()) for cell in _cells(board, line))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", _in_markdown(about(board)), "", *_bullets(board)]).rstrip() + "\n"


def as_html(board: Leaderboard) -> str:
    """One file that loads nothing and runs nothing."""
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


def show(board: Leaderboard) -> None:
    """To stdout: a table on a terminal, markdown in a pipe."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console(highlight=False)
    if not console.is_terminal:
        print(as_markdown(board), end="")
        return
    table = Table(header_style="bold")
    for title, number in _columns(board):
        table.add_column(escape(title), justify="right" if number else "left", overflow="fold")
    for line in board.lines:
        table.add_row(
            *(
                escape(cell.text) + (f"\n[dim]{escape(cell.small)}[/]" if cell.small else "")
                for cell in _cells(board, line)
            )
        )
    if board.lines:
        console.print(table)
    console.print(escape(about(board) if board.lines else "No run to show."))
    for note in board.notes:
        console.print(f"[yellow]{escape(note)}[/]")


# ── pieces ───────────────────────────────────────────────────────────────────


def _columns(board: Leaderboard) -> list[tuple[str, bool]]:
    """Titles, and whether numbers stand below them."""
    front = [("rank", True), ("model", False), ("parameters", True), ("licence", False), ("engine", False)]
    means = [("mean", True), ("above chance", True)]
    benchmarks = [(_title(benchmark), True) for benchmark in board.benchmarks]
    return [*front, *means, *benchmarks, ("shots", False), ("date", False), ("run", False)]


def _title(benchmark: Benchmark) -> str:
    return f"{benchmark.of} {benchmark.metric.removesuffix(',none')}" + (
        " ↓" if benchmark.higher_is_better is False else ""
    )


def _cells(board: Leaderboard, line: Line) -> list[_Cell]:
    status = "" if line.run.status == "complete" else line.run.status.upper()
    return [
        _Cell(_rank(line), number=True),
        _Cell(line.label, small=status),
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
    return f"{line.rank.low}–{line.rank.high} tied" if _tied(line) else str(line.rank.low)


def _tied(line: Line) -> bool:
    return line.rank is not None and line.rank.low != line.rank.high


def _shots(line: Line) -> str:
    known = {
        name: shots for name, shots in line.shots.items() if shots is not None and line.scores[name].value is not None
    }
    if len(set(known.values())) == 1:
        return str(next(iter(known.values())))
    return ", ".join(f"{name} {shots}" for name, shots in known.items()) or _UNKNOWN


def _size(parameters: int | None) -> str:
    if parameters is None:
        return _UNKNOWN
    for unit, size in (("T", 1e12), ("B", 1e9), ("M", 1e6), ("K", 1e3)):
        if parameters >= size:
            return f"{parameters / size:.3g}{unit}"
    return str(parameters)


def _exactly(parameters: int | None) -> str:
    return "" if parameters is None else f"{parameters:,}"


def about(board: Leaderboard) -> str:
    if not board.shared:
        return "No mean and no ranks: no benchmark is shared by all lines. Intervals are 95%."
    mean = f"mean: over {', '.join(board.shared)}, which all lines share"
    above = f"above chance: the mean of (figure − chance)/(1 − chance) over {', '.join(board.normalised)}"
    ranks = "rank: by the mean, from the best to the worst that the data allow; lines that overlap are tied"
    return "; ".join([mean, *([above] if board.normalised else []), ranks, "intervals are 95%"]) + "."


def _bullets(board: Leaderboard) -> list[str]:
    return [f"- {_in_markdown(note)}" for note in board.notes]


def _in_markdown(text: str) -> str:
    """Text that can neither end a cell nor become markup."""
    flat = " ".join(text.split()).replace("\\", "\\\\").replace("|", "\\|").replace("`", "\\`")
    flat = flat.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return flat.replace("*", "\\*").replace("](", "]\\(")
