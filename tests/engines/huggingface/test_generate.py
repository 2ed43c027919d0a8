"""The transformers engine generates as lm-eval does."""

from __future__ import annotations

import json
import math
import shutil
from array import array
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from evalkit.engines import huggingface
from evalkit.engines.base import Engine
from evalkit.errors import UsageError
from evalkit.planning import plan
from evalkit.types import (
    Generate,
    Generated,
    Sampling,
)
from tests.helpers.hf_engine import (
    STOPS,
    TEXT,
    VOCAB,
    answers,
    decode_tokens,
    hflm,
    ids,
    spec,
    texts,
)

# ── generating ───────────────────────────────────────────────────────────────


@pytest.mark.parametrize("batch_size", [1, 4])
def test_greedy_texts_are_lm_evals(tiny_model: Path, batch_size: int) -> None:
    from lm_eval.api.instance import Instance

    from evalkit.tokens import Tokenizer
    from evalkit.types import Request

    prompts = [("".join(TEXT[:5]) if i % 2 else "") + "".join(TEXT[50 + i : 51 + i + i % 4]) for i in range(20)]
    kwargs = [{"until": list(STOPS), "max_gen_toks": 8 + 16 * (i % 3), "do_sample": False} for i in range(20)]
    lm = hflm(tiny_model, batch_size=batch_size)
    theirs = lm.generate_until(
        [Instance("generate_until", {}, (p, dict(k)), 0) for p, k in zip(prompts, kwargs, strict=True)],
        disable_tqdm=True,
    )
    tokenizer = Tokenizer.load(spec(tiny_model))
    encoded = tokenizer.encode([Request("generate", p, gen_kwargs=k) for p, k in zip(prompts, kwargs, strict=True)])
    engine = huggingface.load(spec(tiny_model), tokenizer)
    order = plan([request for one in encoded for request in one.requests])
    found = answers(engine, list(order))
    assert [texts(found)[id] for id in range(20)] == theirs
    finishes = {answer.finish for answer in found.values() if isinstance(answer, Generated)}
    assert finishes == {"stop", "length"}
    assert engine.usage.generated == sum(a.tokens for a in found.values() if isinstance(a, Generated))


def test_the_end_of_sequence_token_ends_it(tiny_model: Path, tmp_path: Path) -> None:
    """With every token an end token, one token is all there is."""
    folder = shutil.copytree(tiny_model, tmp_path / "model")
    config = json.loads((folder / "generation_config.json").read_text())
    (folder / "generation_config.json").write_text(json.dumps({**config, "eos_token_id": list(range(VOCAB))}))
    found = answers(huggingface.load(spec(folder)), [Generate((0,), array("i", [5, 6]), Sampling(max_tokens=30))])
    answer = found[0]
    assert isinstance(answer, Generated)
    assert (answer.finish, answer.tokens) == ("stop", 1)


def test_the_generation_configs_penalty_holds_as_in_lm_eval(tiny_model: Path, tmp_path: Path) -> None:
    from lm_eval.api.instance import Instance

    folder = shutil.copytree(tiny_model, tmp_path / "model")
    config = json.loads((folder / "generation_config.json").read_text())
    (folder / "generation_config.json").write_text(json.dumps({**config, "repetition_penalty": 1.7}))
    kwargs = {"until": ["Q:"], "max_gen_toks": 40, "do_sample": False}
    theirs = hflm(folder, batch_size=1).generate_until(
        [Instance("generate_until", {}, (TEXT[3], dict(kwargs)), 0)], disable_tqdm=True
    )
    item = Generate((0,), ids(TEXT[3], folder), Sampling(max_tokens=40, stop=("Q:",)))
    assert texts(answers(huggingface.load(spec(folder)), [item]))[0] == theirs[0]
    assert texts(answers(huggingface.load(spec(tiny_model)), [item]))[0] != theirs[0]


