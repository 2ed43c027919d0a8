"""The arguments of `evalkit curve`."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator

from evalkit.api.definitions import OutFile
from evalkit.arguments import Flag, Folder, Names, arguments
from evalkit.errors import UsageError, nearest
from evalkit.parsing import parse_limit

__all__ = ["AXES", "CurveArguments"]

AXES = ("step", "tokens", "examples", "epoch")


def _axis(value: Any) -> str:
    if value not in AXES:
        raise UsageError(f"--x {value}: no such axis{nearest(str(value), AXES)} (one of {', '.join(AXES)})")
    return str(value)


def _tolerance(value: Any) -> float | str:
    """0.01 on the metric's scale, or "2%" of the best."""
    text = str(value).strip()
    try:
        number = float(text.removesuffix("%"))
    except ValueError:
        number = math.nan
    if not math.isfinite(number) or number < 0:
        raise UsageError(f"--tolerance {text[:40]}: 0.01 or 2% is wanted")
    return f"{number:g}%" if text.endswith("%") else number


def _paths(value: Any) -> tuple[Path, ...]:
    return tuple(Path(path) for path in ((value,) if isinstance(value, str | Path) else value or ()))


def _file(value: Any) -> Any:
    return Path(value) if isinstance(value, str) else value


@arguments
class CurveArguments:
    """`evalkit curve`: figures along a training run."""

    output_path: Annotated[Folder, Flag("The folder that holds the runs.", metavar="DIRECTORY")] = Path("results")
    import_: Annotated[
        tuple[Path, ...],
        BeforeValidator(_paths),
        Flag("Add each run of lm-eval or inspect_ai in a folder and those below it.", metavar="PATH", many=True),
    ] = ()
    model: Annotated[
        str | None,
        Flag("For LoRA checkpoints: their base model; else the one that adapter_config.json names.", metavar="MODEL"),
    ] = None
    limit: Annotated[
        float | None,
        BeforeValidator(parse_limit),
        Flag("Of checkpoints: only the first N documents of each task.", metavar="N", short=("-L",)),
    ] = None
    budget: Annotated[
        str | None,
        Flag("Of checkpoints: pick tasks and documents that show most in this time for each: 90s, 5m.", metavar="TIME"),
    ] = None
    config: Annotated[
        Path | None,
        BeforeValidator(_file),
        Flag(
            "Of checkpoints: everything else of their evaluation, with the keys of evalkit run.",
            metavar="FILE.yaml",
            short=("-C",),
        ),
    ] = None
    x: Annotated[str, BeforeValidator(_axis), Flag(f"The axis: {', '.join(AXES)}.", metavar=f"[{'|'.join(AXES)}]")] = (
        "step"
    )
    points: Annotated[
        Path | None,
        BeforeValidator(_file),
        Flag("Where runs stand on the axis: columns `run` and the axis's name.", metavar="FILE.csv"),
    ] = None
    baseline: Annotated[Any, Flag("The run that all points are held against; else the first point.", metavar="RUN")] = (
        None
    )
    tasks: Annotated[
        Names,
        Flag(
            "Only these tasks or groups; of checkpoints, what they are evaluated on.",
            metavar="A,B",
            short=("-t",),
            many=True,
        ),
    ] = ()
    metric: Annotated[
        str | None, Flag("This metric instead of each task's headline, e.g. acc,none.", metavar="NAME")
    ] = None
    tolerance: Annotated[
        Any,
        BeforeValidator(_tolerance),
        Flag("How much worse than the best is good enough: 0.01, or 2% of the best.", metavar="AMOUNT"),
    ] = 0.01
    allow: Annotated[
        Names, Flag("A difference that is meant: version, prompts, shots …", metavar="KIND", many=True)
    ] = ()
    json: Annotated[OutFile, Flag("Write all points here; - is stdout.", metavar="FILE")] = None
    csv: Annotated[OutFile, Flag("Write a line for each point here; - is stdout.", metavar="FILE")] = None
    markdown: Annotated[OutFile, Flag("Write the table here; - is stdout.", metavar="FILE")] = None
    html: Annotated[OutFile, Flag("Write a page with a chart for each task here.", metavar="FILE")] = None
    quiet: Annotated[bool, Flag("No progress of checkpoints that are evaluated.", switch=True, short=("-q",))] = False
