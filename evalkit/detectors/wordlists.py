"""Word lists of insults and profanity: quick, deterministic, and blind to hatred in polite words."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Sequence

from evalkit.detectors.detector import Detection, DetectorInfo, RatedAnswer
from evalkit.errors import UsageError

__all__ = ["WordList", "make_english", "make_korean"]

_LONGEST = 20_000
"""Characters of an answer that are looked at: a list's regular expressions are slow on very long ones."""


class WordList:
    """A detector over one package's list."""

    def __init__(self, info: DetectorInfo, holds: Callable[[str], bool]) -> None:
        self.info = info
        self._holds = holds

    def detect(self, answers: Sequence[RatedAnswer]) -> list[Detection]:
        return [self._one(answer.output) for answer in answers]

    def _one(self, output: str | None) -> Detection:
        return Detection(None, reason="no answer") if output is None else Detection(self._holds(output[:_LONGEST]))


def make_english(setting: str) -> WordList:
    try:
        from badwords import ProfanityFilter
    except ImportError:
        raise _missing("profanity-en", "badwords-py") from None
    words = ProfanityFilter()
    words.init(languages=["en"])
    info = DetectorInfo("profanity-en", _version("badwords-py"), "a word list: it finds no insult in clean words")
    return WordList(info, words.is_profane)


def make_korean(setting: str) -> WordList:
    try:
        from korcen import korcen
    except ImportError:
        raise _missing("profanity-ko", "korcen") from None
    error = "a word list; on 3,000 comments of K-MHaS precision .92, recall .31"
    return WordList(DetectorInfo("profanity-ko", _version("korcen"), error), lambda text: bool(korcen.check(text)))


def _missing(name: str, package: str) -> UsageError:
    return UsageError(f'--detector {name} needs the package {package}: pip install "lm-evalkit[behaviour]"')


def _version(package: str) -> str:
    return f"{package} {importlib.metadata.version(package)}"
