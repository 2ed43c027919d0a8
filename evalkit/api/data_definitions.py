"""The arguments of the verbs that read games, seeds and training data instead of runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field

from evalkit.api.definitions import OutFile
from evalkit.arguments import Flag, arguments

__all__ = ["ArenaArguments", "OverlapArguments"]

_File = Annotated[Path | None, BeforeValidator(lambda value: None if value is None else Path(value))]


@arguments
class ArenaArguments:
    """`evalkit arena`: recorded games between models, rated."""

    games: Annotated[_File, Flag("Rows of model_a, model_b, winner, question_id.", metavar="FILE")] = None
    anchor: Annotated[
        str | None, Flag("The model whose rating is fixed; by default the one in most games.", metavar="MODEL")
    ] = None
    scale: Annotated[str, Flag("elo (anchor at 1000, 400 points a factor of 10) or logit.", metavar="NAME")] = "elo"
    rounds: Annotated[int, Field(ge=20), Flag("Resamples for the intervals.", metavar="N")] = 1000
    seed: Annotated[int, Field(ge=0), Flag("Of the resampling.", metavar="N")] = 0
    json: Annotated[OutFile, Flag("Write ratings, intervals and ranks here; - is stdout.", metavar="FILE")] = None
    csv: Annotated[OutFile, Flag("Write the table for a spreadsheet here; - is stdout.", metavar="FILE")] = None
    markdown: Annotated[OutFile, Flag("Write the table here; - is stdout.", metavar="FILE")] = None


@arguments
class OverlapArguments:
    """`evalkit overlap`: rows of one file that stand in another."""

    against: Annotated[_File, Flag("The file that the rows are held against.", metavar="FILE.jsonl")] = None
    gram: Annotated[int, Field(ge=2), Flag("Words in a row that two texts must share.", metavar="N")] = 8
    json: Annotated[OutFile, Flag("Write all matches here; - is stdout.", metavar="FILE")] = None