def test_a_sample_can_be_made_again_alone(engine: Engine, tiny_model: Path) -> None:
    prompt = ids(TEXT[4], tiny_model)
    sampling = Sampling(max_tokens=24, temperature=1.0, top_p=0.95, seed=7)
    others = [Generate((100 + i,), ids(TEXT[i], tiny_model), replace(sampling, max_tokens=5 + i)) for i in range(9)]
    together = texts(answers(engine, [Generate(tuple(range(6)), prompt, sampling, tuple(range(6))), *others]))
    assert len({together[id] for id in range(6)}) > 1
    for sample in (5, 0, 3):
        assert texts(answers(engine, [Generate((1,), prompt, sampling, (sample,))]))[1] == together[sample]
    other_seed = texts(answers(engine, [Generate((1,), prompt, replace(sampling, seed=8), (0,))]))
    assert other_seed[1] != together[0]


def test_filters_that_leave_one_token_are_greedy(engine: Engine, tiny_model: Path) -> None:
    prompt = ids(TEXT[4], tiny_model)
    greedy = Sampling(max_tokens=20)
    work = [
        Generate((0,), prompt, greedy),
        Generate((1,), prompt, replace(greedy, temperature=1.0, top_k=1)),
        Generate((2,), prompt, replace(greedy, temperature=1.0, top_p=1e-6)),
        Generate((3,), prompt, replace(greedy, temperature=1.0, min_p=1.0)),
        Generate((4,), prompt, replace(greedy, temperature=1e-4)),
    ]
    made = texts(answers(engine, work))
    assert len(set(made.values())) == 1


def test_samples_follow_the_models_distribution(engine: Engine, tiny_model: Path) -> None:
    """First tokens of 2,000 samples against the probabilities: within five standard errors where they are common."""
    from transformers import AutoModelForCausalLM

    net = AutoModelForCausalLM.from_pretrained(tiny_model)
    context = array("i", [40, 41, 42])
    with torch.no_grad():
        probabilities = net(torch.tensor([context])).logits[0, -1].softmax(-1)
    n = 2000
    item = Generate(tuple(range(n)), context, Sampling(max_tokens=1, temperature=1.0, seed=0), tuple(range(n)))
    made = list(texts(answers(engine, [item])).values())
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    for token in probabilities.topk(5).indices.tolist():
        text, p = tokenizer.decode([token]), float(probabilities[token])
        assert abs(made.count(text) / n - p) < 5 * math.sqrt(p * (1 - p) / n) + 1e-9, text


@pytest.mark.parametrize("kind", ["text", "id"])
def test_reasoning_is_kept_apart(tiny_model: Path, kind: str) -> None:
    """A marker that the model does write: its own third token. What lm-eval returns, and what stood before."""
    from lm_eval.api.instance import Instance
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    prompt, tokens = _with_a_clean_token(tiny_model, tokenizer)
    marker: str | int = tokenizer.decode([tokens[3]]) if kind == "text" else tokens[3]
    kwargs = {"until": [], "max_gen_toks": 12, "do_sample": False}
    theirs = hflm(tiny_model, batch_size=1, think_end_token=marker).generate_until(
        [Instance("generate_until", {}, (prompt, dict(kwargs)), 0)], disable_tqdm=True
    )
    engine = huggingface.load(spec(tiny_model), think_end_token=marker)
    stops_inside = tokenizer.decode([tokens[1]])
    item = Generate((0,), ids(prompt, tiny_model), Sampling(max_tokens=12))
    cut = Generate((1,), ids(prompt, tiny_model), Sampling(max_tokens=3))
    inside = replace(item, ids=(2,), sampling=Sampling(max_tokens=12, stop=(stops_inside,)))
    found = answers(engine, [item, cut, inside])
    whole, unfinished, stopped = (found[id] for id in range(3))
    assert isinstance(whole, Generated)
    assert isinstance(unfinished, Generated)
    assert isinstance(stopped, Generated)
    assert whole.text == theirs[0]
    assert whole.reasoning
    assert (unfinished.finish, unfinished.text) == ("unfinished", "")
    assert unfinished.reasoning == tokenizer.decode(tokens[:3])
    assert stopped.reasoning == whole.reasoning, "a stop string ended the reasoning trace"


