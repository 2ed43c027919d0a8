"""Starts vLLM in the worker: arguments, adapters, self-test, and the description for the manifest."""

from __future__ import annotations

import dataclasses
import gc
import os
import sys
from array import array
from collections.abc import Sequence
from typing import Any

from evalkit.engines.vllm.arguments import engine_arguments, typed_names, without_secrets
from evalkit.engines.vllm.blocks import smallest_block
from evalkit.engines.vllm.chunks import keep_generators_of_partly_read_prompts
from evalkit.engines.vllm.client import Client
from evalkit.engines.vllm.generating import Thinking
from evalkit.engines.vllm.messages import Ready, Start
from evalkit.engines.vllm.rows import keep_rows_packed
from evalkit.engines.vllm.scoring import Way
from evalkit.engines.vllm.selftest import Mixing, SelfTest, compare_ways, prove_adapters
from evalkit.engines.vllm.trouble import misunderstood
from evalkit.errors import UsageError
from evalkit.types import Adapter, ModelSpec, Usage

__all__ = ["Engine", "start_engine"]


@dataclasses.dataclass(frozen=True, slots=True)
class Engine:
    """The loaded and tested vLLM, and how it must be used."""

    client: Client
    way: Way
    mixing: Mixing
    ready: Ready


def start_engine(start: Start) -> Engine:
    """Load vLLM and the adapters, and choose the way to score by the self-test."""
    os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
    os.environ.setdefault("DO_NOT_TRACK", "1")
    import vllm
    from vllm.platforms import current_platform

    cpu = bool(current_platform.is_cpu())
    if cpu:
        os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", str(_cache_gib()))
        # One process less to start: on a CPU, a separate process has no advantage.
        os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
    args = engine_arguments(
        start.spec,
        _argument_names(),
        block_size=_block(start.spec) if cpu else None,
        adapter_ranks=start.ranks,
        adapter_targets=start.targets,
    )
    keep_rows_packed()
    if cpu:
        keep_generators_of_partly_read_prompts()
    try:
        llm = vllm.LLM(**args)
    except Exception as error:
        if complaint := misunderstood(error, typed_names(start.spec)):
            raise UsageError(complaint) from error
        raise

    thinking = _thinking(start, llm.get_tokenizer())
    client = Client(llm, start.adapters, thinking)
    config = client.engine.vllm_config
    float32 = "float32" in str(config.model_config.dtype)
    pool = _ordinary_tokens(llm.get_tokenizer())
    length = int(config.model_config.max_model_len)

    # With adapters, prompts can be asked for rows only if the output layer has no adapters.
    rows = not start.adapters or "lora_target_modules" in args
    way, test, warnings = _choose(client, pool, length, vllm.__version__, rows=rows, float32=float32)
    refused = _load_adapters(client, start.adapters)
    names = [adapter.name for adapter in start.adapters if adapter.name not in refused]
    mixing: Mixing = prove_adapters(client, pool, names, float32=float32) if names else "free"
    client.usage = Usage()

    description = {
        "name": "vllm",
        "versions": {"vllm": vllm.__version__, "torch": _version("torch")},
        "device": str(current_platform.device_name),
        "dtype": str(config.model_config.dtype).removeprefix("torch."),
        "quantization": config.model_config.quantization,
        "max_model_len": length,
        "block_size": client.block or None,
        "tensor_parallel_size": config.parallel_config.tensor_parallel_size,
        "pipeline_parallel_size": config.parallel_config.pipeline_parallel_size,
        "enforce_eager": bool(config.model_config.enforce_eager),
        "scoring_path": "plain" if way == "plain" else "fast",
        "scoring_requests": {"fast": "labels and rows", "labels": "labels", "plain": "whole prompts"}[way],
        "self_test": None
        if test is None
        else {
            "requests": test.requests,
            "largest_difference": test.largest_difference if test.passed else str(test.largest_difference),
            "tolerance": test.tolerance,
        },
        "adapters": {"loaded": names, "batches": mixing if names else None},
        "arguments": without_secrets(args),
    }
    # The loaded objects stay alive: exclude them from garbage collection.
    gc.freeze()
    ready = Ready(description, int(config.scheduler_config.max_num_seqs), tuple(warnings), refused)
    return Engine(client, way, mixing, ready)


def _choose(
    client: Client, pool: Sequence[int], length: int, version: str, *, rows: bool, float32: bool
) -> tuple[Way, SelfTest | None, list[str]]:
    """The fastest way that gives the numbers of the plain way, its test, and a warning for each way that does not."""
    warnings: list[str] = []
    if not client.can_label:
        return "plain", None, [f"vLLM {version} has no log-probabilities by token id: {_PLAIN}"]
    ways: list[Way] = ["fast", "labels"] if rows else ["labels"]
    for way in ways:
        test = compare_ways(client, pool, length, way, rows=rows, float32=float32)
        if test.passed:
            return way, test, warnings
        difference = f"vLLM {version} gives other log-probabilities the {way} way (by {test.largest_difference:.2g})"
        warnings.append(f"{difference}: {_PLAIN if way == ways[-1] else _LABELS}")
    return "plain", test, warnings


_PLAIN = "scoring goes the plain way, one whole prompt for each choice, several times slower"
_LABELS = "each token of a choice is asked for on its own, which is slower for long choices"


def _argument_names() -> list[str]:
    from vllm import EngineArgs

    return [field.name for field in dataclasses.fields(EngineArgs)]


def _block(spec: ModelSpec) -> int:
    cache_dtype = str(spec.args.get("kv_cache_dtype") or "auto")
    return smallest_block(spec.dtype, cache_dtype=cache_dtype, alone=_alone(spec))


def _alone(spec: ModelSpec) -> bool:
    """Whether vLLM runs in this process only."""
    if os.environ.get("VLLM_ENABLE_V1_MULTIPROCESSING") != "0":
        return False
    beside = ("tensor_parallel_size", "pipeline_parallel_size", "distributed_executor_backend")
    return all(spec.args.get(name) in (None, 1, "uni") for name in beside)


def _load_adapters(client: Client, adapters: Sequence[Adapter]) -> dict[str, str]:
    refused: dict[str, str] = {}
    for adapter in adapters:
        try:
            client.add_adapter(adapter.name)
        except Exception as error:
            refused[adapter.name] = " ".join(str(error).split())
    return refused


def _thinking(start: Start, tokenizer: Any) -> Thinking | None:
    marker = start.think_end
    if marker is None:
        return None
    if isinstance(marker, int):
        marker = str(tokenizer.decode([marker]))
    eos = tokenizer.eos_token_id
    stop = (str(tokenizer.decode(eos)) if eos is not None else "") or tokenizer.eos_token or ""
    return Thinking(marker, stop, start.think_start, start.think_open)


_TEXT = (
    "The quick brown fox jumps over the lazy dog. Question: which of these numbers is the largest, 12, 7, 345 or 68? "
    "Answer: A river runs from the mountains to the sea; what do we call the place where it ends? "
)


def _ordinary_tokens(tokenizer: Any) -> Sequence[int]:
    ids = list(dict.fromkeys(tokenizer.encode(_TEXT, add_special_tokens=False)))
    return array("i", ids)


def _cache_gib() -> int:
    """An eighth of the free memory, from 1 to 8 GiB."""
    try:
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return 1
    return max(1, min(8, free // 2**33))


def _version(name: str) -> str | None:
    return getattr(sys.modules.get(name), "__version__", None)
