"""Refuses sizes in a configuration that would make a library build an absurdly large model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from evalkit.errors import CheckpointError
from evalkit.types import JsonObject

__all__ = ["check_sizes"]

_LAYERS = ("num_hidden_layers", "n_layer", "n_layers", "num_layers", "encoder_layers", "decoder_layers")
_PARTS = ("num_nextn_predict_layers", "num_labels", "num_experts", "num_local_experts", "n_routed_experts")
_WIDTHS = ("vocab_size", "hidden_size", "n_embd", "intermediate_size")
_MOST = {
    **dict.fromkeys(_LAYERS, 10_000),
    **dict.fromkeys(_PARTS, 100_000),
    **dict.fromkeys(_WIDTHS, 1_000_000_000),
}
"""Limits far above the sizes of real models."""
_DEEPEST = 8


def check_sizes(config: JsonObject, file: Path, depth: int = 0) -> None:
    """Raise CheckpointError if a number of layers, experts, labels or words is too large or not a number."""
    for name, value in config.items():
        if isinstance(value, Mapping) and depth < _DEEPEST:
            check_sizes(value, file, depth + 1)
        most = _MOST.get(name)
        if most is None or value is None or isinstance(value, list):
            continue
        if type(value) is not int or not 0 <= value <= most:
            raise CheckpointError(f"{file}: {name} is {value!r:.80}: a whole number up to {most:,} is wanted.")
