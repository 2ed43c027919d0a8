"""Loads peft adapters onto one base, and checks that each has an effect and that the base does not change."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import torch

from evalkit.engines.huggingface.model import Model, one_line
from evalkit.errors import EngineError, UsageError
from evalkit.models.checkpoint import resolve_adapter
from evalkit.types import Adapter, JsonObject

__all__ = ["attach"]

_PROBE_TOKENS = 64
_UNKNOWN = "\0"
"""After loading, peft decides which adapter is active; this value makes the next pass set its own."""
_MERGE = "merge it into the base with peft's merge_and_unload and run the merged folder as --model"


def attach(model: Model, adapters: Sequence[Adapter]) -> None:
    """Load all adapters, and check that each one's logits differ from the base's and that the base's do not change."""
    if not adapters:
        return
    folders = {adapter.name: resolve_adapter(adapter.path) for adapter in adapters}
    if len(folders) < len(adapters):
        raise UsageError("two adapters have the same name: give each its own with --adapter NAME=PATH")
    before = _probe(model, None)
    _grow_vocabulary(model, folders)
    for number, (name, folder) in enumerate(folders.items()):
        _load(model, name, folder, f"adapter_{number}")
    model.net.eval()
    # Loading may have replaced the head by a module with an adapter's weights.
    model.watch_head()
    model.active = _UNKNOWN
    for name in folders:
        changed = _probe(model, name)
        if changed.shape == before.shape and torch.equal(changed, before):
            raise EngineError(
                f"adapter {name} ({folders[name]}) changes nothing: its logits equal the base's. Was it trained on "
                f"another model than {model.checkpoint.path}, or saved before its first step?"
            )
    after = _probe(model, None)
    if not torch.allclose(after, before, rtol=0, atol=1e-5 if model.dtype == torch.float32 else 1e-2, equal_nan=True):
        raise EngineError(
            f"with {', '.join(folders)} loaded, the base is no longer the base (logits differ by "
            f"{(after - before).abs().max().item():.3g}): an adapter replaces the base's "
            f"own embeddings. Instead, {_MERGE}."
        )


def _load(model: Model, name: str, folder: Path, slot: str) -> None:
    from peft import PeftConfig, PeftModel

    try:
        config = PeftConfig.from_pretrained(str(folder))
        if config.is_prompt_learning:
            raise EngineError(
                f"adapter {name} is {config.peft_type}, which prepends learned tokens: the hf engine takes adapters "
                "that change weights (LoRA, DoRA, IA³ …)"
            )
        if model.peft is None:
            model.peft = PeftModel.from_pretrained(model.net, str(folder), adapter_name=slot)
        else:
            model.peft.load_adapter(str(folder), adapter_name=slot)
    except EngineError:
        raise
    except Exception as error:
        raise EngineError(
            f"adapter {name} ({folder}) does not fit {model.checkpoint.path}: {one_line(error)}. If it was trained on "
            f"this model, {_MERGE}."
        ) from error
    model.slots[name] = slot


def _grow_vocabulary(model: Model, folders: dict[str, Path]) -> None:
    """Resize the vocabulary for tokens that adapters added. The base and other adapters do not use those logits."""
    base = model.vocab[None]
    rows = model.net.get_input_embeddings().weight.shape[0]
    wanted = {name: _trained_rows(folder) for name, folder in folders.items()}
    for name in folders:
        model.vocab[name] = wanted[name] or base
    sizes = {size for size in wanted.values() if size is not None}
    if not sizes or sizes == {rows}:
        return
    if len(sizes) > 1:
        listed = ", ".join(f"{name}: {size:,}" for name, size in wanted.items() if size is not None)
        raise EngineError(f"these adapters trained vocabularies of unlike sizes ({listed}): run them one at a time.")
    (size,) = sizes
    if size < rows:
        raise EngineError(
            f"an adapter holds embeddings for {size:,} tokens and the base has {rows:,}: "
            "it was trained on another model."
        )
    model.net.resize_token_embeddings(size, mean_resizing=False)


def _trained_rows(folder: Path) -> int | None:
    """The vocabulary size of the adapter's own embeddings or head; None if it has none."""
    from safetensors import safe_open

    weights = folder / "adapter_model.safetensors"
    config: JsonObject = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    if not weights.is_file() or not config.get("modules_to_save"):
        return None
    with safe_open(weights, "pt") as tensors:
        rows = {
            tensors.get_slice(name).get_shape()[0]
            for name in tensors.keys()  # noqa: SIM118
            if "lora_" not in name and name.endswith(("embed_tokens.weight", "lm_head.weight", "wte.weight"))
        }
    return max(rows) if rows else None


def _probe(model: Model, adapter: str | None) -> torch.Tensor:
    """The logits after each of a few random tokens of the base's vocabulary."""
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(0, model.vocab[None], (1, min(_PROBE_TOKENS, model.window)), generator=generator)
    columns = torch.arange(ids.shape[1], device=model.device)
    with torch.inference_mode():
        return model.forward(ids.to(model.device), (torch.zeros_like(columns), columns), adapter=adapter).float()
