"""The arguments of `evalkit synth`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from evalkit.api.definitions import OutFile, paid_engines
from evalkit.arguments import Flag, Folder, Names, arguments
from evalkit.parsing import parse_batch_size, parse_pairs

__all__ = ["SynthExportArguments", "SynthNewArguments", "SynthReplayArguments", "SynthShowArguments"]

_File = Annotated[Path | None, BeforeValidator(lambda value: None if value is None else Path(value))]
_Pairs = Annotated[Mapping[str, Any], BeforeValidator(lambda value: parse_pairs(value, "--model-args"))]


def _max_usd() -> str:
    return f"Stop before this is spent (--engine {paid_engines()})."


def _engines() -> str:
    from evalkit.engines.spec import AUTO, engine_names

    return f"{', '.join((AUTO, *engine_names()))}."


def _recipes() -> str:
    from evalkit.synth.recipe import RECIPES

    return f"{', '.join(RECIPES)}."


def _formats() -> str:
    from evalkit.synth.exporting import ANSWERS, FORMATS

    return f"{', '.join(FORMATS)}, or {ANSWERS} (the pool's own, to be judged)."


@arguments
class SynthNewArguments:
    """`evalkit synth new`: a new pool of tasks from seeds."""

    seeds: Annotated[_File, Flag("Your own tasks: instruction and instances, a row each.", metavar="FILE.jsonl")] = None
    generator: Annotated[
        str | None, Flag("The model that writes: as --model, or ENGINE:MODEL[@URL].", metavar="MODEL")
    ] = None
    n: Annotated[int, Field(ge=1), Flag("How many tasks.", metavar="N")] = 100
    out: Annotated[_File, Flag("The folder for the pool.", metavar="DIR")] = None
    recipe: Annotated[str, Flag(_recipes, metavar="NAME")] = "evalkit"
    about: Annotated[str | None, Flag("What the new tasks are about.", metavar="TEXT")] = None
    novel_to: Annotated[Names, Flag("Refuse what stands in these benchmarks.", metavar="A,B", many=True)] = ()
    embedder: Annotated[
        str | None, Flag("Refuse near meanings by vectors: openai:MODEL[@URL].", metavar="NAME:MODEL")
    ] = None
    held_out: Annotated[
        float, Field(ge=0, le=1), Flag("The share that no export for training gets.", metavar="SHARE")
    ] = 0.2
    seed: Annotated[int, Field(ge=0), Flag("Of the drawing of examples and of sampling.", metavar="N")] = 42
    model_args: Annotated[
        _Pairs, Flag("Engine arguments: dtype=bfloat16, base_url=…", metavar="K=V,…", short=("-a",), many=True)
    ] = field(default_factory=dict)
    engine: Annotated[str, Flag(_engines, metavar="ENGINE")] = "auto"
    device: Annotated[str | None, Flag("cpu, cuda …; found by itself.", metavar="DEVICE")] = None
    batch_size: Annotated[
        str, BeforeValidator(parse_batch_size), Flag("auto, or at most N at once.", metavar="N", short=("-b",))
    ] = "auto"
    apply_chat_template: Annotated[bool, Flag("Ask through the model's chat template.", switch=True)] = False
    trust_remote_code: Annotated[bool, Flag("Let this model's repository run its own Python.", switch=True)] = False
    max_usd: Annotated[float | None, Field(ge=0), Flag(_max_usd, metavar="USD")] = None
    dry_run: Annotated[bool, Flag("Only say how many requests, tokens and dollars it would take.", switch=True)] = False
    data_dir: Annotated[Folder | None, Flag("An offline mirror of the benchmarks.", metavar="DIR")] = None
    include_path: Annotated[Names, Flag("A folder of your own tasks, for --novel-to.", metavar="DIR", many=True)] = ()
    output_path: Annotated[Folder, Flag("The folder whose journal keeps the answers.", metavar="DIRECTORY")] = Path(
        "results"
    )
    journal: Annotated[
        Folder | None, Flag("Where answers are kept; by default .journal under --output-path.", metavar="DIR")
    ] = None
    json: Annotated[OutFile, Flag("Write the funnel and the cost here; - is stdout.", metavar="FILE")] = None
    quiet: Annotated[bool, Flag("No progress.", switch=True, short=("-q",))] = False


@arguments
class SynthReplayArguments:
    """`evalkit synth replay`: a recorded run, made again."""

    out: Annotated[_File, Flag("The folder for pool.jsonl.", metavar="DIR")] = None
    json: Annotated[OutFile, Flag("Write the funnel here; - is stdout.", metavar="FILE")] = None


@arguments
class SynthShowArguments:
    """`evalkit synth show`: what a pool holds."""

    neighbours: Annotated[int, Field(ge=0), Flag("How many of the most similar pairs to show.", metavar="N")] = 5
    sample: Annotated[int, Field(ge=1), Flag("Of --to-label: how many tasks to draw.", metavar="N")] = 50
    to_label: Annotated[_File, Flag("Write a sample of the tasks here, for people to label.", metavar="FILE.jsonl")] = (
        None
    )
    json: Annotated[OutFile, Flag("Write it here; - is stdout.", metavar="FILE")] = None


@arguments
class SynthExportArguments:
    """`evalkit synth export`: a pool in another format."""

    format: Annotated[str | None, Flag(_formats, metavar="NAME")] = None
    out: Annotated[_File, Flag("The folder for the files; by default DIR/export.", metavar="DIR")] = None
