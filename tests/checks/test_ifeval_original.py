"""IFEval's rules beside the original's, which lm-eval brings, where its data can be had."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from evalkit.checks.ifeval import RULES, follow
from evalkit.checks.ifeval.words import count_words, tokens
from evalkit.checks.sentences import sentences
from tests.helpers.ifeval import CASES, DRAWN_BY_THE_ORIGINAL, PROSE, RESPONSES, documents, write_response

# Python and `regex` disagree on what is a space and what is a letter: U+001F, a combining mark, a superscript.
SPACES = [" ", "\t", "\n", "\r", "\x0b", "\x1c", "\x1f", "\x85", "\xa0", "\u200b", "\u2028", "\u3000", "\ufeff"]
MARKS = [*".?!;:,-'\"()[]*", "...", ". . .", "--", "``", "''", '."', ".)", "?!", "”", "’", "…"]
WORDS = ["Dr", "e.g", "U.S", "J", "I", "The", "He", "no", "3.5", "١٢", "दि", "e\u0301", "\u0345", "²", "İ", "ǅ", "가"]
CLITICS = ["DON'T", "CANNOT", "GONNA", "D'YE", "WANNA", "LEMME", "'TIS", "n't", "'s"]
SCRAPS = st.lists(st.sampled_from(SPACES) | st.sampled_from(MARKS) | st.sampled_from(WORDS + CLITICS), max_size=14)


@given(
    RESPONSES | st.lists(st.sampled_from(PROSE), max_size=3).map(" ".join) | SCRAPS.map("".join) | SCRAPS.map(" ".join)
)
@example(".\x1f0")
@example("e\u0301CANNOT go.")
@settings(max_examples=600, deadline=None)
def test_sentences_and_words_are_those_that_nltk_finds(nltk_data: Any, text: str) -> None:
    assert sentences(text) == nltk_data.tokenize.sent_tokenize(text)
    theirs = nltk_data.tokenize.word_tokenize(text)
    assert sum(map(str.isupper, tokens(text))) == sum(map(str.isupper, theirs))
    assert count_words(text) == len(nltk_data.tokenize.RegexpTokenizer(r"\w+").tokenize(text))


@pytest.mark.hub
def test_all_541_prompts_are_judged_as_the_original_judges_them(hub: Path, original: Any) -> None:
    """Several responses to each; every instruction is seen followed and not followed, and no verdict differs."""
    draw = random.Random(20)
    seen: Counter[tuple[str, bool]] = Counter()
    for _ in range(4):
        for doc in documents(hub):
            response = write_response(doc, draw)
            theirs = original.process_results(doc, [response])
            ours = follow(doc["instruction_id_list"], doc["kwargs"], response)
            for place, name in enumerate(doc["instruction_id_list"]):
                if doc["kwargs"][place].get("letter") in DRAWN_BY_THE_ORIGINAL:
                    continue
                both = ours.strict[place], ours.loose[place]
                expected = theirs["inst_level_strict_acc"][place], theirs["inst_level_loose_acc"][place]
                assert both == expected, (name, doc["kwargs"][place], response)
                seen[name, both[0]] += 1
    assert {name for name, verdict in seen if verdict} == set(RULES)
    assert {name for name, verdict in seen if not verdict} == set(RULES)
    assert sum(seen.values()) > 3_000


def test_worked_cases_are_judged_alike_by_the_original(original: Any) -> None:
    for name, told, good, bad in CASES:
        if told.get("letter") in DRAWN_BY_THE_ORIGINAL:
            continue
        for response in (good, bad, f"Sure:\n{good}", f"{bad}\n*{good}*"):
            doc = {"key": 1, "prompt": "p", "instruction_id_list": [name], "kwargs": [told]}
            theirs = original.process_results(doc, [response])
            ours = follow([name], [told], response)
            assert list(ours.strict) == theirs["inst_level_strict_acc"], (name, response)
            assert list(ours.loose) == theirs["inst_level_loose_acc"], (name, response)
