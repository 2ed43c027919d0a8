"""Adapters that vLLM takes, and those that are merged instead."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from evalkit.engines.vllm import load
from evalkit.engines.vllm.adapters import refused_by_vllm
from evalkit.errors import AdaptersRefused, CheckpointError, EngineError, UsageError
from evalkit.models.adapters import adapter_rank, merge_adapter
from evalkit.types import (
    Adapter,
    ModelSpec,
)
from tests.helpers.checkpoints import make_adapter, make_tokenizer
from tests.helpers.vllm_work import (
    LENGTH,
    needs_vllm,
)


def test_which_adapters_vllm_refuses(tiny_adapters: tuple[Path, Path], dora: Path, extended: Path) -> None:
    assert refused_by_vllm(tiny_adapters[0]) is None
    assert adapter_rank(tiny_adapters[0]) == 4
    assert "DoRA" in (refused_by_vllm(dora) or "")
    assert "embed_tokens" in (refused_by_vllm(extended) or "")


def test_whole_weights_are_refused_even_where_the_config_hides_them(extended: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(extended, tmp_path / "quiet")
    config = json.loads((folder / "adapter_config.json").read_text())
    config["modules_to_save"] = None
    (folder / "adapter_config.json").write_text(json.dumps(config))
    assert "whole weights" in (refused_by_vllm(folder) or "")


def test_a_folder_that_is_no_adapter_says_so(tiny_model: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such folder"):
        refused_by_vllm(tmp_path / "nowhere")
    with pytest.raises(CheckpointError, match=r"no adapter_config\.json"):
        refused_by_vllm(tiny_model)


@pytest.mark.parametrize("kind", ["dora", "extended"])
def test_a_merged_adapter_has_the_adapters_logits(
    kind: str, tiny_model: Path, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    adapter: Path = request.getfixturevalue(kind)
    merged = merge_adapter(tiny_model, adapter, tmp_path / "merged")
    base = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(adapter if kind == "extended" else tiny_model)
    base.resize_token_embeddings(len(tokenizer))
    expected = PeftModel.from_pretrained(base, str(adapter)).eval()
    found = AutoModelForCausalLM.from_pretrained(merged, dtype=torch.float32).eval()
    assert len(AutoTokenizer.from_pretrained(merged)) == len(tokenizer)
    prompt = torch.tensor([tokenizer("the question 서울 is", add_special_tokens=False).input_ids])
    with torch.no_grad():
        assert torch.allclose(found(prompt).logits, expected(prompt).logits, atol=1e-4)


@pytest.mark.vllm
@needs_vllm
def test_an_adapter_that_changes_nothing_is_an_error(tiny_model: Path, tmp_path: Path) -> None:
    idle = make_adapter(tiny_model, tmp_path / "idle", strength=0.0)
    model = ModelSpec("tiny", str(tiny_model), dtype="float32", args={"max_model_len": LENGTH, "enforce_eager": True})
    with pytest.raises(EngineError, match="adapter 'idle' changes no log-probability"):
        load(model, None, [Adapter("idle", str(idle))])


@pytest.mark.vllm
@needs_vllm
def test_adapters_of_a_model_that_takes_none_are_handed_back_to_be_merged(tmp_path: Path) -> None:
    """vLLM's GPT-2 takes no adapters, which shows only when it is started."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import GPT2Config, GPT2LMHeadModel

    base = tmp_path / "gpt2"
    make_tokenizer(base)
    GPT2LMHeadModel(GPT2Config(vocab_size=1024, n_positions=256, n_embd=64, n_layer=1, n_head=2)).save_pretrained(base)
    model = GPT2LMHeadModel.from_pretrained(base)
    tuned = get_peft_model(model, LoraConfig(r=4, target_modules=["c_attn"], fan_in_fan_out=True))
    with torch.no_grad():
        for name, weight in tuned.named_parameters():
            if "lora_B" in name:
                weight.normal_(0.0, 0.3)
    tuned.save_pretrained(tmp_path / "tuned")
    with pytest.raises(AdaptersRefused, match="adapter t: GPT2LMHeadModel does not support LoRA") as raised:
        load(ModelSpec("gpt2", str(base), dtype="float32"), None, [Adapter("t", str(tmp_path / "tuned"))])
    assert list(raised.value.why) == ["t"]
    merge_adapter(base, tmp_path / "tuned", tmp_path / "merged")
    assert (tmp_path / "merged" / "model.safetensors").exists()
