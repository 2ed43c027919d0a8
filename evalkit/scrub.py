"""Keys are read from the environment and must not reach a file: their values are struck out of all that is written."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

__all__ = ["SHORTEST_SECRET", "Scrubber", "mark_secret", "mark_value", "without_userinfo"]

_SECRET_NAME = re.compile(r"(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL)S?(?:_|\d|$)")
_NOT_SECRET_NAME = re.compile(r"(?:PATH|FILE|DIR|HOME|URL|NAME|SOCK)$")
_SECRET_ENTRY = re.compile(r"(?:.*api_?key|.*secret.*|.*password|(?:auth_|access_|hf_|use_auth_)?token)", re.IGNORECASE)
_SECRET_ARGUMENT = re.compile(
    r"""((?:^|[\s,;?&"'-])(?:[a-z_]*api[_-]?key|[a-z_]*secret|password|(?:auth_|access_|hf_)?token)\s*[=:]\s*)[^\s,;&"']+""",
    re.IGNORECASE,
)
_URL_USERINFO = re.compile(r"(https?://)[^/\s?#]*@", re.IGNORECASE)
SHORTEST_SECRET = 8
"""A shorter value (`KEY=1`, `TOKEN=auto`) would strike ordinary words out of the answers."""

_marked_values: dict[str, str] = {}
"""Secrets with what is written in their place."""
_marked: set[str] = set()
"""Variables that hold a key whatever they are called. For the whole process, as the environment is."""


def mark_secret(variable: str) -> None:
    """From now on the value of this environment variable is struck out of everything that is written."""
    _marked.add(variable)


def mark_value(value: str, name: str) -> None:
    """From now on this value is struck out too: a secret that stands in no variable of its own."""
    if len(value) >= SHORTEST_SECRET:
        _marked_values[value] = name


def without_userinfo(text: str) -> str:
    """The text without user and password of the addresses in it."""
    return _URL_USERINFO.sub(r"\1", text)


class Scrubber:
    """Strikes the values of key-like environment variables out of text."""

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        secrets = _secrets(os.environ if environ is None else environ)
        # Without blanks and line ends around it, which a file of secrets leaves and no header has.
        self._names = {**_marked_values, **{value.strip(): name for name, value in secrets.items()}}
        # Longest first, so that a key which contains another is struck out whole.
        values = sorted(self._names, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, values))) if values else None

    @property
    def active(self) -> bool:
        return self._pattern is not None

    def text(self, text: str) -> str:
        if self._pattern is None:
            return text
        return self._pattern.sub(lambda match: f"[{self._names[match.group()]}]", text)

    def argument(self, text: str) -> str:
        """One word of a command line: `api_key=…` and the password of a URL are struck out too."""
        return without_userinfo(_SECRET_ARGUMENT.sub(r"\1[key]", self.text(text)))

    @staticmethod
    def is_secret_entry(name: str) -> bool:
        """Whether the entry of a settings mapping holds a key, going by its name."""
        return _SECRET_ENTRY.fullmatch(name) is not None


def _secrets(environ: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in environ.items()
        if len(value.strip()) >= SHORTEST_SECRET
        and (
            name in _marked
            or (
                _SECRET_NAME.search(name.upper())
                and not _NOT_SECRET_NAME.search(name.upper())
                and not (value.startswith("/") and Path(value).exists())
            )
        )
    }
