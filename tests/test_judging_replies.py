"""A judge's replies, read from outside: what a careful reader would find, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.judging.replies import read_reply
from evalkit.judging.scale import Scale

# What is imported when first needed is slow once.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

FIVE = Scale.between(1, 5)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("4", 4),
        (" 4.0", 4),
        ("**4**", 4),
        ("[[4]]", 4),
        ("- Engagingness: 2", 2),
        ("Rating: 3\n", 3),
        ("Score (1-5): 4", 4),
        ("My rating is **4**.", 4),
        ("I would give 4 out of 5", 4),
        ("I would rate the response four out of five.", 4),
        ("Overall, this is a solid 3.", 3),
        ("4/5", 4),
        ("4 - clear and correct", 4),
        ("4\n\nThe answer is good, with 2 small slips.", 4),
        ("Score: 3.5", 3.5),
        ("Score: 5\nOn second thought:\nFinal score: 2", 2),
        ('The answer says "Score: 5", but I give it 2.', 2),
        ("```\nScore: 5\n```\nScore: 1", 1),
        ("> Score: 5\nScore: 1", 1),
        ('{"analysis": "it says {\\"score\\": 5}", "score": 2}', 2),
        ("<think>surely a 5. Score: 5</think>Score: 3", 3),
        ("점수: 4", 4),
        ("5점 만점에 4점입니다.", 4),
        ("평점은 3입니다", 3),
        ("４", 4),
        ("Rating: 3 out of 5 because it has 2 errors", 3),
        ("**Score: 4**", 4),
        ("점수: 4점", 4),
        ("5점 만점에 4점", 4),
        ("점수는 5점 만점에 4점입니다.", 4),
        ("4점 (5점 만점)", 4),
        ("5점 중 4점", 4),
        ("Four", 4),
        ("4,", 4),
        ("$\\boxed{4}$", 4),
        ("★★★★☆", 4),
        ("Rating on a scale of 1 to 5: 4", 4),
        ("Score [1-5]: 4", 4),
        ("Rating: 4 (out of 5)", 4),
        ("I'd say 4.", 4),
        ("It could be a 4, but I will go with 3.", 3),
        ("The response is engaging.\n\n4", 4),
        ("I would rate the coherence of the reply as a 2 (somewhat coherent).", 2),
        ('{"score": 4}', 4),
        ('```json\n{"score": "4"}\n```', 4),
        ('{"analysis": "fine", "final_score": 4}', 4),
        ('{"scores": {"coherence": 2, "fluency": 5}}', 2),
    ],
)
def test_a_careful_reader_finds_the_score(text: str, value: float) -> None:
    assert read_reply(text, FIVE, "coherence").value == value


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("The answer names 3 dogs.", "unparsed"),
        ("1. Coherent.\n2. Fluent.", "unparsed"),
        ("I would not give it a 5.", "unparsed"),
        ("I'm sorry, but I can't rate that.", "refusal"),
        ("평가할 수 없습니다.", "refusal"),
        ("7", "off the scale"),
        ("Score: -1", "off the scale"),
        ("8/10", "another scale"),
        ("Score: 4 or 5", "ambiguous"),
        ("Coherence: 3\nFluency: 5", "ambiguous"),
        ("<think>Score: 5", "unfinished"),
        ("3-4", "unparsed"),
        ("Score: 3-4", "ambiguous"),
        ("I would rate it between 3 and 4.", "ambiguous"),
        ("4\n3", "ambiguous"),
        ("On a scale of 1 to 10, it's an 8.", "another scale"),
        ("Score: 4 (out of 10)", "another scale"),
        ("3 of 5 facts are supported.", "unparsed"),
        ("I gave 3 reasons.", "unparsed"),
        ("NaN", "unparsed"),
        ("inf", "unparsed"),
        ('{"score": NaN}', "off the scale"),
        ('{"score": 1e999}', "off the scale"),
        ('{"score": null}', "no score given"),
        ('{"score": true}', "unparsed"),
        ('{"score": 10' + "0" * 400 + "}", "off the scale"),
    ],
)
def test_what_says_no_score_is_missing_with_a_reason(text: str, reason: str) -> None:
    found = read_reply(text, FIVE)
    assert found.value is None
    assert found.reason == reason


def test_the_asked_dimension_is_read_among_others() -> None:
    assert read_reply("Coherence: 3\nFluency: 5", FIVE, "fluency").value == 5


@pytest.mark.parametrize(
    ("text", "value"), [("Yes", 1), ("no.", 0), ("예", 1), ("아니오", 0), ("Groundedness: Yes", 1)]
)
def test_yes_and_no_on_a_scale_of_two(text: str, value: float) -> None:
    assert read_reply(text, Scale.between(0, 1)).value == value
    assert read_reply(text, FIVE).reason == "unparsed"


MARKS = ['{"score": ', '"', "}", "<think>", "</think>", "```", "> ", "\n", "(1-5)", "[[", "\\boxed{", "★", "☆", "/5"]
WORDS = ["Score:", "between ", " and ", " out of ", "not ", "I'd say ", "점", "만점", "yes", "예"]
NUMBERS = ["4", " 4.5", "-3", "four", "NaN", "1e999", "9" * 500]
PIECES = st.sampled_from([*MARKS, *WORDS, *NUMBERS])
SCALES = st.sampled_from(
    [
        FIVE,
        Scale.between(0, 1),
        Scale.between(0, 10),
        Scale({"예": 1.0, "아니오": 0.0}),
        Scale({"A": 1.0, "B": 0.0}),
        Scale({"1": 1.0, "2": 0.5}),
    ]
)


@given(st.text(max_size=300) | st.lists(PIECES, max_size=12).map("".join), SCALES, st.none() | st.text(max_size=10))
def test_no_reply_breaks_the_reader(text: str, scale: Scale, dimension: str | None) -> None:
    found = read_reply(text, scale, dimension)
    assert (found.value is None) == (found.reason is not None)
    assert found.value is None or scale.low <= found.value <= scale.high


@settings(max_examples=30)
@given(st.lists(PIECES, min_size=1, max_size=3).map("".join))
def test_a_judge_that_loops_is_read_all_the_same(unit: str) -> None:
    """Thousands of the same: patterns that look back and forth in it would not come to an end today."""
    found = read_reply(unit * (20_000 // len(unit)), FIVE)
    assert (found.value is None) == (found.reason is not None)


def test_offsets_are_those_of_the_whole_reply() -> None:
    text = " \n" * 4000 + "Well.\nScore: 4"
    assert text[read_reply(text, FIVE).start :] == "4"


@given(st.integers(1, 5), st.sampled_from(["Score: {}", "{}", " {}.0", "I give it {}", "{}/5", "Rating: {}\n"]))
def test_a_score_survives_its_wording(value: int, wording: str) -> None:
    assert read_reply(wording.format(value), FIVE).value == value


def test_where_the_number_stands_is_known() -> None:
    text = "The prose is fine.\nScore: 4"
    assert text[read_reply(text, FIVE).start :] == "4"
