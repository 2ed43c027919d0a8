"""Replies that were made to break the reader: endless, nested, with odd numbers, with tokens of another text."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.errors import JudgeError
from evalkit.judging.backends.spec import parse_judge
from evalkit.judging.calls import _answer
from evalkit.judging.logprobs import from_path
from evalkit.judging.replies import TOO_LONG, read_reply
from evalkit.judging.rubricfile import load_rubric
from evalkit.judging.run import Judged
from evalkit.judging.scale import Scale
from evalkit.judging.spelling import token_of
from evalkit.judging.steps import read_steps
from evalkit.reporting.progress import Progress
from evalkit.results import Run
from evalkit.runner.judging import JudgeRequest, judge_run
from evalkit.types import Generated, Scored
from tests.helpers.hostile import HostileServer, Reply
from tests.helpers.judged import RUBRIC, make_run

FIVE = Scale.between(1, 5)
LETTERS = Scale({"A": 1.0, "B": 0.0})
DIGITS = ["7", "3", "1", "9"] * 250


def completion(text: str, tokens: Sequence[str] = ()) -> Reply:
    """A chat completion of that text, beside log-probabilities of those tokens."""
    listed = [{"token": token, "logprob": 0.0, "top_logprobs": []} for token in tokens]
    logprobs = {"content": listed} if tokens else None
    choice = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop", "logprobs": logprobs}
    return Reply(200, json.dumps({"choices": [choice]}).encode(), {"Content-Type": "application/json"})


@contextmanager
def a_judge(root: Path, text: str, tokens: Sequence[str] = ()) -> Iterator[tuple[Callable[[], Judged], HostileServer]]:
    """Asks a judge for its score of one answer. The server says one text beside one list of tokens."""
    run = make_run(root, 1)
    (root / "one.yaml").write_text(f"{RUBRIC}engine: {{samples: 2}}\n")
    with HostileServer(lambda path, headers, body: completion(text, tokens)) as server:
        judge = parse_judge(f"openai:fake@{server.url}")
        request = JudgeRequest(load_rubric(root / "one.yaml"), [judge], root)

        def ask() -> Judged:
            with Progress.open(quiet=True) as progress:
                return judge_run(Run.open(run.path), request, progress)[1]

        yield ask, server


# ── tokens ───────────────────────────────────────────────────────────────────


def test_a_thousand_digits_are_no_label_and_no_recursion() -> None:
    path = [((digit, math.log(0.9)), ("5", math.log(0.1))) for digit in DIGITS]
    found = from_path(path, FIVE)
    assert found.score is None or found.covered <= 0.1 + 1e-9
    assert from_path([(("0", 0.0),)] * 1000, Scale.between(0, 5)).score is None
    assert from_path([(("*", 0.0),)] * 1000, FIVE).score is None
    assert from_path([(("", 0.0),)] * 1000, FIVE).score is None


def test_a_judge_of_a_thousand_digits_gives_no_score_today_and_none_tomorrow(tmp_path: Path) -> None:
    with a_judge(tmp_path, "".join(DIGITS), DIGITS) as (ask, server):
        first = ask()
        asked = len(server.requests)
        again = ask()
        assert len(server.requests) == asked, "the kept replies were not used"
    for judged in (first, again):
        [[judgment]] = judged.by_judge
        assert judgment.score is None
        assert judgment.reason == "off the scale"
        with pytest.raises(JudgeError):
            judged.check()


def test_tokens_of_another_text_are_not_believed(tmp_path: Path) -> None:
    with a_judge(tmp_path, "1", ["5"]) as (ask, _):
        [[judgment]] = ask().by_judge
    assert judgment.score == 1.0
    assert judgment.method == "samples (2; the log-probabilities belong to another text)"


@pytest.mark.parametrize(
    ("tokens", "text", "offset", "token"),
    [
        (["4"], "4", 0, 0),
        (["Score", ":", " ", "4", "</s>"], "Score: 4", 7, 3),
        (["\n", "4", "\n"], "4", 0, 1),
        (["▁Score", ":", "▁4", "<|im_end|>"], "Score: 4", 7, 2),
        (["ĠScore", ":", "Ċ", "4"], "Score:\n4", 7, 3),
        (["bytes:\\xec\\xa0", "bytes:\\x90", "수", ":", " ", "4"], "점수: 4", 4, 5),
        (["<think>", "5", "</think>", "\n\n", "4"], "4", 0, 4),
        (["4", "", "점"], "4점", 0, 0),
        (["5"], "1", 0, None),
        (["15"], "5", 0, None),
        (["10"], "1", 0, None),
        (["1", "0"], "1", 0, None),
        (["Score", ": ", "5"], "Score: 4", 7, None),
        ([], "4", 0, None),
        (["5"], "", 0, None),
        (["</s>"], "", 0, 0),
    ],
)
def test_the_token_of_a_label_is_found_where_the_tokens_spell_the_text(
    tokens: list[str], text: str, offset: int, token: int | None
) -> None:
    assert token_of(tokens, text, offset) == token


@given(st.lists(st.text(max_size=4), max_size=8), st.text(max_size=8), st.integers(0, 8))
def test_no_tokens_break_the_search_for_a_label(tokens: list[str], text: str, offset: int) -> None:
    found = token_of(tokens, text, min(offset, len(text)))
    assert found is None or 0 <= found < len(tokens)
    own = token_of(tokens, "".join(tokens), 0)
    assert own is not None or not "".join(tokens).strip() or any(mark in "".join(tokens) for mark in "Ġ▁Ċ")


# ── long and nested replies ──────────────────────────────────────────────────


@pytest.mark.parametrize(
    "unit",
    [
        "네 점을 드립니다. ",
        "I give it a 4 because ",
        '{"score": 4} ',
        "abcdefgh ijk ",
        "| a | 4 |\n",
        "on a scale of 1 to 9 ",
    ],
)
@pytest.mark.parametrize("scale", [FIVE, LETTERS])
def test_a_reply_of_a_megabyte_is_not_searched(unit: str, scale: Scale) -> None:
    assert read_reply((unit * (1 << 20))[: 1 << 20], scale, "quality").reason == TOO_LONG


def test_more_than_a_megabyte_is_not_looked_at() -> None:
    assert read_reply("<think>" + "x" * (1 << 20) + "</think>4", FIVE).reason == TOO_LONG


@pytest.mark.parametrize(
    "unit", ["네 점을 드립니다. ", "I give it a 4 because ", "<think>a</think>b ", "abcdefgh ijk "]
)
def test_a_long_reply_is_read_to_its_end(unit: str) -> None:
    text = (unit * 4000)[:20_000] + "\nScore: 4"
    assert read_reply(text, FIVE, "quality").value == 4.0


def test_long_reasoning_before_a_score_is_read_over() -> None:
    text = "<think>" + "Is it 3? Is it 2?\n\n" * 30_000 + "</think>\nScore: 4"
    reading = read_reply(text, FIVE)
    assert reading.value == 4.0
    assert reading.start == len(text) - 1
    assert read_reply("3 </think>" * 50_000 + "\nScore: 4", FIVE).value == 4.0


@pytest.mark.parametrize("text", ['{"a":' * 200_000, "[" * 500_000, '{"score":' * 3000])
def test_deep_json_gives_no_score(text: str) -> None:
    assert read_reply(text, FIVE).value is None
    assert read_reply(text + "\nScore: 4", FIVE).value in (None, 4.0)


def test_steps_in_a_reply_of_line_ends_are_found() -> None:
    assert read_steps("\n" * 50_000 + "1. Read.\n- Rate.") == ["Read.", "Rate."]


# ── odd numbers ──────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e999", None),
        ("Score: 1e999", None),
        ("Score: 4e0", None),
        ("Score: 5_000", None),
        ("Score: 4·5", None),
        ("Score: 3٫5", None),
        ("Score: NaN", None),
        ("Score: ∞", None),
        ("5/5/5", None),
        ("4/0", None),
        ("9" * 500, None),
        ('{"score": 1e999}', None),
        ('{"score": NaN}', None),
        ('{"score": "1e999"}', None),
        ('{"score": %s}' % ("9" * 5000), None),
        ('{"score": [5]}', None),
        ("٣", 3.0),
        ("점수: ٣", 3.0),
        ("Score: ５", 5.0),
        ("５／５", 5.0),
        ("5/5", 5.0),
        ("𝟒", 4.0),
        ('{"score": "5/5"}', 5.0),
    ],
)
def test_odd_numbers_are_read_as_what_they_are_or_not_at_all(text: str, value: float | None) -> None:
    assert read_reply(text, FIVE, "quality").value == value


# ── the journal ──────────────────────────────────────────────────────────────


KEYS = st.sampled_from(["text", "finish", "tokens", "top", "logprob", "greedy"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner),
)


@given(VALUES)
def test_an_entry_of_the_journal_that_is_no_answer_is_none(value: Any) -> None:
    answer = _answer(value)
    assert answer is None or isinstance(answer, Scored | Generated)
