"""Detects insults and profanity by word lists."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence

from evalkit.checks.profanity import Holds, english, korean
from evalkit.detectors.detector import Detection, DetectorInfo, RatedAnswer

__all__ = ["WordList", "make_english", "make_korean", "version_of"]


class WordList:
    """A detector that uses the word lists of one or more packages."""

    def __init__(self, info: DetectorInfo, holds: Holds) -> None:
        self.info = info
        self._holds = holds

    def detect(self, answers: Sequence[RatedAnswer]) -> list[Detection]:
        return [self._one(answer.output) for answer in answers]

    def _one(self, output: str | None) -> Detection:
        return Detection(None, reason="no answer") if output is None else Detection(self._holds(output))


def make_english(setting: str) -> WordList:
    holds = english("--detector profanity-en")
    error = "a word list: it finds no insult in clean words"
    return WordList(DetectorInfo("profanity-en", version_of("badwords-py"), error), holds)


def make_korean(setting: str) -> WordList:
    holds = korean("--detector profanity-ko")
    error = "a word list; on 3,000 comments of K-MHaS precision .92, recall .31"
    return WordList(DetectorInfo("profanity-ko", version_of("korcen"), error), holds)


def version_of(package: str) -> str:
    return f"{package} {importlib.metadata.version(package)}"
