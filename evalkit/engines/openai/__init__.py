"""Models behind a server that speaks the OpenAI protocol."""

from evalkit.engines.openai.engine import OpenAIEngine, Options, base_url_of, load

__all__ = ["OpenAIEngine", "Options", "base_url_of", "load"]
