"""IFEval's rules on worked cases and on drawn responses."""

from __future__ import annotations

import random
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.checks.ifeval import RULES, follow
from tests.helpers.ifeval import CASES, RESPONSES


@pytest.mark.parametrize(("name", "told", "good", "bad"), CASES, ids=[f"{i}-{c[0]}" for i, c in enumerate(CASES)])
def test_worked_cases(name: str, told: dict[str, Any], good: str, bad: str) -> None:
    assert follow([name], [told], good).strict == (True,)
    assert follow([name], [told], bad).strict == (False,)


def test_every_one_of_the_25_has_a_case() -> None:
    assert {case[0] for case in CASES} == set(RULES)
    assert len(RULES) == 25


@pytest.mark.parametrize("name", sorted(RULES))
@pytest.mark.parametrize("response", ["", "  \n\t "])
def test_an_empty_response_follows_nothing(name: str, response: str) -> None:
    told = next(case[1] for case in CASES if case[0] == name)
    assert follow([name], [told], response).loose == (False,)


def test_loose_forgives_a_first_line_a_last_line_and_stars() -> None:
    said = "Sure, here it is:\n<<제목>>\nno commas here *at all*\nHope it helps, friend!"
    found = follow(["punctuation:no_comma", "detectable_format:title"], [{}, {}], said)
    assert (found.strict, found.loose) == ((False, True), (True, True))
    two = follow(["startend:end_checker"], [{"end_phrase": "The end."}], "text\n**The end.**")
    assert (two.strict, two.loose) == ((False,), (True,))


def test_an_instruction_that_is_not_told_what_it_needs_is_an_error_and_not_a_verdict() -> None:
    with pytest.raises(ValueError, match="num_words"):
        follow(["length_constraints:number_words"], [{"relation": "at least", "num_words": None}], "text")
    with pytest.raises(ValueError, match="did you mean punctuation:no_comma"):
        follow(["punctuation:no_coma"], [{}], "text")
    told = {"keyword": "a", "frequency": 1, "relation": "exactly"}
    with pytest.raises(ValueError, match="neither"):
        follow(["keywords:frequency"], [told], "text")


@given(RESPONSES, st.sampled_from(CASES))
@settings(max_examples=400, deadline=None)
def test_loose_is_never_stricter_than_strict(response: str, case: tuple[str, dict[str, Any], str, str]) -> None:
    found = follow([case[0]], [case[1]], response)
    assert found.loose[0] >= found.strict[0]


@pytest.mark.parametrize("unit", ["*", "\n", "* \n", "[", "<<", " ", "a.", "! ", '"', ")", "```", "A ", "***", "'"])
def test_long_responses_of_one_mark_cost_no_more_than_their_length(unit: str) -> None:
    """Patterns that look again from every place take minutes on these; the suite's own limit would end them."""
    response = unit * (60_000 // len(unit))
    for name, told, _, _ in CASES:
        if not name.startswith(("language:", "change_case:english")):
            follow([name], [told], response)


def test_the_language_is_the_same_whatever_else_drew_random_numbers() -> None:
    short = ["ok", "nein, si", "la casa de papel", "bon appetit my friend", "대한민국 OK"]
    found = []
    for seed in range(5):
        random.seed(seed)
        asked = [({"language": code}, text) for text in short for code in ("en", "de", "es", "fr", "ko")]
        found.append([follow(["language:response_language"], [told], text).strict for told, text in asked])
    assert all(row == found[0] for row in found)


def test_the_rules_need_neither_nltk_nor_lm_eval() -> None:
    probe = (
        "import sys\n"
        "from evalkit.checks.ifeval import follow\n"
        "told = [{'num_words': 1, 'relation': 'at least'}, {'capital_frequency': 1, 'capital_relation': 'at least'}]\n"
        "follow(['length_constraints:number_words', 'change_case:capital_word_frequency'], told, 'HI. You.')\n"
        "print(sorted({'nltk', 'lm_eval', 'numpy', 'datasets'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
