"""Loading a model with transformers: architectures, options, what is refused."""

from __future__ import annotations

import json
import shutil
from array import array
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from evalkit.engines import huggingface
from evalkit.engines.base import Engine
from evalkit.errors import CheckpointError, EngineError, UsageError
from evalkit.types import (
    Generate,
    Generated,
    Sampling,
    Score,
    Scored,
    Work,
)
from tests.helpers.checkpoints import break_checkpoint
from tests.helpers.hf_engine import (
    TEXT,
    VOCAB,
    alone,
    answers,
    decode_tokens,
    ids,
    logprobs,
    spec,
    texts,
)

# ── other architectures ──────────────────────────────────────────────────────

_SMALL = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 3, "num_attention_heads": 2}


ARCHITECTURES: dict[str, dict[str, Any]] = {
    "gpt2": {"n_embd": 64, "n_layer": 2, "n_head": 2, "n_positions": 512},
    "gpt_neox": {**_SMALL, "max_position_embeddings": 512},
    "mistral": {**_SMALL, "num_key_value_heads": 1, "sliding_window": 16, "max_position_embeddings": 512},
    "qwen3": {**_SMALL, "num_key_value_heads": 1, "head_dim": 32, "max_position_embeddings": 512},
    "gemma2": {**_SMALL, "num_key_value_heads": 1, "head_dim": 32, "sliding_window": 16},
    "gemma3_text": {**_SMALL, "num_key_value_heads": 1, "head_dim": 32, "sliding_window": 16},
    "phi": {**_SMALL, "max_position_embeddings": 512},
    "falcon": {**_SMALL, "alibi": False, "new_decoder_architecture": False},
    "bloom": {"hidden_size": 64, "n_layer": 2, "n_head": 2},
    "mpt": {"d_model": 64, "n_layers": 2, "n_heads": 2, "max_seq_len": 512},
    "mamba": {"hidden_size": 64, "num_hidden_layers": 2, "state_size": 8},
}


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_other_architectures_give_their_own_numbers_too(name: str, tiny_model: Path, tmp_path: Path) -> None:
    """Whatever path the self-test chooses for them, scores and texts are those of one prompt in one pass."""
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(0)
    config = AutoConfig.for_model(
        name, vocab_size=VOCAB, bos_token_id=0, eos_token_id=1, pad_token_id=2, **ARCHITECTURES[name]
    )
    net = AutoModelForCausalLM.from_config(config).eval()
    with torch.no_grad():
        for parameter in net.parameters():
            if parameter.dim() == 2:
                parameter.normal_(0.0, 0.12)
    net.save_pretrained(tmp_path / name)
    for file in tiny_model.glob("tokenizer*"):
        shutil.copy(file, tmp_path / name)
    engine = huggingface.load(spec(tmp_path / name))
    beginning = ids("".join(TEXT[:3]), tiny_model)[:60]
    work: list[Work] = []
    for i in range(5):
        context = beginning + ids(TEXT[30 + i], tiny_model)[: 4 + 5 * i]
        work.append(Score((10 * i, 10 * i + 1), context, (array("i", [40 + i, 50, 60]), array("i", [70 + i]))))
        work.append(Generate((10 * i + 5,), context, Sampling(max_tokens=6 + i)))
    # Short enough for a sliding window of 16 to see all of it, continuations side by side.
    work.append(Score((100, 101), context[:6], (array("i", [40, 50, 60]), array("i", [70, 80]))))
    found = answers(engine, work)
    for item in work:
        if isinstance(item, Score):
            for id, tokens in zip(item.ids, item.continuations, strict=True):
                value, best = alone(net, item.context, tokens)
                answer = found[id]
                assert isinstance(answer, Scored)
                assert answer.logprob == pytest.approx(value, abs=2e-4), engine.description
                assert answer.is_greedy == best
        else:
            tokens = []
            for _ in range(item.sampling.max_tokens):
                with torch.no_grad():
                    logits = net(torch.tensor([[*item.prompt, *tokens]])).logits
                tokens.append(int(logits[0, -1].argmax()))
                if tokens[-1] == 1:
                    break
            assert texts({0: found[item.ids[0]]})[0] == decode_tokens(tiny_model, tokens), engine.description
    if name == "mamba":
        assert engine.description["scoring_path"] == "plain"
        assert engine.description["notes"]


