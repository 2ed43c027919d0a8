"""Turns --model-args into engine arguments of the installed vLLM.

lm-eval's names have the same meaning here. Arguments on prompts and answers are left out: the tokenizer uses them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from evalkit.errors import UsageError, nearest
from evalkit.types import Arguments, ModelSpec

__all__ = ["ELSEWHERE", "engine_arguments", "typed_names", "without_secrets"]

ELSEWHERE = frozenset(
    {
        "add_bos_token",
        "batch_size",
        "chat_template_args",
        "device",
        "enable_thinking",
        "max_gen_toks",
        "prefix_token_id",
        "swap_space",
        "think_end_token",
        "think_open",
        "think_start_token",
        "truncation_side",
    }
)
"""lm-eval's model arguments without a corresponding engine argument."""

_OTHER_NAMES = {"max_length": "max_model_len", "max_batch_size": "max_num_seqs"}

_INSTEAD = {
    "pretrained": "--model",
    "model": "--model",
    "lora_local_path": "--adapter NAME=PATH",
    "enable_lora": "--adapter NAME=PATH",
    "peft": "--adapter NAME=PATH",
}

_LORA_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
"""The ranks for which vLLM has kernels; an adapter of another rank uses the next larger one."""


def engine_arguments(
    spec: ModelSpec,
    known: Sequence[str],
    *,
    block_size: int | None = None,
    adapter_ranks: Sequence[int] = (),
    adapter_targets: Sequence[str] | None = None,
) -> dict[str, object]:
    """The arguments to start vLLM with.

    `known`: the installed version's argument names. `block_size`: used if vLLM's default is too large for sharing
    prefixes.
    """
    args: dict[str, object] = {}
    for typed, value in spec.args.items():
        name = typed.replace("-", "_")
        if name in ELSEWHERE:
            continue
        if name in _INSTEAD:
            raise UsageError(f"--model-args {typed}: say it with {_INSTEAD[name]}")
        name = _OTHER_NAMES.get(name, name)
        if name not in known:
            raise UsageError(f"vLLM has no engine argument {typed!r}{nearest(typed, known)} (--model-args)")
        if name in args:
            raise UsageError(f"--model-args gives {name} twice, as {typed} and by another name")
        args[name] = _parsed(typed, value)
    mode = str(args.get("logprobs_mode"))
    if mode.endswith("_logits"):
        raise UsageError(f"--model-args logprobs_mode={mode}: scores are log-probabilities; leave it out")
    if args.get("data_parallel_size") not in (None, 1):
        raise UsageError(
            "--model-args data_parallel_size: one engine runs one replica; "
            "use tensor_parallel_size, or one evalkit run for each replica"
        )
    defaults: dict[str, object] = {
        "model": spec.source,
        "tokenizer": spec.tokenizer,
        "revision": spec.revision,
        "tokenizer_revision": None if spec.tokenizer else spec.revision,
        "dtype": spec.dtype,
        "trust_remote_code": spec.trust_remote_code,
        "enable_prefix_caching": True,
        "seed": 1234,
    }
    if block_size is not None:
        defaults["block_size"] = block_size
    if adapter_ranks:
        defaults |= {
            "enable_lora": True,
            "max_loras": len(adapter_ranks),
            "max_cpu_loras": len(adapter_ranks),
            "max_lora_rank": next((r for r in _LORA_RANKS if r >= max(adapter_ranks)), max(adapter_ranks)),
        }
        if adapter_targets and "lora_target_modules" in known:
            # Without this, vLLM prepares the output layer for adapters too, and a prompt's rows may use the adapter
            # of another request there.
            defaults["lora_target_modules"] = list(adapter_targets)
    return defaults | args


def typed_names(spec: ModelSpec) -> frozenset[str]:
    """vLLM's names of the arguments that the user typed."""
    names = {typed.replace("-", "_") for typed in spec.args}
    beside = {"dtype"} if spec.dtype != "auto" else set()
    return frozenset({_OTHER_NAMES.get(name, name) for name in names} | beside)


def _parsed(name: str, value: Any) -> Any:
    if not isinstance(value, str) or not value.startswith(("{", "[")):
        return value
    try:
        return json.loads(value)
    except ValueError as error:
        raise UsageError(f"--model-args {name}: not JSON ({error})") from error


def without_secrets(args: Arguments) -> dict[str, object]:
    """The arguments for the manifest, as JSON values and without tokens, keys and passwords."""
    plain: dict[str, object] = {}
    for name, value in args.items():
        if any(word in name for word in ("token", "key", "secret", "password")) and name not in _NOT_SECRET:
            plain[name] = "(hidden)" if value else value
        else:
            plain[name] = value if isinstance(value, str | int | float | bool | None) else repr(value)
    return plain


_NOT_SECRET = frozenset({"max_num_batched_tokens", "tokenizer", "tokenizer_mode", "tokenizer_revision"})
