"""What is cut or refused where a window is too short, and rolling windows."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.engines.vllm.window import vllm_window
from evalkit.errors import UsageError
from evalkit.tokens import Tokenizer
from evalkit.tokens.windows import room_for
from evalkit.types import (
    Failed,
    Request,
    Scored,
    ScoreRequest,
)
from tests.helpers.tokenizing import generate, score, spec, text


def test_a_cut_takes_the_contexts_left_and_never_a_continuation(models: dict[str, Path]) -> None:
    tokenizer = Tokenizer.load(spec(models["plain"], max_length=12))
    whole = Tokenizer.load(spec(models["plain"]))
    context, ending = "one two three four five six seven eight nine ten " * 3, " eleven twelve"
    full, cut = score(whole, context, ending), score(tokenizer, context, ending)
    assert cut.continuation == full.continuation
    # As lm-eval's (context + continuation)[-(max_length + 1):][:-1]: the last token is never read.
    assert (full.context + full.continuation)[-13:] == cut.context + cut.continuation
    assert cut.cut_tokens == len(full.context) - len(cut.context) > 0
    less = score(tokenizer, context, ending, score_limit=10)
    assert len(less.context) + len(less.continuation) == 10


@pytest.mark.parametrize(
    ("fields", "window"),
    [
        ({"rope_parameters": {"rope_type": "linear", "factor": 4.0}}, 400),
        ({"rope_scaling": {"type": "dynamic", "factor": 2.0}}, 200),
        ({"rope_parameters": {"rope_type": "yarn", "factor": 4.0}}, 100),
        ({"rope_parameters": {"full": {"rope_type": "default"}, "sliding": {"rope_type": "linear", "factor": 2}}}, 200),
        ({"rope_parameters": {"rope_type": "linear", "factor": 8.0}, "model_type": "gemma3_text"}, 100),
        ({"rope_parameters": {"rope_type": "longrope"}, "original_max_position_embeddings": 25}, 25),
        ({"rope_scaling": None}, 100),
    ],
)
def test_the_window_that_vllm_makes_of_scaled_positions(fields: dict[str, Any], window: int) -> None:
    """Read off vLLM 0.32's own configuration."""
    assert vllm_window(SimpleNamespace(**fields), 100) == window


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"max_model_len": "abc"}, "max_model_len=abc: a whole number"),
        ({"max_length": 0}, "max_length=0: a whole number"),
        ({"max_gen_toks": 2.5}, "max_gen_toks=2.5: a whole number"),
        ({"prefix_token_id": -1}, "prefix_token_id=-1: a whole number"),
        ({"tokenizer": "/no/where"}, "tokenizer=/no/where: there is no such folder"),
        ({"add_bos_token": "maybe"}, "add_bos_token=maybe: true or false"),
        ({"truncation_side": "right"}, "truncation_side: prompts that are too long lose their left end"),
    ],
)
def test_model_arguments_that_cannot_be_meant_are_named(models: dict[str, Path], given: Any, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        Tokenizer.load(spec(models["plain"], **given))


def test_a_continuation_longer_than_the_window_is_refused_not_shortened(models: dict[str, Path]) -> None:
    tokenizer = Tokenizer.load(spec(models["plain"], max_length=4))
    (encoded,) = tokenizer.encode([Request("score", "Q:", " a very long continuation that cannot fit", repeats=2)])
    assert encoded.requests == ()
    answers = encoded.fold([])
    assert len(answers) == 2
    assert all(isinstance(answer, Failed) and "the window 4" in answer.reason for answer in answers)


def test_a_prompt_leaves_room_for_what_is_generated_as_in_lm_eval(models: dict[str, Path]) -> None:
    tokenizer = Tokenizer.load(spec(models["plain"], max_length=40))
    prompt = "one two three four five six seven eight nine ten " * 3
    whole = generate(Tokenizer.load(spec(models["plain"])), prompt, max_gen_toks=30).prompt
    cut = generate(tokenizer, prompt, max_gen_toks=30)
    assert cut.prompt == whole[-10:]
    assert cut.cut_tokens == len(whole) - 10
    assert cut.sampling.max_tokens == 30


@given(prompt=st.integers(0, 5000), max_tokens=st.integers(1, 5000), window=st.integers(2, 4000))
def test_prompt_and_generation_always_fit(prompt: int, max_tokens: int, window: int) -> None:
    keep, room = room_for(prompt, max_tokens, window)
    assert keep >= 1
    assert 1 <= room <= max_tokens
    assert min(prompt, keep) + room <= window
    if max_tokens < window:
        assert (keep, room) == (window - max_tokens, max_tokens)


def test_more_new_tokens_than_the_window_holds_are_shortened_and_said(models: dict[str, Path]) -> None:
    """lm-eval stops with an assertion: HumanEval's 1,024 new tokens on GPT-2, for one."""
    tokenizer = Tokenizer.load(spec(models["plain"], max_length=32))
    request = generate(tokenizer, "def f():", max_gen_toks=1024)
    assert request.cut_tokens == 0
    assert len(request.prompt) + request.sampling.max_tokens == 32
    assert any("1024 new tokens" in note for note in tokenizer.notes)


@settings(max_examples=60, deadline=None)
@given(page=text, width=st.integers(1, 40))
def test_rolling_windows_equal_lm_evals(page: str, width: int, tokenizers: dict[str, Tokenizer]) -> None:
    from lm_eval.utils import get_rolling_token_windows, make_disjoint_window

    tokenizer = tokenizers["plain"]
    (encoded,) = tokenizer.encode([Request("rolling", page)], score_limit=width + 1)
    tokens = tokenizer.hf.encode(page, add_special_tokens=False)
    theirs = map(make_disjoint_window, get_rolling_token_windows(tokens, tokenizer.prefix_token_id, width, 1))
    ours = [(r.context.tolist(), r.continuation.tolist()) for r in encoded.requests if isinstance(r, ScoreRequest)]
    assert ours == [tuple(window) for window in theirs]
    if tokens:
        scored = [Scored(request.id, -1.5, True) for request in encoded.requests]
        (total,) = encoded.fold(scored)
        assert isinstance(total, Scored)
        assert total.logprob == -1.5 * len(scored)
        assert encoded.fold([*scored[:-1], Failed(0, "no")]) == [Failed(0, "no")]
        assert encoded.fold([*scored[:-1], None]) == [None]
