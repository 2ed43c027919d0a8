"""Models behind a server that speaks the OpenAI protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evalkit.engines.openai.engine import OpenAIEngine, Options, base_url_of, load

__all__ = ["OpenAIEngine", "Options", "base_url_of", "load"]


def __getattr__(name: str) -> Any:
    """Import the engine when it is first used, so that importing its spec is fast."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from evalkit.engines.openai import engine

    return getattr(engine, name)
