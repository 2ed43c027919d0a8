"""The arguments of `evalkit rate`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from evalkit.api.definitions import OutFile
from evalkit.arguments import Flag, Folder, Names, arguments
from evalkit.parsing import parse_pairs

__all__ = ["RateArguments"]

_File = Annotated[Path | None, BeforeValidator(lambda value: None if value is None else Path(value))]
_ModelArgs = Annotated[Mapping[str, Any], BeforeValidator(lambda value: parse_pairs(value, "--model-args"))]
_JudgeArgs = Annotated[Mapping[str, Any], BeforeValidator(lambda value: parse_pairs(value, "--judge-args"))]


def _detectors() -> str:
    from evalkit.detectors import names

    return f"{', '.join(names())}, self-consistency or judge:RUBRIC."


@arguments
class RateArguments:
    """`evalkit rate`: how often a detector finds something in answers."""

    detector: Annotated[str | None, Flag(_detectors, metavar="NAME", short=("-d",))] = None
    labels: Annotated[
        _File, Flag("People's labels of some of these answers: the rate is corrected by them.", metavar="FILE.jsonl")
    ] = None
    model: Annotated[
        str | None, Flag("Whose answers these are: labels of another model are refused.", metavar="NAME", short=("-m",))
    ] = None
    before: Annotated[
        _File,
        Flag(
            "Answers to the same prompts before a change, such as self-debiasing: how the rate and the texts changed.",
            metavar="FILE.jsonl",
        ),
    ] = None
    perplexity_under: Annotated[
        str | None,
        Flag("Of --before: the model under which both files' answers get a perplexity.", metavar="MODEL"),
    ] = None
    model_args: Annotated[_ModelArgs, Flag("Of --perplexity-under: dtype=float32 …", metavar="K=V,…", many=True)] = (
        field(default_factory=dict)
    )
    by: Annotated[str | None, Flag("A field of the rows: a rate for each of its values too.", metavar="FIELD")] = None
    min_coverage: Annotated[
        float, Field(ge=0, le=1), Flag("The share of answers that must get a verdict.", metavar="SHARE")
    ] = 0.9
    sample: Annotated[int, Field(ge=1), Flag("Answers in --to-label.", metavar="N")] = 200
    to_label: Annotated[
        _File, Flag("Write a random sample of the answers here, for people to label.", metavar="FILE.jsonl")
    ] = None
    judge: Annotated[Names, Flag("Of judge:RUBRIC: the model that judges.", metavar="JUDGE", many=True)] = ()
    judge_args: Annotated[
        _JudgeArgs, Flag("Of judge:RUBRIC: timeout=60, price=0.15/0.60 …", metavar="K=V,…", many=True)
    ] = field(default_factory=dict)
    output_path: Annotated[
        Folder,
        Flag(
            "Of judge:RUBRIC and --perplexity-under: the folder whose journal keeps what the model said.",
            metavar="DIRECTORY",
        ),
    ] = Path("results")
    json: Annotated[OutFile, Flag("Write the rates here; - is stdout.", metavar="FILE")] = None
    markdown: Annotated[OutFile, Flag("Write the rates as a table here; - is stdout.", metavar="FILE")] = None
