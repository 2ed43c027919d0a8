"""Measures how similar an answer is to a reference, for Korean and for English."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

from evalkit.checks.scripts import letters
from evalkit.types import RawDocument

__all__ = ["METRICS", "compare_with_reference", "lcs", "tokens"]

METRICS = ("chrf", "rouge_l", "token_f1", "exact_match", "same_script", "length_ratio")

# A Korean word includes its particles: 학교가 and 학교는 differ only in the particle. So each syllable is a token, like
# each Chinese or Japanese character. Words of other scripts and numbers are one token.
_TOKEN = re.compile(r"[\u1100-\u11ff\u3040-\u30ff\u3130-\u318f\u3400-\u9fff\uac00-\ud7ff\uf900-\ufaff]|[^\W_]+")
_SPLIT = re.compile(r"([\u1100-\u11ff\u3040-\u30ff\u3130-\u318f\u3400-\u9fff\uac00-\ud7ff\uf900-\ufaff])")


def compare_with_reference(doc: RawDocument, results: Sequence[str]) -> dict[str, float | None]:
    """lm-eval's `process_results` of a file of instructions: the answer against the document's `output`."""
    return _compare(_composed(results[0]), _composed(str(doc["output"])))


def _compare(answer: str, reference: str) -> dict[str, float | None]:
    from sacrebleu.metrics.chrf import CHRF

    mine, theirs = tokens(answer), tokens(reference)
    scripts = _script(answer), _script(reference)
    return {
        "chrf": CHRF().sentence_score(answer, [reference]).score / 100,
        "rouge_l": _f1(lcs(mine, theirs), len(mine), len(theirs)),
        "token_f1": _f1((Counter(mine) & Counter(theirs)).total(), len(mine), len(theirs)),
        "exact_match": float(answer == reference),
        "same_script": None if scripts[1] is None else float(scripts[0] == scripts[1]),
        "length_ratio": len(answer) / len(reference) if reference else None,
    }


def tokens(text: str) -> list[str]:
    """The tokens of a text: words and numbers in lower case; each Korean, Chinese or Japanese character by itself."""
    spaced = _SPLIT.sub(r" \1 ", unicodedata.normalize("NFKC", text).casefold())
    return _TOKEN.findall(spaced)


def lcs(a: Sequence[str], b: Sequence[str]) -> int:
    """Length of the longest common subsequence, a row of the table held in one integer's bits (Hyyrö 2004)."""
    places: dict[str, int] = {}
    for place, token in enumerate(a):
        places[token] = places.get(token, 0) | 1 << place
    full = (1 << len(a)) - 1
    row = full
    for token in b:
        met = row & places.get(token, 0)
        row = ((row + met) | (row - met)) & full
    return len(a) - row.bit_count()


def _f1(shared: int, mine: int, theirs: int) -> float:
    if mine == theirs == 0:
        return 1.0
    return 2 * shared / (mine + theirs)


def _script(text: str) -> str | None:
    """The script of most letters; None if there are none. A Korean text with many Hanja is still Korean."""
    counts = letters(text)
    return max(sorted(counts), key=lambda name: counts[name]) if counts else None


def _composed(text: str) -> str:
    """The text composed (NFC), since decomposed Hangul is the same text, and with single blanks."""
    return " ".join(unicodedata.normalize("NFC", text).split())