def test_a_marker_that_is_a_special_token_is_found_too(tiny_model: Path, tmp_path: Path) -> None:
    """Special tokens are left out of decoded text, where a search for the marker's text would miss it."""
    from transformers import AutoTokenizer

    folder = shutil.copytree(tiny_model, tmp_path / "model")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    prompt, tokens = _with_a_clean_token(tiny_model, tokenizer)
    marker = tokenizer.convert_ids_to_tokens(tokens[3])
    tokenizer.add_special_tokens({"additional_special_tokens": [marker]})
    tokenizer.save_pretrained(folder)
    item = Generate((0,), ids(prompt, tiny_model), Sampling(max_tokens=12))
    by_text = answers(huggingface.load(spec(folder), think_end_token=marker), [item])[0]
    by_id = answers(huggingface.load(spec(folder), think_end_token=tokens[3]), [item])[0]
    assert isinstance(by_text, Generated)
    assert by_text == by_id
    assert by_text.reasoning
    assert by_text.finish == "length"


def _with_a_clean_token(folder: Path, tokenizer: Any) -> tuple[str, list[int]]:
    """A prompt whose greedy text has a plain word as its fourth token, which stands nowhere before."""
    from transformers import AutoModelForCausalLM

    net = AutoModelForCausalLM.from_pretrained(folder)
    for prompt in TEXT:
        made = net.generate(torch.tensor([ids(prompt, folder)]), max_new_tokens=12, do_sample=False)[0].tolist()[-12:]
        pieces = [tokenizer.decode([token]) for token in made]
        word = pieces[3]
        if word.strip().isalpha() and word.isascii() and "".join(pieces).count(word) == 1 and made.count(made[3]) == 1:
            return prompt, made
    raise AssertionError("no prompt has such a token: make more text")


def test_alternatives_of_each_token_come_with_it_when_asked_for(engine: Engine, tiny_model: Path) -> None:
    """The model's own log-probabilities, whatever the temperature; the token itself first."""
    from transformers import AutoModelForCausalLM

    net = AutoModelForCausalLM.from_pretrained(tiny_model)
    prompt = ids(TEXT[4], tiny_model)
    asked = Sampling(max_tokens=4, temperature=1.5, seed=1, extra=(("top_logprobs", 5),))
    found = answers(engine, [Generate((0,), prompt, asked), Generate((1,), prompt, replace(asked, extra=()))])
    answer, bare = found[0], found[1]
    assert isinstance(answer, Generated)
    assert isinstance(bare, Generated)
    assert (bare.text, bare.top_logprobs) == (answer.text, None)
    assert answer.top_logprobs is not None
    assert len(answer.top_logprobs) == answer.tokens
    with torch.no_grad():
        first = net(torch.tensor([prompt])).logits[0, -1].log_softmax(-1)
    best = first.topk(5)
    expected = {
        decode_tokens(tiny_model, [t]): v for t, v in zip(best.indices.tolist(), best.values.tolist(), strict=True)
    }
    given = dict(answer.top_logprobs[0])
    assert {text: given[text] for text in expected} == pytest.approx(expected, abs=1e-4)
    assert answer.top_logprobs[0][0][0] == answer.text[: len(answer.top_logprobs[0][0][0])]


def test_generation_options_are_checked(engine: Engine) -> None:
    for extra, says in (
        ((("no_repeat_ngram_sise", 2),), "no_repeat_ngram_size"),
        ((("num_beams", 4),), "num_beams=4"),
    ):
        with pytest.raises(UsageError, match=says):
            answers(engine, [Generate((0,), array("i", [5, 6]), Sampling(max_tokens=4, extra=extra))])
    good = Sampling(max_tokens=4, extra=(("do_sample", False), ("no_repeat_ngram_size", 2), ("num_beams", 1)))
    assert len(texts(answers(engine, [Generate((0,), array("i", [5, 6]), good)]))) == 1
