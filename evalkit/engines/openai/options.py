"""Where a server is, how it is asked, and where the key comes from: the environment, and nowhere else."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evalkit.errors import UsageError

__all__ = ["Options", "base_url_of", "key_of", "split_url"]


@dataclass(frozen=True, slots=True)
class Options:
    base_url: str | None = None
    """Default: OPENAI_BASE_URL, else OpenAI."""
    key_env: str = "OPENAI_API_KEY"
    """The name of the variable that holds the key, never the key."""
    max_concurrency: int = 32
    timeout: float = 600.0
    retries: int = 6
    """Tries after a fault of the server. Being told to wait is no fault and not counted."""
    api: str = "auto"
    """auto, chat or completions: where plain prompts go."""
    price: str | None = None
    max_usd: float | None = None

    def __post_init__(self) -> None:
        if self.api not in ("auto", "chat", "completions"):
            raise UsageError(f"api={self.api}: auto, chat or completions")
        if self.max_concurrency < 1 or self.timeout <= 0 or self.retries < 0:
            raise UsageError("max_concurrency and timeout are above 0, retries not below")


def base_url_of(args: Mapping[str, Any]) -> str:
    """Where requests go: what was asked for, else OPENAI_BASE_URL, else OpenAI."""
    asked = args.get("base_url") or os.environ.get("OPENAI_BASE_URL") or "https://api.openai.com/v1"
    return str(asked).rstrip("/")


def split_url(base_url: str) -> tuple[str, str]:
    """lm-eval's users write the endpoint into the URL: it says which one plain prompts go to."""
    for ending, api in (("/chat/completions", "chat"), ("/completions", "completions")):
        if base_url.endswith(ending):
            return base_url.removesuffix(ending), api
    return base_url, "auto"


def key_of(variable: str, base_url: str) -> str:
    key = os.environ.get(variable, "").strip()
    if key:
        return key
    if "api.openai.com" in base_url:
        raise UsageError(f"no key: set {variable} in the environment (keys are read from there and nowhere else)")
    return "EMPTY"  # what servers without keys are told
