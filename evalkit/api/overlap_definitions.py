"""The arguments of `evalkit overlap`."""

from __future__ import annotations

from dataclasses import field
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field

from evalkit.api.definitions import JudgeArgs, OutFile
from evalkit.arguments import Flag, Folder, Names, arguments

__all__ = ["OverlapArguments"]

_File = Annotated[Path | None, BeforeValidator(lambda value: None if value is None else Path(value))]


@arguments
class OverlapArguments:
    """`evalkit overlap`: rows of one file that stand in another, or documents of benchmarks that stand in it."""

    against: Annotated[_File, Flag("The file that the rows are held against.", metavar="FILE.jsonl")] = None
    tasks: Annotated[
        Names, Flag("Benchmarks that are looked for in the file, instead of --against.", metavar="A,B", many=True)
    ] = ()
    model: Annotated[
        str | None, Flag("Signs in this model that it was trained on the --tasks.", metavar="MODEL", short=("-m",))
    ] = None
    reference: Annotated[str | None, Flag("Of --model: another model, whose signs are taken off.", metavar="MODEL")] = (
        None
    )
    model_args: Annotated[
        JudgeArgs, Flag("Of --model: engine arguments.", metavar="K=V,…", short=("-a",), many=True)
    ] = field(default_factory=dict)
    engine: Annotated[str, Flag("Of --model: auto, vllm, hf …", metavar="ENGINE")] = "auto"
    device: Annotated[str | None, Flag("Of --model: cpu, cuda …", metavar="DEVICE")] = None
    limit: Annotated[int | None, Field(ge=1), Flag("Of --model: only so many documents, drawn.", metavar="N")] = None
    plus_plus: Annotated[
        bool, Flag("Of --model: Min-K%++ too, at a request for each token of the vocabulary.", switch=True)
    ] = False
    gram: Annotated[int, Field(ge=2, le=64), Flag("Words in a row that two texts must share.", metavar="N")] = 8
    syllables: Annotated[
        int, Field(ge=2, le=64), Flag("Of --tasks, for Korean: Hangul syllables in a row.", metavar="N")
    ] = 16
    data_dir: Annotated[Folder | None, Flag("An offline mirror of the benchmarks.", metavar="DIR")] = None
    include_path: Annotated[Names, Flag("A folder of your own tasks.", metavar="DIR", many=True)] = ()
    json: Annotated[OutFile, Flag("Write all matches here; - is stdout.", metavar="FILE")] = None
    mark: Annotated[
        Names, Flag("Note in these runs which of their documents were found.", metavar="RUN", many=True)
    ] = ()
    output_path: Annotated[Folder, Flag("The folder that holds the runs.", metavar="DIRECTORY")] = Path("results")
    quiet: Annotated[bool, Flag("No progress.", switch=True, short=("-q",))] = False
