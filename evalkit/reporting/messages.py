"""Messages that hold text from outside, as a terminal may show them."""

from __future__ import annotations

from evalkit import safe
from evalkit.scrub import Scrubber

__all__ = ["cleaned"]


def cleaned(message: str) -> str:
    """The message without keys and without control characters."""
    return safe.terminal(Scrubber().text(message))
