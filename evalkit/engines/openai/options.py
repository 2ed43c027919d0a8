"""The engine's own --model-args: the server's address and the way of asking."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from typing import Any
from urllib.parse import SplitResult, urlsplit, urlunsplit

from evalkit.errors import UsageError
from evalkit.types import Arguments

__all__ = ["Options", "base_url_of", "split_url", "userinfo_of"]

_NUMBERS = {
    "max_concurrency": int,
    "timeout": float,
    "retries": int,
    "max_usd": float,
    "give_up": float,
    "max_reply_mb": int,
}


@dataclass(frozen=True, slots=True)
class Options:
    base_url: str | None = None
    """Default: OPENAI_BASE_URL, else OpenAI."""
    key_env: str = "OPENAI_API_KEY"
    """The name of the variable that holds the key, never the key."""
    max_concurrency: int = 32
    timeout: float = 600.0
    """Seconds for one request."""
    retries: int = 6
    """Tries after an error of the server. A request to wait is no error and is not counted."""
    give_up: float = 600.0
    """Seconds without any answer to waiting requests, after which the run stops."""
    max_reply_mb: int = 64
    """The longest reply that is read, in MiB, unpacked."""
    api: str = "auto"
    """auto, chat or completions: the endpoint for plain prompts."""
    chat_template_args: Arguments | None = None
    """Sent as `chat_template_kwargs`; `reasoning_effort` among them is sent beside it."""
    enable_thinking: bool | None = None
    think_end_token: str | None = None
    """What ends a thought in the server's text. A server with a reasoning parser sends the thought apart."""
    think_start_token: str | None = None
    think_open: bool = True
    price: str | None = None
    max_usd: float | None = None

    def __post_init__(self) -> None:
        for name, kind in _NUMBERS.items():
            value = getattr(self, name)
            if value is not None and not _is_number(value, kind):
                words = "a whole number" if kind is int else "a number"
                raise UsageError(f"{name}={value}: {words} is wanted")
        if self.api not in ("auto", "chat", "completions"):
            raise UsageError(f"api={self.api}: auto, chat or completions")
        for name in ("max_concurrency", "timeout", "give_up", "max_reply_mb"):
            if getattr(self, name) <= 0:
                raise UsageError(f"{name}={getattr(self, name)}: must be above 0")
        if self.retries < 0:
            raise UsageError(f"retries={self.retries}: must not be below 0")
        base_url_of({"base_url": self.base_url})

    @classmethod
    def names(cls) -> list[str]:
        return [field.name for field in fields(cls)]


def _is_number(value: Any, kind: type) -> bool:
    allowed: tuple[type, ...] = (int,) if kind is int else (int, float)
    return isinstance(value, allowed) and not isinstance(value, bool) and value == value


def base_url_of(args: Arguments) -> str:
    """The server's address: the argument, otherwise OPENAI_BASE_URL, otherwise OpenAI. Without user and password."""
    url = _typed_url(args)
    parts = _parts(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=host)).rstrip("/")


def userinfo_of(args: Arguments) -> str | None:
    """`user:password` of the URL; None if it has none."""
    return _parts(_typed_url(args)).netloc.rpartition("@")[0] or None


def split_url(base_url: str) -> tuple[str, str]:
    """The endpoint in the URL, as lm-eval's users write it. Plain prompts go there."""
    for ending, api in (("/chat/completions", "chat"), ("/completions", "completions")):
        if base_url.endswith(ending):
            return base_url.removesuffix(ending), api
    return base_url, "auto"


def _typed_url(args: Arguments) -> str:
    return str(args.get("base_url") or os.environ.get("OPENAI_BASE_URL") or "https://api.openai.com/v1").strip()


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises where the port is no number
    except ValueError as error:
        raise UsageError(f"base_url={url}: not a URL ({error})") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        shown = url.rpartition("@")[2]
        hint = "" if "://" in url else f"; did you mean http://{shown}?"
        raise UsageError(f"base_url={shown}: a URL begins with http:// or https:// and names a host{hint}")
    return parts
