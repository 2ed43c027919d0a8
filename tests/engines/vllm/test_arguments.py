"""--model-args against vLLM's own names."""

from __future__ import annotations

import json
from typing import Any

import pytest

from evalkit.engines.vllm.arguments import engine_arguments, without_secrets
from evalkit.errors import UsageError
from tests.helpers.vllm_work import (
    spec,
)

KNOWN = ("model", "max_model_len", "max_num_seqs", "tensor_parallel_size", "gpu_memory_utilization", "hf_overrides")


def test_engine_arguments_pass_through_under_lm_evals_names_too() -> None:
    made = engine_arguments(
        spec(max_length=77, gpu_memory_utilization=0.5, add_bos_token=True, hf_overrides='{"a": 1}'), KNOWN
    )
    assert made["max_model_len"] == 77
    assert made["gpu_memory_utilization"] == 0.5
    assert made["hf_overrides"] == {"a": 1}
    assert "add_bos_token" not in made
    assert "block_size" not in made
    assert "enforce_eager" not in made, "CUDA graphs stay on"


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ({"max_modellen": 5}, "did you mean max_model_len"),
        ({"max_length": 5, "max_model_len": 6}, "twice"),
        ({"data_parallel_size": 2}, "tensor_parallel_size"),
        ({"lora_local_path": "x"}, "--adapter NAME=PATH"),
        ({"logprobs_mode": "raw_logits"}, "scores are log-probabilities"),
        ({"hf_overrides": "{nope"}, "not JSON"),
    ],
)
def test_engine_arguments_that_cannot_be_meant_are_named(args: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        engine_arguments(spec(**args), (*KNOWN, "data_parallel_size", "logprobs_mode"), block_size=32)


def test_the_manifest_gets_no_secret() -> None:
    shown = without_secrets({"hf_token": "canary", "tokenizer": "t", "max_num_batched_tokens": 5, "x": {"y": 1}})
    assert "canary" not in json.dumps(shown)
    assert shown["tokenizer"] == "t"
    assert shown["max_num_batched_tokens"] == 5
