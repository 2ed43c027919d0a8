"""The arguments of `evalkit export`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from evalkit.arguments import Flag, Folder, Names, arguments
from evalkit.parsing import parse_pairs

__all__ = ["ExportArguments"]


def _names() -> str:
    from evalkit.exporting import exporter_names

    return f"Where to: {', '.join(exporter_names())}."


def _pairs(value: Any) -> Mapping[str, Any]:
    return parse_pairs(value, "--export-args")


@arguments
class ExportArguments:
    """`evalkit export`: a finished run goes somewhere else."""

    to: Annotated[Names, Flag(_names, metavar="NAME", many=True)] = ()
    output_path: Annotated[Folder, Flag("The folder that holds the runs.", metavar="DIRECTORY")] = Path("results")
    against: Annotated[Any, Flag("Add the verdict and the changed documents against this baseline.", metavar="RUN")] = (
        None
    )
    policy: Annotated[
        Any,
        Flag(
            "With --against: what is tolerated; without one, every shared task may drop by 0.01.", metavar="gate.yaml"
        ),
    ] = None
    allow: Annotated[
        Names, Flag("With --against: a difference that is meant: version, prompts, shots …", metavar="KIND", many=True)
    ] = ()
    out: Annotated[Folder, Flag("Where files are written (hf, eee, lm-eval).", metavar="DIR", default="exports")] = (
        Path("exports")
    )
    project: Annotated[
        str | None, Flag("The project or experiment (wandb, mlflow, trackio); default: evalkit.", metavar="NAME")
    ] = None
    id: Annotated[
        str | None, Flag("The run there to go on with; without it, one for each run of evalkit.", metavar="ID")
    ] = None
    step: Annotated[
        int, Field(ge=0), Flag("Where the run stands on the axis of a training run (eval/step).", metavar="N")
    ] = 0
    repo: Annotated[str | None, Flag("The model repository on the hub (hf).", metavar="ORG/MODEL")] = None
    push: Annotated[
        bool, Flag("Open a pull request on --repo (hf). Without it, nothing is sent to the hub.", switch=True)
    ] = False
    export_args: Annotated[
        Mapping[str, Any],
        BeforeValidator(_pairs),
        Flag("tracking_uri=…, space_id=…, organization=…, benchmark=TASK:ORG/NAME:ID …", metavar="K=V,…", many=True),
    ] = field(default_factory=dict)
