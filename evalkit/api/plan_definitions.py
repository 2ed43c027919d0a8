"""The arguments of `evalkit plan`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from evalkit.api.definitions import OutFile
from evalkit.arguments import Flag, Folder, Names, arguments

__all__ = ["PlanArguments"]


@arguments
class PlanArguments:
    """`evalkit plan`: how many documents and answers a drop needs."""

    tasks: Annotated[
        Names, Flag("By default those that the baseline was asked for.", metavar="A,B", short=("-t",), many=True)
    ] = ()
    baseline: Annotated[Any, Flag("The run whose own noise is planned with.", metavar="RUN")] = None
    drop: Annotated[
        float, Field(gt=0, lt=1), Flag("The drop to find, as a share of the metric's scale.", metavar="AMOUNT")
    ] = 0.02
    power: Annotated[float, Field(gt=0, lt=1), Flag("How often it should be found.", metavar="SHARE")] = 0.8
    confidence: Annotated[
        float, Field(gt=0.5, lt=1), Flag("Of the verdict, one-sided, as in gate.yaml.", metavar="SHARE")
    ] = 0.95
    noise: Annotated[
        Any, Flag("A second run of the baseline, where that has one answer per document.", metavar="RUN")
    ] = None
    output_path: Annotated[Folder, Flag("The folder that holds the runs.", metavar="DIRECTORY")] = Path("results")
    json: Annotated[OutFile, Flag("Write the plan here; - is stdout.", metavar="FILE")] = None
