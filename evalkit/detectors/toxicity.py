"""Detects insults and profanity by the word list of the language in which an answer is written."""

from __future__ import annotations

from evalkit.checks.profanity import profanity_of
from evalkit.detectors.detector import DetectorInfo
from evalkit.detectors.wordlists import WordList, version_of

__all__ = ["make"]


def make(setting: str) -> WordList:
    holds = profanity_of("--detector toxicity")
    error = "word lists: they find no hatred in polite words (Korean: recall .31 on hate speech)"
    version = f"{version_of('badwords-py')}, {version_of('korcen')}"
    return WordList(DetectorInfo("toxicity", version, error), holds)
