"""Checks that vLLM will load the files that were checked, and that they have every tensor."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from evalkit.errors import CheckpointError
from evalkit.models import checkpoint
from evalkit.models.checkpoint import first_few, weight_files
from evalkit.models.files import read_json
from evalkit.models.weights import check_against_architecture
from evalkit.types import ModelSpec

__all__ = ["with_checked_weights"]

_INDEX = "model.safetensors.index.json"


def with_checked_weights(spec: ModelSpec) -> ModelSpec:
    """The specification with the format that the checked files have. Raises CheckpointError for what can't be loaded.

    vLLM does not notice every missing tensor, for instance of a fused layer, and chooses files by other rules than
    transformers: files that begin with `consolidated` before all others, and every *.safetensors without an index.
    """
    folder = Path(spec.source)
    if spec.args.get("load_format") not in (None, "auto", "safetensors") or not (folder / "config.json").is_file():
        return spec
    wanted = {file.name for file in weight_files(folder)}
    if all(name.endswith(".safetensors") for name in wanted):
        if {file.name for file in folder.glob("consolidated*.safetensors")} - wanted:
            spec = dataclasses.replace(spec, args={**spec.args, "load_format": "safetensors"})
        if extra := sorted(_loaded(folder) - wanted):
            raise CheckpointError(
                f"{spec.typed}: vLLM would also load {first_few(extra)}, which transformers and these checks pass over "
                f"({first_few(sorted(wanted))} is the model): move other *.safetensors files out of {folder}"
            )
    facts = checkpoint.inspect(folder, trust_remote_code=spec.trust_remote_code)
    check_against_architecture(spec.typed, facts, trust_remote_code=spec.trust_remote_code)
    return spec


def _loaded(folder: Path) -> set[str]:
    """The files that vLLM would load as safetensors."""
    index = folder / _INDEX
    if index.is_file():
        return {str(name) for name in read_json(index)["weight_map"].values()}
    return {file.name for file in folder.glob("*.safetensors")}
