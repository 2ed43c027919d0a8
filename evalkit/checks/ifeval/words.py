"""Splits text into words as NLTK does: runs of word characters, or Treebank tokens for rules on case.

Since 3.10 NLTK uses the `regex` module, except for contractions: the two modules differ in where a word begins.
"""

from __future__ import annotations

import re

import regex

from evalkit.checks.sentences import sentences

__all__ = ["count_words", "tokens"]


def count_words(text: str) -> int:
    """The number of words by `regex`, as in NLTK since 3.10: Python's `re` would split Hindi words at vowel signs."""
    return len(regex.findall(r"\w+", text))


_FLAT = [
    (regex.compile(r"([«“‘„]|`+)"), r" \1 "),
    (regex.compile(r'^"'), "``"),
    (regex.compile("(``)"), r" \1 "),
    (regex.compile(r"([ (\[{<])(\"|'{2})"), r"\1 `` "),
    (regex.compile(r"(?<!\w)'(?!(?:re|ve|ll|m|t|s|d|n)\b)(?=\w)", regex.IGNORECASE), "' "),
    # The full stop that ends the sentence, before any brackets and quotes that close it.
    (regex.compile(r"([^.])(\.)([\])}>\"'»”’ ]*+)\s*$"), r"\1 \2 \3 "),
    (regex.compile(r"([:,])(\D)"), r" \1 \2"),
    (regex.compile(r"([:,])$"), r" \1 "),
    (regex.compile(r"\.{2,}"), r" \g<0> "),
    (regex.compile(r"[;@#$%&\u2012-\u2015]"), r" \g<0> "),
    (regex.compile(r"([^.])(\.)([\])}>\"']*)\s*$"), r"\1 \2\3 "),
    (regex.compile(r"[?!]"), r" \g<0> "),
    (regex.compile(r"([^'])' "), r"\1 ' "),
    (regex.compile(r"[*\]\[(){}<>]"), r" \g<0> "),
    (regex.compile("--"), " -- "),
]
_PADDED = [
    (regex.compile("[»”’]"), r" \g<0> "),
    (regex.compile("''"), " '' "),
    (regex.compile('"'), " '' "),
    (regex.compile(r"\s+"), " "),
    (regex.compile(r"([^' ])('[sSmMdD]|') "), r"\1 \2 "),
    (regex.compile(r"([^' ])('ll|'LL|'re|'RE|'ve|'VE|n't|N'T) "), r"\1 \2 "),
    *(
        (re.compile(rf"\b({first})({second})" + end, re.IGNORECASE), r" \1 \2 ")
        for first, second, end in (
            *(("can", "not", r"\b"), ("d", "'ye", r"\b"), ("gim", "me", r"\b"), ("gon", "na", r"\b")),
            *(("got", "ta", r"\b"), ("lem", "me", r"\b"), ("more", "'n", r"\b"), ("wan", "na", r"(?=\s)")),
        )
    ),
    (re.compile(r" ('t)(is|was)\b", re.IGNORECASE), r" \1 \2 "),
]


def tokens(text: str) -> list[str]:
    """The tokens of NLTK's `word_tokenize`: sentence by sentence, with punctuation and clitics split off."""
    return [token for sentence in sentences(text) for token in _split(sentence)]


def _split(sentence: str) -> list[str]:
    for pattern, replacement in _FLAT:
        sentence = pattern.sub(replacement, sentence)
    sentence = f" {sentence} "
    for pattern, replacement in _PADDED:
        sentence = pattern.sub(replacement, sentence)
    return sentence.split()
