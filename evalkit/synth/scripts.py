"""Finds the script that a text is written in, and splits it into tokens for comparisons."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache

__all__ = ["is_korean", "main_script", "scripts_of", "syllables"]

_TOKEN = re.compile(r"[\uac00-\ud7a3\u3040-\u30ff\u3400-\u9fff]|[^\W_\uac00-\ud7a3\u3040-\u30ff\u3400-\u9fff]+")
_FEWEST = 0.2
"""The share of seeds from which a script counts as one of theirs."""


def syllables(text: str) -> list[str]:
    """Tokens in lower case: Hangul syllables, kana and Chinese characters one by one, other letters as words."""
    return _TOKEN.findall(unicodedata.normalize("NFC", text).lower())


def main_script(text: str) -> str:
    """The script of most letters, by its Unicode name: HANGUL, LATIN, CYRILLIC …; empty where there is no letter."""
    counts = Counter(_script(letter) for letter in text if letter.isalpha())
    return counts.most_common(1)[0][0] if counts else ""


@lru_cache(maxsize=4096)
def _script(letter: str) -> str:
    return unicodedata.name(letter, "").split(" ", 1)[0]


def scripts_of(texts: Iterable[str]) -> frozenset[str]:
    """The scripts that at least a fifth of the texts are written in."""
    counts = Counter(main_script(text) for text in texts)
    return frozenset(script for script, count in counts.items() if script and count >= _FEWEST * counts.total())


def is_korean(texts: Iterable[str]) -> bool:
    """Whether most of the texts are in Hangul."""
    scripts = [main_script(text) for text in texts]
    return 2 * scripts.count("HANGUL") > len(scripts)