def test_a_row_at_the_windows_end_does_not_run_past_it(tiny_model: Path, tmp_path: Path) -> None:
    """Learned positions end with the window: rows that are over must not ask for more while the others go on."""
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.for_model(
        "gpt2", vocab_size=VOCAB, n_embd=64, n_layer=2, n_head=2, n_positions=64, eos_token_id=1
    )
    AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path / "gpt2")
    for file in tiny_model.glob("tokenizer*"):
        shutil.copy(file, tmp_path / "gpt2")
    work = [Generate((0,), array("i", range(10, 70)), Sampling(max_tokens=4))]
    work += [Generate((i,), array("i", [5, i]), Sampling(max_tokens=60)) for i in range(1, 8)]
    found = answers(huggingface.load(spec(tmp_path / "gpt2")), work)
    assert len(texts(found)) == 8
    assert isinstance(found[0], Generated)
    assert found[0].tokens == 4


def test_an_encoder_decoder_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    from transformers import T5Config, T5ForConditionalGeneration

    small = {"d_model": 32, "d_ff": 32, "d_kv": 16, "num_layers": 1, "num_heads": 2}
    T5ForConditionalGeneration(T5Config(vocab_size=VOCAB, **small)).save_pretrained(tmp_path / "t5")
    for file in tiny_model.glob("tokenizer*"):
        shutil.copy(file, tmp_path / "t5")
    with pytest.raises(UsageError, match="decoder-only"):
        huggingface.load(spec(tmp_path / "t5"))


# ── loading ──────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ({"batchsize": 4}, "batch_size"),
        ({"batch_size": 0}, "at least 1"),
        ({"device": "gpu"}, "device=cuda"),
        ({"peft": "somewhere"}, "--adapter"),
        ({"dtype": "float31"}, "bfloat16"),
        ({"scoring_path": "fastest"}, "packed, prefix or plain"),
        ({"parallelize": "perhaps"}, "True or False"),
    ],
)
def test_options_are_checked(tiny_model: Path, option: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        huggingface.load(spec(tiny_model, args=option))


def test_what_the_command_line_leaves_out_does_not_undo_model_args(tiny_model: Path) -> None:
    asked = spec(tiny_model, args={"batch_size": 3, "max_length": 64})
    described = huggingface.load(asked, batch_size=None, device=None).description
    assert (described["batch_size"], described["max_length"]) == (3, 64)
    assert huggingface.load(asked, batch_size="auto", max_batch_size=7).description["batch_size"] == 7


def test_a_config_field_is_an_option_as_in_lm_eval(tiny_model: Path) -> None:
    item = Score((0,), ids(TEXT[0], tiny_model), (array("i", [50]),))
    usual = logprobs(answers(huggingface.load(spec(tiny_model)), [item]))
    eager = logprobs(answers(huggingface.load(spec(tiny_model), attn_implementation="eager"), [item]))
    bent = logprobs(answers(huggingface.load(spec(tiny_model, args={"rms_norm_eps": 0.5})), [item]))
    assert eager[0] == pytest.approx(usual[0], abs=1e-4)
    assert bent[0] != pytest.approx(usual[0], abs=1e-3)


def test_code_in_a_checkpoint_is_not_run_unasked(tiny_model: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_model, tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "auto_map": {"AutoModelForCausalLM": "code.Model"}}))
    (folder / "code.py").write_text("raise SystemExit('ran')")
    with pytest.raises(UsageError, match="trust_remote_code=True"):
        huggingface.load(spec(folder))


def test_a_broken_checkpoint_is_named_before_anything_loads(tiny_model: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="cut off"):
        huggingface.load(spec(break_checkpoint(tiny_model, tmp_path / "broken", "truncated")))


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_low_precision_stays_near(tiny_model: Path, dtype: str) -> None:
    low = replace(spec(tiny_model), dtype=dtype)
    work = [
        Score((2 * i, 2 * i + 1), ids(TEXT[i] + TEXT[i + 1], tiny_model), (array("i", [50]), array("i", [51, 52])))
        for i in range(4)
    ]
    exact = logprobs(answers(huggingface.load(spec(tiny_model)), work))
    engine = huggingface.load(low)
    assert engine.description["dtype"] == dtype
    rounded = logprobs(answers(engine, work))
    for id, value in exact.items():
        assert rounded[id] == pytest.approx(value, abs=0.5)
    assert rounded != exact
    assert len(texts(answers(engine, [Generate((0,), array("i", [5, 6]), Sampling(max_tokens=5))]))) == 1


def test_it_describes_itself_in_json_and_closes_twice(tiny_model: Path) -> None:
    engine = huggingface.load(spec(tiny_model))
    assert isinstance(engine, Engine)
    described = json.loads(json.dumps(dict(engine.description)))
    assert described["scoring_path"] == "packed"
    assert described["generation_path"] == "batched"
    assert described["dtype"] == "float32"
    engine.close()
    engine.close()
    with pytest.raises(EngineError, match="closed"):
        list(engine.run(iter([])))
