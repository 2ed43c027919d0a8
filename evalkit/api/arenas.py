"""Models rated from their games against each other."""

from __future__ import annotations

import json as json_format
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from evalkit.api.data_definitions import ArenaArguments
from evalkit.api.output import as_html_table, write_all
from evalkit.arguments import checked
from evalkit.errors import UsageError
from evalkit.ranking.arena import Arena, rate_games, read_games
from evalkit.reporting import arena_view
from evalkit.reporting.pieces import as_csv

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["RatedModels", "arena"]


@dataclass(frozen=True, eq=False, repr=False)
class RatedModels:
    """Models with their ratings, best first; those without one come last and say why."""

    result: Arena

    def frame(self) -> pd.DataFrame:
        """One row for each model."""
        import pandas as pd

        return pd.DataFrame(arena_view.records(self.result))

    def win_rates(self) -> pd.DataFrame:
        """Share of points of each model (row) in its games against each other one (column)."""
        import pandas as pd

        names = [standing.model for standing in self.result.standings]
        return pd.DataFrame([[self.result.scores.get((a, b)) for b in names] for a in names], names, names)

    def json(self) -> str:
        models = {row.pop("model"): row for row in map(asdict, self.result.standings)}
        content = {
            "models": models,
            "anchor": self.result.anchor,
            "scale": self.result.scale,
            "questions": self.result.questions,
            "unseparated": [list(pair) for pair in self.result.unseparated],
        }
        return json_format.dumps(content, ensure_ascii=False, indent=1)

    def csv(self) -> str:
        return as_csv(arena_view.records(self.result))

    def markdown(self) -> str:
        return arena_view.as_markdown(self.result)

    def show(self) -> None:
        """Print it as the command line does."""
        arena_view.show(self.result)

    def __repr__(self) -> str:
        return self.frame().to_string(index=False, na_rep="")

    def _repr_html_(self) -> str:
        return as_html_table(f"Arena, {self.result.anchor} fixed", self.frame())


def arena(
    *,
    games: str | Path | None = None,
    anchor: str | None = None,
    scale: str = "elo",
    rounds: int = 1000,
    seed: int = 0,
    json: str | Path | None = None,
    csv: str | Path | None = None,
    markdown: str | Path | None = None,
) -> RatedModels:
    """Rate models from recorded games: Bradley–Terry, intervals over questions, ranks that say how sure they are."""
    asked = checked(
        ArenaArguments,
        {
            "games": games,
            "anchor": anchor,
            "scale": scale,
            "rounds": rounds,
            "seed": seed,
            "json": json,
            "csv": csv,
            "markdown": markdown,
        },
    )
    if asked.games is None:
        raise UsageError("--games FILE is missing: a JSONL file with a game a line (model_a, model_b, winner)")
    rated = RatedModels(rate_games(read_games(asked.games), asked.anchor, asked.scale, asked.rounds, asked.seed))
    write_all((asked.json, rated.json), (asked.csv, rated.csv), (asked.markdown, rated.markdown))
    return rated
