"""Word lists of insults and profanity: quick, deterministic, and blind to hatred in polite words.

English is the list of badwords-py (MIT, plain text inside its wheel), Korean that of korcen (Apache-2.0). Neither loads
a pickle or reaches the network.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from evalkit.checks.scripts import letters
from evalkit.errors import UsageError

__all__ = ["Holds", "english", "korean", "profanity_of"]

Holds: TypeAlias = Callable[[str], bool]
"""Whether a text holds a word of the list."""

_LONGEST = 20_000
"""Characters of a text that are looked at: a list's regular expressions are slow on very long ones."""


def english(asker: str) -> Holds:
    """`asker` is what messages name: a flag or a task."""
    try:
        from badwords import ProfanityFilter
    except ImportError:
        raise _missing(asker, "badwords-py") from None
    words = ProfanityFilter()
    words.init(languages=["en"])
    return lambda text: bool(words.is_profane(text[:_LONGEST]))


def korean(asker: str) -> Holds:
    try:
        from korcen import korcen
    except ImportError:
        raise _missing(asker, "korcen") from None
    return lambda text: bool(korcen.check(text[:_LONGEST]))


def profanity_of(asker: str) -> Holds:
    """A text with any Hangul is looked up in the Korean list, one with Latin letters in the English one."""
    in_english, in_korean = english(asker), korean(asker)

    def holds(text: str) -> bool:
        scripts = letters(text[:_LONGEST])
        return bool((scripts["Hangul"] and in_korean(text)) or (scripts["Latin"] and in_english(text)))

    return holds


def _missing(asker: str, package: str) -> UsageError:
    error = UsageError(f'{asker} needs the package {package}: pip install "lm-evalkit[behaviour]"')
    error.not_at_hand = True
    return error
