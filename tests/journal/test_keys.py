"""What determines an answer."""

from __future__ import annotations

import dataclasses
from array import array

from evalkit.journal import key
from evalkit.models.fingerprint import model_fingerprint
from evalkit.types import GenerateRequest, Message, Sampling, ScoreRequest
from tests.helpers.journals import GREEDY, ask


def test_a_key_is_blind_to_what_cannot_change_the_answer() -> None:
    base = key("f", ask(1), "e/1")
    assert key("f", dataclasses.replace(ask(1), id=99, cut_tokens=5, adapter="x", text="as text"), "e/1") == base
    for knob in ({"seed": 3}, {"top_p": 0.5}, {"top_k": 9}, {"min_p": 0.1}):
        assert key("f", ask(1, dataclasses.replace(GREEDY, **knob)), "e/1") == base
    scored = ScoreRequest(1, array("i", [1, 2]), array("i", [3]))
    assert key("f", scored, "e/1") == key("f", dataclasses.replace(scored, id=2, cut_tokens=9), "e/1")


SAMPLED = Sampling(max_tokens=16, temperature=1.0)
DIFFERENT: dict[str, bytes] = {
    "base": key("f", ask(1), "e/1"),
    "model": key("g", ask(1), "e/1"),
    "engine": key("f", ask(1), "e/2"),
    "prompt": key("f", ask(2), "e/1"),
    "max_tokens": key("f", ask(1, Sampling(max_tokens=17)), "e/1"),
    "stop": key("f", ask(1, Sampling(max_tokens=16, stop=("x",))), "e/1"),
    "penalty": key("f", ask(1, Sampling(max_tokens=16, repetition_penalty=1.1)), "e/1"),
    "extra": key("f", ask(1, Sampling(max_tokens=16, extra=(("a", 1),))), "e/1"),
    "sampled": key("f", ask(1, SAMPLED), "e/1"),
    "sampled seed": key("f", ask(1, dataclasses.replace(SAMPLED, seed=1)), "e/1"),
    "sampled top_p": key("f", ask(1, dataclasses.replace(SAMPLED, top_p=0.5)), "e/1"),
    "sample 2": key("f", ask(1, SAMPLED, sample=1), "e/1"),
    "score": key("f", ScoreRequest(1, array("i", [1]), array("i", [7])), "e/1"),
    "score split elsewhere": key("f", ScoreRequest(1, array("i", [1, 7]), array("i", [])), "e/1"),
    "text": key("f", GenerateRequest(1, array("i"), GREEDY, text="hi"), "e/1"),
    "messages": key("f", GenerateRequest(1, array("i"), GREEDY, text=(Message("user", "hi"),)), "e/1"),
    "role": key("f", GenerateRequest(1, array("i"), GREEDY, text=(Message("system", "hi"),)), "e/1"),
}


def test_engine_knobs_of_any_shape_have_a_key() -> None:
    odd = Sampling(max_tokens=16, extra=(("bad_words", ["a", "b"]), ("logit_bias", {"1": 2})))
    assert key("f", ask(1, odd), "e/1") == key("f", ask(1, odd), "e/1") != key("f", ask(1), "e/1")


def test_whatever_changes_the_answer_changes_the_key() -> None:
    assert len(set(DIFFERENT.values())) == len(DIFFERENT)
    assert {len(made) for made in DIFFERENT.values()} == {24}


def test_a_fingerprint_holds_every_part_that_is_known() -> None:
    base = model_fingerprint("w", dtype="float32", adapter=None)
    assert base == model_fingerprint("w", dtype="float32")
    others = [
        model_fingerprint("v", dtype="float32"),
        model_fingerprint("w", dtype="bfloat16"),
        model_fingerprint("w", dtype="float32", adapter="a"),
        model_fingerprint("w", dtype="float32", revision="a"),
        model_fingerprint("w", dtype="float32", quantization="a"),
    ]
    assert len({base, *others}) == 6
