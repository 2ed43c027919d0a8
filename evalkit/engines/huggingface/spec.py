"""The transformers engine's spec."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from evalkit.engines.base import Engine, Reader
from evalkit.engines.spec import LOCAL, PROJECT, EngineSettings, EngineSpec, is_installed
from evalkit.types import Adapter, ModelSpec

__all__ = ["SPEC"]

_PACE = frozenset(
    {
        "batch_size", "device", "device_map", "low_cpu_mem_usage", "max_batch_size", "max_batch_tokens", "max_memory",
        "offload_folder", "parallelize", "scoring_path", "use_safetensors",
    }
)  # fmt: skip


def _start(model: ModelSpec, tokenizer: Any, adapters: Sequence[Adapter], settings: EngineSettings) -> Engine:
    from evalkit.engines.huggingface import load

    return load(model, tokenizer, adapters, batch_size=settings.batch_size, device=settings.device)


def _start_reader(model: ModelSpec, settings: EngineSettings) -> Reader:
    from evalkit.engines.huggingface.reading import Reader as LoadedReader

    return LoadedReader(model, batch_size=settings.batch_size, device=settings.device)


def _check_device(device: str) -> None:
    from evalkit.engines.huggingface.device import find_device

    find_device(device)


SPEC = EngineSpec(
    name="hf",
    title="transformers",
    semantics="hf/1",
    start=_start,
    start_reader=_start_reader,
    abilities=LOCAL | {"self_debias"},
    needs=("torch", "transformers"),
    library="transformers",
    install=f"{PROJECT}[hf]",
    distributions=("torch", "transformers", "tokenizers", "peft"),
    pace_arguments=_PACE,
    device="taken",
    check_device=_check_device,
    lm_eval_names=("hf", "huggingface", "hf-auto"),
    priority=20,
    suits=lambda: is_installed("torch"),
)
