"""Words, sentences and characters, in English and in Korean."""

from __future__ import annotations

import re
import unicodedata

from evalkit.checks.sentences import sentences as english_sentences

__all__ = ["bare_words", "characters", "paragraph_lines", "sentences", "shorten", "words"]

_SPACELESS = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_MARKUP = re.compile(r"^[ \t]*(?:#{1,6}|>|[-*+•]|\d{1,3}[.)])[ \t]+", re.MULTILINE)


def words(text: str) -> list[str]:
    """What stands between spaces and holds a letter or a digit: Korean's 어절. Han and kana count one by one."""
    found: list[str] = []
    for piece in text.split():
        if _SPACELESS.search(piece):
            found += [part for part in re.split(f"({_SPACELESS.pattern})", piece) if _holds_letter(part)]
        elif _holds_letter(piece):
            found.append(piece)
    return found


def bare_words(text: str) -> list[str]:
    """Words to compare: without case, width and the punctuation around them."""
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
    """As a Korean word processor counts: spaces included, line breaks and marks that add to a letter not."""
    composed = unicodedata.normalize("NFC", text.strip())
    return sum(1 for c in composed if c not in "\r\n" and not unicodedata.combining(c))


def sentences(text: str) -> list[str]:
    """A line is at least one sentence, whatever it ends in: headings and points have no full stop."""
    found: list[str] = []
    for line in paragraph_lines(text):
        found += [part for part in english_sentences(_wide(line)) if _holds_letter(part)]
    return found


def paragraph_lines(text: str) -> list[str]:
    """The lines that hold something, without the marks of headings and lists."""
    return [line.strip() for line in _MARKUP.sub("", text).splitlines() if _holds_letter(line)]


def shorten(text: str) -> str:
    """To be shown in a reason."""
    text = " ".join(text.split())
    return repr(text if len(text) <= 40 else f"{text[:40]}…") if text else "an empty answer"


def _wide(line: str) -> str:
    """East Asian full stops end a sentence without a space behind them; those of 2024. 5. 3. end none."""
    spaced = re.sub(r"([。！？｡])(?=[^\s」』”’）)])", r"\1 ", line).translate(_STOPS)
    spaced = _SAID.sub(r"\1", _TIGHT.sub(r"\g<0> ", spaced))
    return _LATIN.sub(r"\1", _DATE.sub(r"\1.\2.\3", spaced))


_DATE = re.compile(r"(?<!\d)(\d{4})\. ?(\d{1,2})\. ?(\d{1,2})\.(?=[ (]*\S)")
# 좋습니다.갑시다. is two sentences; “괜찮다.”라고 말했다 and `i.e. a record` go on.
_TIGHT = re.compile(r"(?<=[가-힣][다요죠까네])[.!?](?=[가-힣]{2})")
_SAID = re.compile(r"(?<=[^\s\d])[.!?]([\"'”’」』])(?=[가-힣])")
_LATIN = re.compile(r"\b(i\.e|e\.g)\.(?=,? [a-z])")
_STOPS = str.maketrans("。｡！？", "..!?")


def _holds_letter(text: str) -> bool:
    return any(map(_is_letter, text))


def _is_letter(character: str) -> bool:
    return unicodedata.category(character)[0] in "LN"
