"""A model's context window, by lm-eval's rule."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from evalkit.errors import CheckpointError

__all__ = ["DEFAULT_WINDOW", "Scaling", "context_window", "text_config"]

DEFAULT_WINDOW = 2048
_NAMES = ("n_positions", "max_position_embeddings", "n_ctx")
_NO_LIMIT = 10**15
"""transformers writes "no limit" as a number near 1e30."""

Scaling = Callable[[Any, int], int]
"""What an engine makes of the length in a configuration: (configuration, length) → window."""


def context_window(config: Any, tokenizer_length: Any = None, scaling: Scaling | None = None) -> int:
    """Tokens: from the text part of the configuration, else the tokenizer's length, else 2,048.

    `scaling` is applied to a length that the configuration gives.
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
    """The part of a configuration that is about text; most models have nothing else."""
    return getattr(config, "text_config", None) or config


def _whole(value: Any, name: str) -> int:
    try:
        length = int(value)
    except (TypeError, ValueError, OverflowError):
        length = 0
    if not 0 < length < _NO_LIMIT:
        raise CheckpointError(f"{name} is {value!r:.80}: a number of tokens is wanted; mend the model's configuration.")
    return length
