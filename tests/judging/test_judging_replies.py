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
        ('{"coherence_score": 4, "fluency_score": 3}', 4),
        ('[{"dimension": "coherence", "score": 4}, {"dimension": "fluency", "score": 2}]', 4),
        ('{"score": 4, "reason": "The answer is', 4),
        ("not a 5, rather a 2", 2),
        ("This is not a 4. It's a 3.", 3),
        ("This is a 4/5 response.", 4),
        ("The answer scores 4 on coherence and 2 on fluency.", 4),
        ("I found 2 mistakes, so I give it a 3.", 3),
        ("4\n\nErrors: 3", 4),
        ("Clarity: 3\nDepth: 2\nOverall: 4", 4),
        ("Feedback: good. [RESULT] 4", 4),
        ("<score>4</score>", 4),
        ("Score: <b>4</b>", 4),
        ("| Dimension | Score |\n|---|---|\n| Coherence | 4 |\n| Fluency | 2 |", 4),
        ("| Coherence | Fluency |\n|---|---|\n| 4 | 2 |", 4),
        ("| # | Aspect | Score |\n|---|---|---|\n| 1 | Coherence | 4 |\n| 2 | Fluency | 2 |", 4),
        ("1 (bad) to 5 (good): 4", 4),
        ("4 on a 5-point scale", 4),
        ("The scale goes from 1 to 5. I pick 2.", 2),
        ("별점 4점", 4),
        ("네 점", 4),
        ("삼 점입니다.", 3),
        ("점수: 삼점", 3),
        ("평점은 넷", 4),
        ("이 답변은 세 점을 주겠습니다.", 3),
        ("5점 만점에 이 점입니다.", 2),
        ("이 점 때문에 4점입니다.", 4),
        ("5점은 아니고 3점입니다.", 3),
        ("5점은 과하고 4점이 적당합니다.", 4),
        ("3점보다는 높고 5점보다는 낮은 4점", 4),
        ("This gets a 2 from me.", 2),
        ("1점 감점하여 4점입니다.", 4),
        ("1점(최저)부터 5점(최고)까지 중 4점", 4),
        ("4점\n\n이유: 3가지 장점이 있습니다.", 4),
        ("답변에 '점수: 5'라고 적혀 있지만 내용이 없어 1점입니다.", 1),
        ('Score: 1. The answer holds {"score": 5} as an attempt to mislead.', 1),
        ('The answer held:\n```json\n{"score": 5}\n```\nI give it a 1.', 1),
        ('Score: 5\n{"score": 2}', 2),
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
        ("<4", "unparsed"),
        ("Score: >3", "unparsed"),
        ("최소 3점", "unparsed"),
        ("4, 5", "ambiguous"),
        ("3 (maybe 4)", "ambiguous"),
        ("Score: 3?", "ambiguous"),
        ("4점대", "unparsed"),
        ("Score: three or four", "ambiguous"),
        ("I'd give 4, possibly 5", "ambiguous"),
        ("I'd give it a 4 for clarity, but a 2 overall.", "ambiguous"),
        ("As an AI, I can't give a score of 5.", "refusal"),
        ("I won't give it a 5", "refusal"),
        ("It doesn't deserve a 5.", "unparsed"),
        ("Had it named sources I would give it 5.", "unparsed"),
        ("If it were complete, I would give it 5.", "unparsed"),
        ("On a scale where 5 is worst, I'd say 2.", "another scale"),
        ("1 = best, 5 = worst. Score: 2", "another scale"),
        ("4 on a 10-point scale", "another scale"),
        ("10점 척도로 4점", "another scale"),
        ("일관성: 4점, 유창성: 2점", "ambiguous"),
        ("5점을 주기는 어렵습니다.", "unparsed"),
        ("두 점에서 아쉽습니다.", "unparsed"),
        ("이 점이 좋습니다.", "unparsed"),
        ("오점", "unparsed"),
        ("문제는 이 점입니다.", "unparsed"),
        ("별 다섯 개 중 네 개", "unparsed"),
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


@pytest.mark.parametrize(
    ("text", "value"),
    [("Yes, every fact is used.", 1), ("No. None is.", 0), ("- Groundedness: No", 0), ("아니요, 근거가 없습니다.", 0)],
)
def test_yes_and_no_may_be_explained(text: str, value: float) -> None:
    assert read_reply(text, Scale.between(0, 1)).value == value


@pytest.mark.parametrize("text", ["Yes, but only partly.", "Yes and no", "No idea.", "No. 4 is missing"])
def test_half_a_yes_is_none(text: str) -> None:
    assert read_reply(text, Scale.between(0, 1)).value is None


AB = Scale({"A": 1.0, "B": 0.0, "C": 0.5})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("A", 1),
        ("[[B]]\nbecause A leaves a step out", 0),
        ("Answer A is better.", 1),
        ("I'd choose answer B.", 0),
        ("답변 B가 더 좋습니다.", 0),
        ("Verdict: C", 0.5),
        ("Winner: A", 1),
        ("A bit long, but a fine answer.", None),
        ("A\nB", None),
        ("A is not good, and B is not either.", None),
    ],
)
def test_labels_that_are_letters(text: str, value: float | None) -> None:
    assert read_reply(text, AB).value == value


def test_percents_count_where_the_scale_ends_at_a_hundred() -> None:
    assert read_reply("Score: 72%", Scale.between(0, 100)).value == 72
    assert read_reply("칠십이 점입니다", Scale.between(0, 100)).value == 72


def test_a_numeral_in_words_is_found_where_it_stood() -> None:
    text = "총평: 무난합니다.\n점수: 십점"
    found = read_reply(text, Scale.between(1, 10))
    assert found.value == 10
    assert text[found.start :] == "십점"


MARKS = ['{"score": ', '"', "}", "<think>", "</think>", "```", "> ", "\n", "(1-5)", "[[", "\\boxed{", "★", "☆", "/5"]
WORDS = [
    "네 점",
    "이 점",
    "| ",
    "I'd choose answer A",
    "not a ",
    "Score:",
    "between ",
    " and ",
    " out of ",
    "not ",
    "I'd say ",
    "점",
    "만점",
    "yes",
    "예",
]
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
