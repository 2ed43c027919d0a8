"""Rules on the number of words, sentences and paragraphs."""

from __future__ import annotations

import re

from evalkit.checks.ifeval.keywords import compare
from evalkit.checks.ifeval.words import count_words
from evalkit.checks.outcome import Params
from evalkit.checks.sentences import sentences

__all__ = ["nth_paragraph_first_word", "number_paragraphs", "number_sentences", "number_words"]


def number_words(response: str, kwargs: Params) -> bool:
    return compare(count_words(response), kwargs["relation"], kwargs["num_words"])


def number_sentences(response: str, kwargs: Params) -> bool:
    return compare(len(sentences(response)), kwargs["relation"], kwargs["num_sentences"])


def number_paragraphs(response: str, kwargs: Params) -> bool:
    """Whether the number of paragraphs, separated by `***`, is right. An empty one is allowed only at the ends."""
    paragraphs = re.split(r"\s?\*\*\*\s?", response)
    if not all(paragraph.strip() for paragraph in paragraphs[1:-1]):
        return False
    ends = [paragraphs[0], paragraphs[-1]] if len(paragraphs) > 1 else paragraphs
    return len(paragraphs) - sum(not end.strip() for end in ends) == int(kwargs["num_paragraphs"])


def nth_paragraph_first_word(response: str, kwargs: Params) -> bool:
    """Whether the n-th paragraph begins with the word. Empty paragraphs count for n, but not for the total number."""
    paragraphs = response.split("\n\n")
    number = sum(bool(paragraph.strip()) for paragraph in paragraphs)
    place = int(kwargs["nth_paragraph"])
    if place > number or not paragraphs[place - 1].strip():
        return False
    word = paragraphs[place - 1].split()[0].lstrip("'").lstrip('"')
    first = re.split(r"""[.,?!'"]""", word, maxsplit=1)[0]
    return number == int(kwargs["num_paragraphs"]) and first.lower() == str(kwargs["first_word"]).lower()
