"""Checks whether vLLM can use an adapter."""

from __future__ import annotations

from pathlib import Path

from evalkit.models.adapters import adapter_config, adapter_rank, adapter_targets, tensor_shapes

__all__ = ["refused_by_vllm"]

_PLAIN_INITS = frozenset({"gaussian", "eva", "orthogonal", "mica", "lora_ga"})
"""Initialisations that do not change the base's weights, unlike PiSSA, OLoRA and others."""

_ENDS = frozenset({"lm_head", "embed_tokens", "wte", "embed_in", "embed_out"})
"""A model's first and last layer: for adapters there, vLLM uses separate code, by request and not by token."""


def refused_by_vllm(path: str | Path) -> str | None:
    """Why vLLM would refuse this adapter or apply it wrongly; None if it can use it."""
    config = adapter_config(path)
    if config.get("peft_type", "LORA") != "LORA":
        return f"it is {config['peft_type']}, not LoRA"
    if config.get("use_dora"):
        return "it uses DoRA"
    if modules := config.get("modules_to_save"):
        return f"it trains whole modules ({', '.join(modules)})"
    if config.get("bias", "none") != "none" or config.get("lora_bias"):
        return "it trains biases"
    init = config.get("init_lora_weights", True)
    if isinstance(init, str) and init.lower() not in _PLAIN_INITS:
        return f"its initialisation ({init}) changes the base's weights"
    for field in ("layer_replication", "alora_invocation_tokens", "use_qalora", "use_bdlora"):
        if config.get(field):
            return f"it uses {field}"
    if adapter_rank(path) > 512:
        return f"its rank is {adapter_rank(path)}, over 512"
    if ends := sorted(_ENDS & (adapter_targets(path) or frozenset())):
        return f"it adapts {ends[0]}, where vLLM mixes up prompts and adapters"
    whole = [name for name in tensor_shapes(path) if "lora_" not in name]
    return f"it holds whole weights ({whole[0]})" if whole else None
