"""From log-probabilities to scores: every way of writing a label, on every layout of tokens."""

from __future__ import annotations

import math
from array import array
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.judging.logprobs import from_path, from_sequences, from_tokens
from evalkit.judging.scale import Scale

# What is imported when first needed is slow once.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

FIVE = Scale.between(1, 5)
TEN = Scale.between(0, 10)
YES_NO = Scale({"예": 1.0, "아니오": 0.0})


def path(*positions: dict[str, float]) -> list[tuple[tuple[str, float], ...]]:
    """The sampled token first, then its alternatives."""
    return [tuple((token, math.log(p)) for token, p in position.items()) for position in positions]


def test_every_way_of_writing_a_label_counts() -> None:
    found = from_path(path({"5": 0.6, " 5": 0.2, "5\n": 0.1, "4": 0.05}), FIVE)
    assert found.masses == pytest.approx({"5": 0.9, "4": 0.05})
    assert found.covered == pytest.approx(0.95)
    assert found.score == pytest.approx((5 * 0.9 + 4 * 0.05) / 0.95)


def test_a_label_in_two_tokens() -> None:
    found = from_path(path({"1": 0.8, "7": 0.2}, {"0": 0.75, "\n": 0.25}), TEN)
    assert found.masses == pytest.approx({"10": 0.6, "1": 0.2, "7": 0.2})
    assert found.score == pytest.approx(10 * 0.6 + 0.2 + 7 * 0.2)


def test_off_the_path_a_prefix_of_another_label_is_not_counted() -> None:
    assert from_path(path({"7": 0.8, "1": 0.2}), TEN).covered == pytest.approx(0.8)
    one_token = from_path(path({"7": 0.8, "1": 0.1, "10": 0.1}), TEN)
    assert one_token.covered == pytest.approx(1.0)
    assert one_token.score == pytest.approx(0.8 * 7 + 0.1 + 1.0)


def test_a_decimal_is_no_whole_label() -> None:
    found = from_path(path({"8": 0.8, "9": 0.2}, {".": 0.9, "\n": 0.1}, {"5": 1.0}), TEN)
    assert found.masses == pytest.approx({"8": 0.08, "9": 0.2})
    halves = Scale({f"{n / 2:g}": n / 2 for n in range(21)})
    found = from_path(path({"8": 0.8, "9": 0.2}, {".": 0.9, "\n": 0.1}, {"5": 1.0}), halves)
    assert found.masses["8.5"] == pytest.approx(0.72)
    assert found.masses["8"] == pytest.approx(0.08)


def test_a_full_stop_after_a_label_ends_it() -> None:
    found = from_path(path({"8": 0.8, "9": 0.2}, {".": 1.0}, {"<eos>": 1.0}), TEN)
    assert found.score == pytest.approx(8.2)


def test_leading_space_as_a_token_of_its_own() -> None:
    found = from_path(path({" ": 0.8, "4": 0.2}, {"5": 0.5, "4": 0.5}), FIVE)
    assert found.masses == pytest.approx({"5": 0.4, "4": 0.6})


def test_all_mass_off_the_labels_is_no_score() -> None:
    found = from_path(path({"The": 0.9, "I": 0.1}), FIVE)
    assert found.score is None
    assert found.covered == 0
    assert found.entropy is None


def test_labels_that_are_words_in_two_languages() -> None:
    found = from_path(path({"아": 0.8, "예": 0.2}, {"니": 1.0}, {"오": 1.0}), YES_NO)
    assert found.masses == pytest.approx({"아니오": 0.8, "예": 0.2})
    assert from_path(path({"Yes": 0.7, " yes": 0.2}), Scale({"yes": 1.0, "no": 0.0})).covered == pytest.approx(0.9)


def test_one_recorded_position() -> None:
    found = from_tokens({"1": math.log(0.1), " 5": math.log(0.6), "5\n": math.log(0.1), "The": math.log(0.2)}, FIVE)
    assert found.covered == pytest.approx(0.8)
    assert found.score == pytest.approx((0.1 + 0.7 * 5) / 0.8)


@given(st.lists(st.floats(0.001, 1), min_size=2, max_size=11))
def test_the_score_is_a_mean_of_the_labels(shares: list[float]) -> None:
    total = sum(shares)
    tops = {label: share / total for label, share in zip([str(n) for n in range(11)], shares, strict=False)}
    found = from_path(path({**tops, "10": tops.get("10", 1e-9)}), TEN)
    assert found.score == pytest.approx(sum(int(n) * p for n, p in tops.items()), abs=1e-6)
    assert 0 <= found.score <= 10


def test_sequences_that_start_with_others() -> None:
    scored = {(1,): ("1", math.log(0.5)), (1, 0): ("10", math.log(0.3)), (7,): ("7", math.log(0.5))}
    assert from_sequences(scored, TEN).masses == pytest.approx({"1": 0.2, "10": 0.3, "7": 0.5})


def test_local_labels_equal_the_full_logits(tiny_chat_model: Path) -> None:
    """What the judge sums over sequences is what the whole softmax says, token by token."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from evalkit.engines.huggingface import load
    from evalkit.judging.encodings import label_sequences
    from evalkit.tokens import Tokenizer
    from evalkit.types import ModelSpec, Score, Scored

    spec = ModelSpec(str(tiny_chat_model), str(tiny_chat_model), dtype="float32")
    tokenizer = Tokenizer.load(spec)
    sequences = label_sequences(tokenizer.hf)(TEN)
    context = array("i", tokenizer.hf.encode("<s>Rate this answer from 0 to 10:", add_special_tokens=False))
    work = Score(tuple(range(len(sequences))), context, tuple(array("i", ids) for ids in sequences))
    engine = load(spec, tokenizer, ())
    try:
        answers = {answer.id: answer for answer in engine.run(iter([work]))}
    finally:
        engine.close()
    scored = {}
    for number, (ids, label) in enumerate(sequences.items()):
        answer = answers[number]
        assert isinstance(answer, Scored)
        scored[ids] = (label, answer.logprob)
    found = from_sequences(scored, TEN)

    hf = AutoTokenizer.from_pretrained(tiny_chat_model)
    model = AutoModelForCausalLM.from_pretrained(tiny_chat_model, dtype=torch.float32).eval()

    def following(ids: list[int]) -> np.ndarray[Any, Any]:
        with torch.no_grad():
            logits = model(torch.tensor([ids])).logits[0, -1]
        return torch.softmax(logits.double(), -1).numpy()

    first = following(list(context))
    texts = [hf.decode([i]) if i not in hf.all_special_ids else "" for i in range(len(hf))]
    expected = {str(n): 0.0 for n in range(11)}
    for id_, text in enumerate(texts):
        label = text.strip()
        if label in expected and "\ufffd" not in text:
            expected[label] += first[id_]
    for id_, text in enumerate(texts):
        if text.lstrip() == "1":
            zero = following([*context, id_])[texts.index("0")] * first[id_]
            expected["1"] -= zero
            expected["10"] += zero
    assert {k: found.masses.get(k, 0.0) for k in expected} == pytest.approx(expected, abs=1e-7)
    mean = sum(int(k) * p for k, p in expected.items()) / sum(expected.values())
    assert found.score == pytest.approx(mean, abs=1e-4)
