"""Context and continuation become tokens as lm-eval's transformers model makes them."""

from __future__ import annotations

from array import array
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.tokens import Tokenizer
from evalkit.types import (
    Generated,
    GenerateRequest,
    Request,
    Scored,
    ScoreRequest,
)
from tests.helpers.tokenizing import continuation, generate, score, text


@pytest.mark.parametrize("name", ["plain", "bos"])
@settings(max_examples=150, deadline=None)
@given(pairs=st.lists(st.tuples(text, continuation), min_size=1, max_size=8))
def test_pairs_are_split_as_lm_eval_splits_them(
    name: str, pairs: list[tuple[str, str]], tokenizers: dict[str, Tokenizer], oracles: dict[str, Any]
) -> None:
    ours, theirs = tokenizers[name], oracles[name]
    for (context, ending), encoded in zip(pairs, ours.encode([Request("score", *pair) for pair in pairs]), strict=True):
        left, right = _split_as_lm_eval(theirs, context, ending)
        if not left or not right:  # lm-eval stops with an assertion here
            continue
        (request,) = encoded.requests
        assert isinstance(request, ScoreRequest)
        assert (request.context.tolist(), request.continuation.tolist()) == (left, right)
        assert isinstance(request.context, array)


def _split_as_lm_eval(lm: Any, context: str, ending: str) -> tuple[list[int], list[int]]:
    if context:
        left, right = lm._encode_pair(context, ending)
        return left, right
    right = lm.tok_encode(ending, add_special_tokens=False)
    return ([lm.prefix_token_id], right) if right[0] != lm.prefix_token_id else (right[:1], right[1:])


@pytest.mark.parametrize("name", ["plain", "bos"])
def test_facts_equal_lm_evals(name: str, tokenizers: dict[str, Tokenizer], oracles: dict[str, Any]) -> None:
    ours, theirs = tokenizers[name], oracles[name]
    assert ours.max_length == theirs.max_length
    assert (ours.prefix_token_id, ours.eos_token_id) == (theirs.prefix_token_id, theirs.eot_token_id)
    assert ours.eos == theirs.tok_decode(theirs.eot_token_id, skip_special_tokens=False)


def test_a_text_that_begins_with_the_special_token_gets_no_second_one(tokenizers: dict[str, Tokenizer]) -> None:
    plain, marked = (generate(tokenizers["bos"], context).prompt for context in ("Hello there", "<s>Hello there"))
    assert plain == marked


def test_a_context_of_blanks_only_still_has_something_to_go_on(tokenizers: dict[str, Tokenizer]) -> None:
    """lm-eval stops with an assertion where no special token is added."""
    request = score(tokenizers["plain"], "   ", "yes")
    assert request.context.tolist() == [tokenizers["plain"].prefix_token_id]


def test_ids_count_on_and_repeats_are_samples(tokenizers: dict[str, Tokenizer]) -> None:
    asked = [
        Request("score", "a b", " c"),
        Request("generate", "a b", gen_kwargs={"do_sample": True, "temperature": 0.5}, repeats=3),
        Request("rolling", "some text"),
        Request("score", "a b", " d", repeats=2),
    ]
    encoded = tokenizers["plain"].encode(asked, first_id=10)
    assert [[request.id for request in one.requests] for one in encoded] == [[10], [11, 12, 13], [14], [15]]
    assert [request.sample for request in encoded[1].requests if isinstance(request, GenerateRequest)] == [0, 1, 2]
    assert encoded[3].fold([Scored(15, -1.0, True)]) == [Scored(15, -1.0, True)] * 2
    answers = [Generated(i, str(i), "stop", 1) for i in (11, 12, 13)]
    assert encoded[1].fold(answers) == answers
