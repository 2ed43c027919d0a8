"""The arguments of `evalkit judge jury`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from evalkit.api.definitions import RUNS_FOLDER, OutFile
from evalkit.arguments import Flag, Folder, Names, arguments

__all__ = ["JuryArguments"]


@arguments
class JuryArguments:
    """`evalkit judge jury`: the judges of some runs, weighted by how they agree with people."""

    judges: Annotated[Names, Flag("The members, which judged all the runs before.", metavar="A,B", many=True)]
    labels: Annotated[Path, Flag("People's ratings of some answers, as for judge calibrate.", metavar="FILE")]
    rubric: Annotated[str, Flag("The rubric they judged by: its id, or the path of its file.", metavar="ID")]
    include_path: Annotated[Names, Flag("A folder of your own rubrics.", metavar="DIR", many=True)] = ()
    output_path: Annotated[Folder, RUNS_FOLDER] = Path("results")
    json: Annotated[OutFile, Flag("Write the weights and figures here; - is stdout.", metavar="FILE")] = None
