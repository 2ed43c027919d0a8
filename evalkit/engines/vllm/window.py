"""Computes vLLM's default context window, which can differ from the length in the configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["vllm_window"]

_ALREADY_SCALED = frozenset({"su", "llama3", "yarn", "deepseek_yarn", "deepseek_llama_scaling"})
"""Kinds of position scaling for which the config's length is already scaled."""


def vllm_window(config: Any, window: int) -> int:
    """vLLM's window for the length in a config: scaled if the config scales positions; for LongRoPE, the shorter one
    of its two lengths."""
    given = getattr(config, "rope_parameters", None) or getattr(config, "rope_scaling", None) or {}
    if "gemma3" in str(getattr(config, "model_type", "")):
        return window
    # The config has one scaling for all layers, or one for each kind of layer.
    scalings = [given] if {"rope_type", "type"} & set(given) else [s for s in given.values() if isinstance(s, Mapping)]
    factor = 1.0
    for scaling in scalings:
        kind = scaling.get("rope_type") or scaling.get("type")
        if kind == "longrope":
            return int(getattr(config, "original_max_position_embeddings", None) or window)
        if kind not in _ALREADY_SCALED:
            factor = scaling.get("factor") or factor
    return int(window * factor)
