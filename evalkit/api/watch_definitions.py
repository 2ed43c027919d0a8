"""The arguments of `evalkit watch`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from evalkit.arguments import Flag, Folder, arguments
from evalkit.parsing import parse_limit, split_tasks

__all__ = ["WatchArguments"]


def _file(value: Any) -> Any:
    return Path(value) if isinstance(value, str) else value


@arguments
class WatchArguments:
    """`evalkit watch`: checkpoints, evaluated as a trainer writes them."""

    tasks: Annotated[
        tuple[str, ...],
        BeforeValidator(split_tasks),
        Flag("Tasks, groups, globs (evalkit tasks list) or qa.csv.", metavar="A,B", short=("-t",), many=True),
    ] = ()
    model: Annotated[
        str | None,
        Flag("For LoRA checkpoints: their base model; else the one that adapter_config.json names.", metavar="MODEL"),
    ] = None
    limit: Annotated[
        float | None,
        BeforeValidator(parse_limit),
        Flag("Only the first N documents of each task. Stamped LIMITED.", metavar="N", short=("-L",)),
    ] = None
    budget: Annotated[
        str | None,
        Flag("Pick tasks and documents that show most in this time for each checkpoint: 90s, 5m.", metavar="TIME"),
    ] = None
    config: Annotated[
        Path | None,
        BeforeValidator(_file),
        Flag("Everything else of an evaluation: the keys of evalkit run.", metavar="FILE.yaml", short=("-C",)),
    ] = None
    output_path: Annotated[Folder, Flag("The folder that holds the runs.", metavar="DIRECTORY")] = Path("results")
    baseline: Annotated[
        Any, Flag("Hold each checkpoint against this run; the error is spent over the checkpoints.", metavar="RUN")
    ] = None
    policy: Annotated[
        Any, Flag("What is tolerated; without one, every shared task may drop by 0.01.", metavar="gate.yaml")
    ] = None
    stop_file: Annotated[
        Path | None,
        BeforeValidator(_file),
        Flag("Write this file once a regression is sure, and end with 1.", metavar="FILE"),
    ] = None
    exec_: Annotated[
        str | None, Flag("Run this after each checkpoint; it gets the event as JSON on its input.", metavar="COMMAND")
    ] = None
    post: Annotated[str | None, Flag("Send each event as JSON to this URL.", metavar="URL")] = None
    every: Annotated[float, Field(gt=0), Flag("Seconds between two looks at the folder.", metavar="SECONDS")] = 30.0
    once: Annotated[bool, Flag("Evaluate the checkpoints that are there, then end.", switch=True)] = False
    quiet: Annotated[bool, Flag("No progress, only a line for each checkpoint.", switch=True, short=("-q",))] = False
