"""Splits English and Korean text into words, sentences and characters."""

from __future__ import annotations

import re
import unicodedata

from evalkit.checks.sentences import sentences as english_sentences

__all__ = ["bare_words", "characters", "paragraph_lines", "sentences", "shorten", "words"]

_SPACELESS = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_MARKUP = re.compile(r"^[ \t]*(?:#{1,6}|>|[-*+•]|\d{1,3}[.)])[ \t]+", re.MULTILINE)


def words(text: str) -> list[str]:
    """The words: pieces between spaces (Korean 어절) with a letter or digit; each Han or kana character is a word."""
    parts: list[str] = []
    for piece in text.split():
        if _SPACELESS.search(piece):
            parts += [part for part in re.split(f"({_SPACELESS.pattern})", piece) if _holds_letter(part)]
        elif _holds_letter(piece):
            parts.append(piece)
    return parts


def bare_words(text: str) -> list[str]:
    """Words for comparison: in lower case, of normal width, without punctuation around them."""
    pieces = (_trimmed(word) for word in words(unicodedata.normalize("NFKC", text).casefold()))
    return [piece for piece in pieces if piece]


def _trimmed(word: str) -> str:
    start, end = 0, len(word)
    while start < end and not _is_letter(word[start]):
        start += 1
    while end > start and not _is_letter(word[end - 1]):
        end -= 1
    return word[start:end]


def characters(text: str) -> int:
    """The number of characters as in Korean word processors: with spaces, without line breaks and combining marks."""
    composed = unicodedata.normalize("NFC", text.strip())
    return sum(1 for c in composed if c not in "\r\n" and not unicodedata.combining(c))


def sentences(text: str) -> list[str]:
    """The sentences. Each line is at least one, since headings and list items have no full stop."""
    parts: list[str] = []
    for line in paragraph_lines(text):
        parts += [part for part in english_sentences(_wide(line)) if _holds_letter(part)]
    return parts


def paragraph_lines(text: str) -> list[str]:
    """The lines with a letter or digit, without the marks of headings and lists."""
    return [line.strip() for line in _MARKUP.sub("", text).splitlines() if _holds_letter(line)]


def shorten(text: str) -> str:
    """The text shortened for a reason."""
    text = " ".join(text.split())
    return repr(text if len(text) <= 40 else f"{text[:40]}…") if text else "an empty answer"


def _wide(line: str) -> str:
    """The line with spaces after East Asian full stops, which end a sentence, and without the stops of 2024. 5. 3."""
    spaced = re.sub(r"([。！？｡])(?=[^\s」』”’）)])", r"\1 ", line).translate(_STOPS)
    spaced = _SAID.sub(r"\1", _TIGHT.sub(r"\g<0> ", spaced))
    return _LATIN.sub(r"\1", _DATE.sub(r"\1.\2.\3", spaced))


_DATE = re.compile(r"(?<!\d)(\d{4})\. ?(\d{1,2})\. ?(\d{1,2})\.(?=[ (]*\S)")
# 좋습니다.갑시다. is two sentences; “괜찮다.”라고 말했다 and `i.e. a record` are not.
_TIGHT = re.compile(r"(?<=[가-힣][다요죠까네])[.!?](?=[가-힣]{2})")
_SAID = re.compile(r"(?<=[^\s\d])[.!?]([\"'”’」』])(?=[가-힣])")
_LATIN = re.compile(r"\b(i\.e|e\.g)\.(?=,? [a-z])")
_STOPS = str.maketrans("。｡！？", "..!?")


def _holds_letter(text: str) -> bool:
    return any(map(_is_letter, text))


def _is_letter(character: str) -> bool:
    return unicodedata.category(character)[0] in "LN"
