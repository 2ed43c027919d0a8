"""The messages that harness and worker exchange at the start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from evalkit.types import Adapter, JsonObject, ModelSpec

__all__ = ["Ready", "Start"]


@dataclass(frozen=True, slots=True)
class Start:
    """Tells the worker what to load."""

    spec: ModelSpec
    adapters: tuple[Adapter, ...]
    ranks: tuple[int, ...]
    targets: tuple[str, ...] | None
    """The modules that the adapters adapt; None if unknown."""
    think_end: str | int | None
    think_start: str | None = None
    think_open: bool = True


@dataclass(frozen=True, slots=True)
class Ready:
    """Tells the harness what was loaded."""

    description: JsonObject
    max_num_seqs: int
    warnings: tuple[str, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)
    """Adapters that vLLM refused, with the reasons."""
