"""Compares an answer with the references of a reading question, by the rules of three official scripts.

SQuAD v1.1   case, ASCII punctuation and English articles count for nothing; F1 is over words
SQuAD v2.0   the same, and two empty texts are equal: that is how a question without an answer is answered
KorQuAD v1   brackets and quotation marks become blanks first, articles stay, F1 is over characters without blanks

Nothing is brought to NFC here: the official scripts do not do it, and their figures are to be met to the last digit.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

__all__ = ["RULES", "Rules"]

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)
# The sign for both halves of a quotation, ' and ", stands in this table too: it becomes a blank, and is not dropped.
_KORQUAD_BLANKS = str.maketrans(dict.fromkeys("'\"《》<>〈〉()‘’", " "))


def _squad(text: str) -> str:
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def _korquad(text: str) -> str:
    return " ".join(text.translate(_KORQUAD_BLANKS).lower().translate(_PUNCTUATION).split())


def _words(text: str) -> list[str]:
    return text.split()


def _characters(text: str) -> list[str]:
    return [character for word in text.split() for character in word]


@dataclass(frozen=True, slots=True)
class Rules:
    """How an official script compares an answer with one reference, and with all of a question."""

    name: str
    normalized: Callable[[str], str] = field(repr=False)
    units: Callable[[str], list[str]] = field(repr=False)
    """What F1 counts, in a normalized text."""
    empty_is_equal: bool = False
    """Whether two texts without units have F1 1, and not 0; then a question may have no answer at all."""
    missing_is_wrong: bool = True
    """Whether the script counts a question without a prediction as wrong; else it leaves it out."""

    def exact_match(self, answer: str, references: Sequence[str]) -> float:
        """1 if the answer equals a reference, else 0."""
        given = self.normalized(answer)
        return float(any(given == self.normalized(reference) for reference in self._kept(references)))

    def f1(self, answer: str, references: Sequence[str]) -> float:
        """The best F1 of the answer over the references."""
        given = self.units(self.normalized(answer))
        return max(self._f1(given, self.units(self.normalized(text))) for text in self._kept(references))

    def _kept(self, references: Sequence[str]) -> Sequence[str]:
        """The references that count. In v2.0 one that normalizes to nothing does not, and none at all stands for ''."""
        if not self.empty_is_equal:
            return references
        return [text for text in references if self.normalized(text)] or [""]

    def _f1(self, given: list[str], wanted: list[str]) -> float:
        if self.empty_is_equal and not (given and wanted):
            return float(given == wanted)
        shared = sum((Counter(given) & Counter(wanted)).values())
        if shared == 0:
            return 0.0
        precision, recall = shared / len(given), shared / len(wanted)
        return 2 * precision * recall / (precision + recall)


RULES: dict[str, Rules] = {
    rules.name: rules
    for rules in (
        Rules("squad", _squad, _words),
        Rules("squad_v2", _squad, _words, empty_is_equal=True, missing_is_wrong=False),
        Rules("korquad", _korquad, _characters),
    )
}
