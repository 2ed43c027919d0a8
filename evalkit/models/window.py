"""Computes a model's context window by lm-eval's rule."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from evalkit.errors import CheckpointError

__all__ = ["DEFAULT_WINDOW", "Scaling", "context_window", "text_config"]

DEFAULT_WINDOW = 2048
_NAMES = ("n_positions", "max_position_embeddings", "n_ctx")
_NO_LIMIT = 10**15
"""transformers stores "no limit" as a number near 1e30."""

Scaling = Callable[[Any, int], int]
"""Returns an engine's window, given the configuration and the length in it."""


def context_window(config: Any, tokenizer_length: Any = None, scaling: Scaling | None = None) -> int:
    """The window in tokens: from the text part of the configuration, else from the tokenizer, else 2,048.

    `scaling` is applied to a length from the configuration.
    """
    text = text_config(config)
    for name in _NAMES:
        value = getattr(text, name, None)
        if value is not None:
            length = _whole(value, name)
            return length if scaling is None else scaling(text, length)
    if tokenizer_length is None or tokenizer_length >= _NO_LIMIT:
        return DEFAULT_WINDOW
    return _whole(tokenizer_length, "model_max_length")


def text_config(config: Any) -> Any:
    """The text part of a configuration; for most models, the whole configuration."""
    return getattr(config, "text_config", None) or config


def _whole(value: Any, name: str) -> int:
    try:
        length = int(value)
    except (TypeError, ValueError, OverflowError):
        length = 0
    if not 0 < length < _NO_LIMIT:
        raise CheckpointError(f"{name} is {value!r:.80}: a number of tokens is wanted; mend the model's configuration.")
    return length
