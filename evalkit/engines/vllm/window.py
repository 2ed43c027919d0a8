"""The context window that vLLM takes where none was asked for: it can be another than the configuration's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["vllm_window"]

_ALREADY_SCALED = frozenset({"su", "llama3", "yarn", "deepseek_yarn", "deepseek_llama_scaling"})
"""Ways to scale positions with which a config gives the scaled length."""


def vllm_window(config: Any, window: int) -> int:
    """What vLLM makes of a config's length: it scales positions where the config says so, and starts LongRoPE with
    the shorter of its two lengths."""
    given = getattr(config, "rope_parameters", None) or getattr(config, "rope_scaling", None) or {}
    if "gemma3" in str(getattr(config, "model_type", "")):
        return window
    # One for all layers, or one for each kind of layer.
    scalings = [given] if {"rope_type", "type"} & set(given) else [s for s in given.values() if isinstance(s, Mapping)]
    factor = 1.0
    for scaling in scalings:
        kind = scaling.get("rope_type") or scaling.get("type")
        if kind == "longrope":
            return int(getattr(config, "original_max_position_embeddings", None) or window)
        if kind not in _ALREADY_SCALED:
            factor = scaling.get("factor") or factor
    return int(window * factor)
