"""Models rated from their games against each other."""

from __future__ import annotations

import json as json_format
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from evalkit.api.arena_definitions import ArenaArguments
from evalkit.api.output import as_html_table, write_all
from evalkit.api.runs import Run, RunLike, opened
from evalkit.arguments import from_call
from evalkit.errors import JudgeError, UsageError, nearest
from evalkit.ranking.arena import Arena, Game, corrected, rate_games, read_games
from evalkit.reporting import arena_picture, arena_view
from evalkit.reporting.pieces import as_csv
from evalkit.results import check_name, write_file
from evalkit.types import Arguments

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["RatedModels", "arena"]


@dataclass(frozen=True, eq=False, repr=False)
class RatedModels:
    """Models with their ratings, best first; those without one come last and say why."""

    result: Arena
    runs: tuple[Run, ...] = ()
    """Of judged games a run for each model, best first, as leaderboard and report read them."""
    stopped: str | None = None
    """Why no more games were played."""

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
            "ties": self.result.ties,
            "draws": self.result.draws,
            "length_effect": self.result.length_effect,
            "notes": list(self.result.notes),
            **({} if self.stopped is None else {"stopped": self.stopped}),
        }
        return json_format.dumps(content, ensure_ascii=False, indent=1)

    def csv(self) -> str:
        return as_csv(arena_view.records(self.result))

    def markdown(self) -> str:
        return arena_view.as_markdown(self.result)

    def html(self) -> str:
        """A page with the table and the win rates as a picture."""
        return arena_picture.as_html(self.result)

    def show(self) -> None:
        """Print it as the command line does."""
        arena_view.show(self.result)

    def __repr__(self) -> str:
        return self.frame().to_string(index=False, na_rep="")

    def _repr_html_(self) -> str:
        return as_html_table(f"Arena, {self.result.anchor} fixed", self.frame())


def arena(
    *runs: RunLike,
    games: str | Path | None = None,
    judge: str | None = None,
    rubric: str = "pairwise",
    include_path: str | Path | Sequence[str | Path] = (),
    judge_args: str | Arguments | None = None,
    tasks: str | Sequence[str] = (),
    full: bool = False,
    top: int | None = None,
    max_games: int | None = None,
    max_usd: float | None = None,
    labels: str | Path | None = None,
    name: str | None = None,
    anchor: str | None = None,
    scale: str = "elo",
    ties: str = "half",
    rounds: int = 1000,
    seed: int = 0,
    output_path: str | Path = "results",
    journal: str | Path | None = None,
    json: str | Path | None = None,
    csv: str | Path | None = None,
    markdown: str | Path | None = None,
    html: str | Path | None = None,
    progress: bool = False,
) -> RatedModels:
    """Rate models from the games of their runs, which a judge decides, or from recorded games (`games`).

    Ratings are Bradley–Terry's, with intervals over questions and ranks that say how sure they are.
    """
    asked = from_call(ArenaArguments, locals())
    rated = _play(runs, asked, progress) if runs else _recorded(asked)
    write_all(
        (asked.json, rated.json), (asked.csv, rated.csv), (asked.markdown, rated.markdown), (asked.html, rated.html)
    )
    return rated


def _recorded(asked: ArenaArguments) -> RatedModels:
    if asked.games is None:
        raise UsageError(
            "name the runs to compare and a --judge, or --games FILE: a JSONL file with a game a line (model_a, model_b"
            ", winner)"
        )
    if asked.judge is not None:
        raise UsageError("--judge asks for runs to judge; --games are recorded and decided")
    return RatedModels(_rate(read_games(asked.games), asked, None))


def _rate(games: Sequence[Game], asked: ArenaArguments, settled: Collection[tuple[str, str]] | None) -> Arena:
    rated = rate_games(games, asked.anchor, asked.scale, asked.rounds, asked.seed, asked.ties, settled)
    if asked.labels is None:
        return rated
    return corrected(rated, games, read_games(asked.labels), asked.seed)


def _play(runs: Sequence[RunLike], asked: ArenaArguments, progress: bool) -> RatedModels:
    from evalkit.judging.backends.spec import parse_judge
    from evalkit.judging.rubric import find_rubric
    from evalkit.reporting.progress import Progress
    from evalkit.reporting.run_view import report
    from evalkit.runner.arena import ArenaRequest, arena_id, contestants, play
    from evalkit.runner.arena_results import write_arena

    if asked.games is not None:
        raise UsageError("--games are recorded: give runs and a --judge, or --games, not both")
    if asked.judge is None:
        raise UsageError("--judge is missing: who compares the answers of these runs?")
    rubric = find_rubric(asked.rubric, asked.include_path)
    if rubric.kind != "pairwise":
        raise UsageError(f"--rubric {asked.rubric}: an arena needs one that compares two answers, such as pairwise")
    entered = contestants([opened(run, asked.output_path) for run in runs])
    if asked.anchor is not None and asked.anchor not in entered:
        raise UsageError(f"--anchor {asked.anchor}: is none of {', '.join(entered)}{nearest(asked.anchor, entered)}")
    run_id = check_name(asked.name) if asked.name else arena_id(list(entered), rubric, asked.judge, asked.seed)
    request = ArenaRequest(
        rubric=rubric,
        judge=parse_judge(asked.judge),
        output_path=asked.output_path,
        arguments={**asked.judge_args, **({} if asked.max_usd is None else {"max_usd": asked.max_usd})},
        tasks=asked.tasks,
        full=asked.full,
        top=asked.top,
        most_games=asked.max_games,
        seed=asked.seed,
        journal=asked.journal,
    )
    with Progress.open(quiet=not progress) as shown:
        played = play(entered, request, shown)
    decided = [
        Game(f"q{match.prompt}", match.model_a, match.model_b, match.winner, lengths=match.lengths)
        for match in played.matches
        if match.winner is not None
    ]
    if not decided:
        why = next((match.reason for match in played.matches if match.reason), played.stopped)
        raise JudgeError(f"no game has a result ({why}); what was answered is kept, and the same command goes on")
    rated = _rate(decided, asked, played.settled)
    settings = {"runs": {name: str(run.path) for name, run in entered.items()}, "full": asked.full, "top": asked.top}
    folder, written = write_arena(asked.output_path, run_id, entered, played, rated, rubric, settings, report)
    missing = sum(match.winner is None for match in played.matches)
    notes = [
        f"{len(played.matches):,} of {played.possible:,} games: {played.stopped}",
        *([f"{missing:,} games have no verdict"] if missing else []),
        *([] if asked.labels else [f"as {asked.judge} sees it: --labels corrects for a judge's errors"]),
        f"{played.asked:,} answers asked for, {played.reused:,} reused; games in {folder / 'games.jsonl'}",
    ]
    result = RatedModels(replace(rated, notes=(*rated.notes, *notes)), tuple(map(Run, written)), played.stopped)
    write_file(folder / "ratings.json", result.json().encode())
    return result
