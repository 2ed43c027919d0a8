"""Models behind a server that speaks the OpenAI protocol."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evalkit.engines.openai.engine import OpenAIEngine
    from evalkit.engines.openai.loading import load
    from evalkit.engines.openai.options import Options, base_url_of

__all__ = ["OpenAIEngine", "Options", "base_url_of", "load"]

_HOMES = {"OpenAIEngine": "engine", "Options": "options", "base_url_of": "options", "load": "loading"}


def __getattr__(name: str) -> Any:
    """Import the engine when it is first used, so that importing its spec is fast."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
