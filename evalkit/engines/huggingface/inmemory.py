"""A transformers model that is in memory already, as a training script has it: evaluated as it is, without a copy."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from evalkit.engines.base import Engine, EngineModel, EngineTokenizer
from evalkit.engines.huggingface.engine import assemble
from evalkit.engines.huggingface.model import Model
from evalkit.engines.huggingface.options import Options
from evalkit.engines.huggingface.spec import SPEC
from evalkit.errors import UsageError
from evalkit.models import checkpoint
from evalkit.models.found import Model as FoundModel
from evalkit.tokens import Tokenizer
from evalkit.types import Arguments, ModelSpec

__all__ = ["fingerprint_loaded", "label_of", "opened"]

_CHUNK = 1 << 24
"""Numbers that are hashed at once: a copy of a whole tensor may not fit beside the model."""
_NOISE = ("_name_or_path", "transformers_version", "base_model_name_or_path", "inference_mode", "peft_version")


def label_of(given: Any) -> str:
    """What a model in memory is called in results: its origin and that it may have been changed since."""
    config = getattr(given, "config", None)
    origin = str(getattr(config, "_name_or_path", "") or type(_plain(given)).__name__)
    return f"{origin.rstrip('/').rpartition('/')[2]}-in-memory"


@contextmanager
def opened(
    given: Any, tokenizer: Any, arguments: Arguments, batch_size: str = "auto"
) -> Iterator[tuple[EngineModel, EngineTokenizer, Engine]]:
    """The model, its tokenizer and an engine around it. Afterwards the model is in the mode that it was in before."""
    net = _plain(given)
    facts = checkpoint.describe_loaded(net, getattr(tokenizer, "model_max_length", None))
    if facts.encoder_decoder:
        raise UsageError(f"{facts.architecture} is an encoder-decoder: evalkit runs decoder-only models")
    options = Options.of({**arguments, "batch_size": batch_size})
    if options.loading or options.dtype or options.device or options.parallelize:
        raise UsageError("a model in memory is evaluated where and as it is: leave out --device and what loading takes")
    window = options.max_length or facts.max_length
    label = label_of(given)
    model = FoundModel(
        spec=ModelSpec(label, label, dtype=str(facts.dtype), args=dict(arguments)),
        hub_id=None,
        facts=facts,
        fingerprint=fingerprint_loaded(given, tokenizer),
        entry=None,
        pace_arguments=SPEC.pace_arguments,
    )
    with _as_before(net), _without_autocast(net):
        engine = assemble(Model.around(net, facts, options), tokenizer, options)
        try:
            yield model, Tokenizer(tokenizer, max_length=window), engine
        finally:
            engine.close()


def fingerprint_loaded(given: Any, tokenizer: Any) -> str:
    """32 hex digits over weights, configuration, active adapters and vocabulary: all that can change an answer."""
    net = _plain(given)
    digest = hashlib.blake2b(digest_size=16)
    for name, tensor in sorted(net.state_dict().items()):
        digest.update(f"{name}\0{tensor.dtype}\0{tuple(tensor.shape)}\n".encode())
        flat = tensor.detach().contiguous().view(-1)
        for start in range(0, flat.numel(), _CHUNK):
            part = flat[start : start + _CHUNK].cpu()
            digest.update(part.view(torch.uint8).numpy().tobytes() if part.numel() else b"")
    for content in (net.config, getattr(net, "generation_config", None)):
        digest.update(_canonical(content).encode())
    for name, config in sorted(getattr(given, "peft_config", {}).items()):
        active = name in _active_adapters(given)
        digest.update(f"{name}\0{active}\0{_canonical(config)}\n".encode())
    backend = getattr(tokenizer, "backend_tokenizer", None)
    vocabulary = backend.to_str() if backend is not None else json.dumps(sorted(tokenizer.get_vocab().items()))
    digest.update(vocabulary.encode())
    return digest.hexdigest()


def _plain(given: Any) -> Any:
    """The transformers model itself. Inside a peft wrapper it has the adapter's layers in place, active as they are."""
    net = given
    if hasattr(given, "peft_config") and hasattr(given, "get_base_model"):
        if any(getattr(config, "is_prompt_learning", False) for config in given.peft_config.values()):
            raise UsageError(
                "prompts that were learned stand outside of the model: only adapters in layers are evaluated"
            )
        net = given.get_base_model()
    if not all(hasattr(net, name) for name in ("config", "get_output_embeddings", "generate", "state_dict")):
        raise UsageError(
            f"a model's name is wanted, or a transformers model for text such as AutoModelForCausalLM gives;"
            f" this is {type(given).__name__}"
        )
    return net


def _active_adapters(given: Any) -> tuple[str, ...]:
    active: Any = getattr(given, "active_adapters", None) or getattr(given, "active_adapter", None) or ()
    return (active,) if isinstance(active, str) else tuple(active)


def _canonical(content: Any) -> str:
    """A configuration as text, without what tells nothing of the model."""
    if content is None:
        return ""
    entries = {key: value for key, value in content.to_dict().items() if key not in _NOISE}
    return json.dumps(
        entries, sort_keys=True, default=lambda value: sorted(value) if isinstance(value, set) else str(value)
    )


@contextmanager
def _without_autocast(net: Any) -> Iterator[None]:
    """The model's own pass. accelerate wraps that of a model which it trains in bf16 or fp16 into autocast; whoever
    loads the saved checkpoint has the weights' own precision."""
    own = vars(net).get("_original_forward")
    if own is None:
        yield
        return
    wrapped = net.forward
    net.forward = own
    try:
        yield
    finally:
        net.forward = wrapped


@contextmanager
def _as_before(net: Any) -> Iterator[None]:
    """Training mode of each module and the random state, put back: training goes on as if nothing had been asked."""
    modes = [(module, module.training) for module in net.modules()]
    python, numpy, cpu = random.getstate(), np.random.get_state(), torch.get_rng_state()
    gpus = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
        random.setstate(python)
        np.random.set_state(numpy)
        torch.set_rng_state(cpu)
        if gpus:
            torch.cuda.set_rng_state_all(gpus)
