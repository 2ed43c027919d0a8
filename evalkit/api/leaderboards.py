"""Runs as one table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from evalkit import ranking, results, safe
from evalkit.api.definitions import STATUSES, LeaderboardArguments
from evalkit.api.output import as_html_table, write_all
from evalkit.api.runs import RunLike, load_all
from evalkit.arguments import from_call
from evalkit.errors import UnknownRun, UsageError
from evalkit.registry.cards import load_cards, shipped_folder
from evalkit.reporting import leaderboard_view

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["RankedRuns", "chance_levels", "leaderboard"]


@dataclass(frozen=True, eq=False, repr=False)
class RankedRuns:
    """Runs with their ranks, means and figures, best first."""

    result: ranking.Leaderboard
    warnings: tuple[str, ...] = ()
    """Run folders that could not be read, each with what is wrong."""
    wide: bool = False
    """Whether to show all that is known of each run."""

    @property
    def notes(self) -> tuple[str, ...]:
        return self.result.notes

    def frame(self) -> pd.DataFrame:
        """One row for each run: rank, model, means, and one column for each benchmark."""
        import pandas as pd

        rows = []
        for line in self.result.lines:
            row = {
                "rank": None if line.rank is None else line.rank.low,
                "rank_worst": None if line.rank is None else line.rank.high,
                "model": line.name,
                "run": line.run.run_id,
                "mean": line.mean.value,
                "mean_low": None if line.mean.ci95 is None else line.mean.ci95[0],
                "mean_high": None if line.mean.ci95 is None else line.mean.ci95[1],
                "normalised": line.normalised.value,
            }
            rows.append({**row, **{name: score.value for name, score in line.scores.items()}})
        return pd.DataFrame(rows)

    def markdown(self) -> str:
        return leaderboard_view.as_markdown(self.result, wide=self.wide)

    def json(self) -> str:
        return leaderboard_view.as_json(self.result)

    def csv(self) -> str:
        return leaderboard_view.as_csv(self.result)

    def html(self) -> str:
        """The table as a page of its own."""
        return leaderboard_view.as_html(self.result)

    def show(self) -> None:
        """Print it as the command line does."""
        leaderboard_view.show(self.result, wide=self.wide)

    def __repr__(self) -> str:
        frame = self.frame()
        if frame.empty:
            return safe.terminal("Leaderboard without runs" + "".join(f"\n{note}" for note in self.notes))
        return safe.terminal(frame.drop(columns=["rank_worst", "normalised"]).to_string(index=False, na_rep=""))

    def _repr_html_(self) -> str:
        return as_html_table("Leaderboard", self.frame(), [*self.notes, *self.warnings])


def leaderboard(
    runs: RunLike | Sequence[RunLike] = (),
    *,
    output_path: str | Path = "results",
    import_: str | Path | Sequence[str | Path] = (),
    all: bool = False,
    include: str | Sequence[str] = (),
    wide: bool = False,
    csv: str | Path | None = None,
    json: str | Path | None = None,
    markdown: str | Path | None = None,
    html: str | Path | None = None,
) -> RankedRuns:
    """All runs below `output_path`, or those given, as one table: intervals, ranks, and what data cannot separate.

    Runs of other tools are read where they are named, as a run or with `import_`, and nowhere else.
    """
    asked = from_call(LeaderboardArguments, locals())
    chosen, imported, warnings = _chosen(runs, asked)
    # Runs that are named are meant, each of them and whatever their status.
    named = bool(runs)
    board = RankedRuns(
        ranking.leaderboard(
            chosen,
            named=imported,
            every=asked.all or named,
            also=STATUSES if named else asked.include,
            chances=chance_levels(),
        ),
        tuple(warnings),
        asked.wide,
    )
    write_all(
        (asked.csv, board.csv), (asked.json, board.json), (asked.markdown, board.markdown), (asked.html, board.html)
    )
    return board


def _chosen(
    runs: RunLike | Sequence[RunLike], asked: LeaderboardArguments
) -> tuple[list[results.Run], list[results.Run], list[str]]:
    """The runs to rank, those that were imported, and what is wrong with those that could not be read."""
    if runs and asked.import_:
        raise UsageError("--import adds to the runs of a results folder; where runs are named, name those as well")
    chosen: list[results.Run] = []
    imported: list[results.Run] = []
    warnings: list[str] = []
    if runs:
        chosen = load_all(runs, asked.output_path)
    elif asked.output_path.is_dir():
        stored = results.all_runs(asked.output_path)
        chosen = list(stored.runs)
        warnings += stored.warnings
    elif not asked.import_:
        raise UnknownRun(f"there is no folder {asked.output_path}; --output-path names the one that holds your runs")
    for path in asked.import_:
        foreign, broken = results.find_foreign(path)
        imported += foreign
        warnings += [f"left out: {problem}" for _, problem in broken]
    return chosen, imported, warnings


def chance_levels() -> dict[str, float]:
    """What guessing scores on each shipped benchmark where that is known."""
    return {name: card.chance for name, card in load_cards(shipped_folder()).items() if card.chance is not None}
