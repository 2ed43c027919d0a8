"""The key of a server: read from the environment, sent only to that server, and removed from its replies."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from html.entities import html5
from typing import Any
from urllib.parse import unquote

from evalkit.errors import UsageError
from evalkit.scrub import SHORTEST_SECRET, mark_secret, mark_value

__all__ = ["NO_KEY", "Key", "find_key"]

_DEEPEST = 200
"""The deepest nesting of a reply that is searched for the key; deeper parts are dropped."""
_SIGNS = (b"\\u00", b"\\x", b"\\/", b"%", b"&", b"\x00")
"""One of these stands in a reply where escapes may hide a key. Those of line ends, quotation marks and Korean don't."""
_SHORTEST_USER = 16
"""A user name of fewer characters may be an ordinary word, which would be struck out of answers."""


@dataclass(frozen=True, slots=True)
class Key:
    value: str
    variable: str = "key"
    """The environment variable of the key. Its name replaces the key in replies."""
    authorization: str | None = None
    """The header, if it is not `Bearer <value>`: made of user and password in the base URL."""
    user: str | None = None
    """The user of the base URL, which for some servers is the secret itself."""

    def strike(self, text: str) -> str:
        """The text without the key, also where escapes of JSON, HTML or addresses stand for its letters."""
        pattern = _pattern(self.secrets)
        return text if pattern is None else pattern.sub(f"[{self.variable}]", text)

    def strike_all(self, value: Any, content: bytes) -> Any:
        """A parsed reply without the key. `content` is what it was parsed from."""
        # Searching each text costs as much as parsing, so it is done only if the key is in there, plain or escaped.
        secrets = self.secrets
        escaped = any(sign in content for sign in _SIGNS)
        if not secrets or not (escaped or any(secret.encode() in content for secret in secrets)):
            return value
        pattern = _pattern(secrets)
        plain = content.decode("utf-8", "replace").replace("\0", "")
        return value if pattern is None or not pattern.search(plain) else self._walk(value, 0)

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
    def secrets(self) -> tuple[str, ...]:
        """What may come back: the key, user and password as the header has them, and either in base64."""
        user = self.user if self.user and len(self.user) >= _SHORTEST_USER else None
        coded = self.authorization and self.authorization.removeprefix("Basic ")
        plain = [secret for secret in (coded, self.value, user) if secret and len(secret) >= SHORTEST_SECRET]
        return (*plain, *(base64.b64encode(secret.encode()).decode().rstrip("=") for secret in plain))


@lru_cache(maxsize=16)
def _pattern(secrets: tuple[str, ...]) -> re.Pattern[str] | None:
    """Finds one of the secrets, each letter as it is or as an escape of it. An escape may be escaped again."""
    if not secrets:
        return None
    # The first character is one of a set, which makes the search many times faster.
    first = "".join(re.escape(secret[0]) for secret in secrets)
    whole = ("(?:" + _begun(secret[0]) + ")" + "".join(map(_letter, secret[1:])) for secret in secrets)
    return re.compile(rf"[{first}\\%&](?:{'|'.join(whole)})")


def _begun(letter: str) -> str:
    """The ways to write a letter whose first character has been read."""
    return "|".join([f"(?<={re.escape(letter)})", *(f"(?<={start}){rest}" for start, rest in _escapes(letter))])


def _letter(letter: str) -> str:
    return f"(?:{'|'.join([re.escape(letter), *(start + rest for start, rest in _escapes(letter))])})"


def _escapes(letter: str) -> Iterator[tuple[str, str]]:
    number, itself = ord(letter), "" if letter.isalnum() else f"{re.escape(letter)}|"
    yield r"\\", rf"\\{{0,3}}+(?:{itself}(?i:u{number:04x}|x{number:02x}))"
    first, *more = letter.encode("utf-8", "replace")
    yield "%", f"(?:25){{0,3}}(?i:{first:02x})" + "".join(f"%(?:25){{0,3}}(?i:{byte:02x})" for byte in more)
    names = "".join(f"|{re.escape(name)}" for name, text in html5.items() if text == letter and name.endswith(";"))
    yield "&", rf"(?:amp;){{0,3}}(?:\#0{{0,8}}{number};|(?i:\#x0{{0,8}}{number:x};){names})"


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
        key = Key(password or user, "password", f"Basic {coded}", user)
        for secret in key.secrets:
            mark_value(secret, key.variable)
        return key
    if "api.openai.com" in base_url:
        raise UsageError(f"no key: set {variable} in the environment (keys are read from there and nowhere else)")
    return NO_KEY
