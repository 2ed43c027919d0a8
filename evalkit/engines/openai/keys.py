"""The key of a server: read from the environment, sent only to that server, and removed from its replies."""

from __future__ import annotations

import base64
import html
import os
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from evalkit.errors import UsageError
from evalkit.scrub import SHORTEST_SECRET, mark_secret

__all__ = ["NO_KEY", "Key", "find_key"]

_DEEPEST = 200
"""The deepest nesting of a reply that is searched for the key; deeper parts are dropped."""


_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})|\\x([0-9a-fA-F]{2})|\\(/)")


def _written_in(text: str) -> str:
    return _ESCAPE.sub(lambda escape: escape[3] or chr(int(escape[1] or escape[2], 16)), text)


@dataclass(frozen=True, slots=True)
class Key:
    value: str
    variable: str = "key"
    """The environment variable of the key. Its name replaces the key in replies."""
    authorization: str | None = None
    """The header, if it is not `Bearer <value>`: made of user and password in the base URL."""

    def strike(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, f"[{self.variable}]")
        return text

    def strike_text(self, text: str) -> str:
        """A text that is no JSON, without the key: also where escapes of JSON, HTML or addresses stand for its letters.

        Such a text is decoded whole.
        """
        plain = self.strike(text)
        decoded = unquote(html.unescape(_written_in(plain)))
        return self.strike(decoded) if any(secret in decoded for secret in self._secrets) else plain

    def strike_all(self, value: Any, content: bytes) -> Any:
        """A parsed reply without the key. `content` is what it was parsed from."""
        if not self._secrets:
            return value
        # Searching each text costs as much as parsing, so it is done only if the key may be in there, plain or escaped.
        hidden = b"\\u" in content or b"\\/" in content or b"\x00" in content
        return self._walk(value, 0) if hidden or any(secret.encode() in content for secret in self._secrets) else value

    def _walk(self, value: Any, depth: int) -> Any:
        if depth > _DEEPEST:
            return None
        if isinstance(value, str):
            return self.strike(value)
        if isinstance(value, list):
            return [self._walk(entry, depth + 1) for entry in value]
        if isinstance(value, dict):
            return {self.strike(name): self._walk(entry, depth + 1) for name, entry in value.items()}
        return value

    @property
    def _secrets(self) -> list[str]:
        """What may come back: the key, and user and password as the header has them."""
        coded = [] if self.authorization is None else [self.authorization.removeprefix("Basic ")]
        return [secret for secret in (*coded, self.value) if len(secret) >= SHORTEST_SECRET]


NO_KEY = Key("EMPTY")
"""The key that is sent to servers without keys."""


def find_key(variable: str, base_url: str, userinfo: str | None = None) -> Key:
    """The key in the environment, otherwise user and password of the URL, otherwise none (not allowed for OpenAI)."""
    value = os.environ.get(variable, "").strip()
    if value:
        mark_secret(variable)
        return Key(value, variable)
    if userinfo:
        user, _, password = map(unquote, userinfo.partition(":"))
        coded = base64.b64encode(f"{user}:{password}".encode()).decode()
        return Key(password or user, "password", f"Basic {coded}")
    if "api.openai.com" in base_url:
        raise UsageError(f"no key: set {variable} in the environment (keys are read from there and nowhere else)")
    return NO_KEY
