"""The arguments of `evalkit arena`."""

from __future__ import annotations

from dataclasses import field
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field

from evalkit.api.definitions import JUDGE_ARGS, QUIET, RUNS_FOLDER, JudgeArgs, OutFile, judge_help
from evalkit.arguments import Flag, Folder, Names, arguments

__all__ = ["ArenaArguments"]

_File = Annotated[Path | None, BeforeValidator(lambda value: None if value is None else Path(value))]


@arguments
class ArenaArguments:
    """`evalkit arena`: games between models, judged or recorded, and their ratings."""

    games: Annotated[_File, Flag("Recorded games: rows of model_a, model_b, winner, question_id.", metavar="FILE")] = (
        None
    )
    judge: Annotated[str | None, Flag(judge_help, metavar="JUDGE")] = None
    rubric: Annotated[str, Flag("A rubric that compares two answers.", metavar="ID")] = "pairwise"
    include_path: Annotated[Names, Flag("A folder of your own rubrics.", metavar="DIR", many=True)] = ()
    judge_args: Annotated[JudgeArgs, Flag(JUDGE_ARGS, metavar="K=V,…", many=True)] = field(default_factory=dict)
    tasks: Annotated[Names, Flag("Only these tasks of the runs.", metavar="A,B", short=("-t",), many=True)] = ()
    full: Annotated[bool, Flag("Play all games, not only those that tell most.", switch=True)] = False
    top: Annotated[
        int | None, Field(ge=1), Flag("Stop when the first N ranks are sure; by default all.", metavar="N")
    ] = None
    max_games: Annotated[int | None, Field(ge=1), Flag("Play no more than this.", metavar="N")] = None
    max_usd: Annotated[float | None, Field(ge=0), Flag("Stop before this is spent.", metavar="USD")] = None
    labels: Annotated[
        _File, Flag("People's winners of some games; corrects the ratings for the judge's errors.", metavar="FILE")
    ] = None
    name: Annotated[str | None, Flag("The arena's name, by which its results are found.", metavar="NAME")] = None
    anchor: Annotated[
        str | None, Flag("The model whose rating is fixed; by default the one in most games.", metavar="MODEL")
    ] = None
    scale: Annotated[str, Flag("elo (anchor at 1000, 400 points a factor of 10) or logit.", metavar="NAME")] = "elo"
    ties: Annotated[str, Flag("half a win for each, or davidson: draws have a chance of their own.", metavar="HOW")] = (
        "half"
    )
    rounds: Annotated[int, Field(ge=20), Flag("Resamples for the intervals.", metavar="N")] = 1000
    seed: Annotated[int, Field(ge=0), Flag("Of the resampling and the order of games.", metavar="N")] = 0
    output_path: Annotated[Folder, RUNS_FOLDER] = Path("results")
    journal: Annotated[
        Folder | None, Flag("Where answers are kept; by default .journal under --output-path.", metavar="DIR")
    ] = None
    json: Annotated[OutFile, Flag("Write ratings, intervals and ranks here; - is stdout.", metavar="FILE")] = None
    csv: Annotated[OutFile, Flag("Write the table for a spreadsheet here; - is stdout.", metavar="FILE")] = None
    markdown: Annotated[OutFile, Flag("Write the table here; - is stdout.", metavar="FILE")] = None
    html: Annotated[OutFile, Flag("Write a page with the win rates as a picture; - is stdout.", metavar="FILE")] = None
    quiet: Annotated[bool, QUIET] = False
