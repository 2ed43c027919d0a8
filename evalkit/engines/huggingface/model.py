"""The loaded model: a forward pass with logits only where they are needed, and adapters by name."""

from __future__ import annotations

import contextlib
import inspect as introspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForCausalLM
from transformers.cache_utils import Cache

from evalkit.engines.huggingface.device import find_device
from evalkit.engines.huggingface.options import Options
from evalkit.errors import CheckpointError, EngineError, UsageError
from evalkit.models.checkpoint import Checkpoint
from evalkit.models.weights import refuse_differences
from evalkit.types import Arguments, ModelSpec

__all__ = ["Model", "is_out_of_memory", "one_line"]

_DTYPES = {
    "float32": torch.float32, "fp32": torch.float32, "float": torch.float32,
    "bfloat16": torch.bfloat16, "bf16": torch.bfloat16,
    "float16": torch.float16, "fp16": torch.float16, "half": torch.float16,
}  # fmt: skip


@dataclass(slots=True)
class _Wanted:
    """The positions whose logits the current pass computes, and whether the head has selected them already."""

    at: tuple[torch.Tensor, torch.Tensor] | None = None
    taken: bool = False


@dataclass(slots=True)
class Model:
    """A loaded model with its adapters."""

    net: Any
    checkpoint: Checkpoint
    window: int
    device: torch.device
    dtype: torch.dtype
    eos_ids: tuple[int, ...]
    vocab: dict[str | None, int]
    """The vocabulary size of the base (None) and of each adapter; adapters may have added tokens."""
    peft: Any = None
    slots: dict[str, str] = field(default_factory=dict)
    """Maps an adapter's name to its name in peft."""
    active: str | None = None
    _wanted: _Wanted = field(default_factory=_Wanted)
    _hook: Any = None

    @classmethod
    def load(cls, spec: ModelSpec, checkpoint: Checkpoint, options: Options) -> Model:
        if checkpoint.encoder_decoder:
            raise UsageError(
                f"{spec.typed} is an encoder-decoder ({checkpoint.model_type}): evalkit runs decoder-only models."
            )
        if checkpoint.remote_code and not spec.trust_remote_code:
            raise UsageError(
                f"{spec.typed} brings Python code of its own, which is not run unasked: read it, then add "
                "--model-args trust_remote_code=True"
            )
        device = find_device(options.device)
        return cls.around(_load_net(spec, checkpoint, options, device), checkpoint, options)

    @classmethod
    def around(cls, net: Any, checkpoint: Checkpoint, options: Options) -> Model:
        """A model that is loaded already, put into evaluation mode."""
        net.eval()
        model = cls(
            net=net,
            checkpoint=checkpoint,
            window=options.max_length or checkpoint.max_length,
            device=net.get_input_embeddings().weight.device,
            dtype=net.dtype,
            eos_ids=_eos_ids(net),
            vocab={None: checkpoint.vocab_size or net.get_input_embeddings().weight.shape[0]},
        )
        model.watch_head()
        return model

    # ── the pass ─────────────────────────────────────────────────────────────

    def watch_head(self) -> None:
        """Pass only the needed positions to the head. Steps of the model after the head still apply to the logits."""
        if self._hook is not None:
            self._hook.remove()
        head = self.net.get_output_embeddings()
        if head is None:
            return

        def narrow(_: Any, args: tuple[Any, ...]) -> tuple[Any, ...] | None:
            if self._wanted.at is None or self._wanted.taken or not args or args[0].dim() != 3:
                return None
            self._wanted.taken = True
            return (_picked(args[0], self._wanted.at).unsqueeze(0), *args[1:])

        self._hook = head.register_forward_pre_hook(narrow)

    def forward(
        self,
        ids: torch.Tensor,
        at: tuple[torch.Tensor, torch.Tensor],
        *,
        adapter: str | None = None,
        positions: torch.Tensor | None = None,
        cache: Cache | None = None,
        mask: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Run the model; returns the logits [positions, vocabulary] at the (rows, columns) of `at`."""
        self.use(adapter)
        arguments: dict[str, object] = {"input_ids": ids, "use_cache": cache is not None}
        if positions is not None:
            arguments["position_ids"] = positions
        if cache is not None:
            arguments["past_key_values"] = cache
        if mask is not None:
            arguments["attention_mask"] = mask
        self._wanted.at, self._wanted.taken = at, False
        try:
            logits = self.net(**arguments).logits
            logits = logits[0] if self._wanted.taken else _picked(logits, at)
        finally:
            self._wanted.at = None
        return logits[:, : self.vocab[adapter]]

    @property
    def takes_positions(self) -> bool:
        return "position_ids" in introspect.signature(self.net.forward).parameters

    # ── adapters ─────────────────────────────────────────────────────────────

    def use(self, adapter: str | None) -> None:
        """Activate an adapter, or the base if None."""
        if adapter == self.active:
            return
        if adapter is None:
            self.peft.base_model.disable_adapter_layers()
        else:
            self.peft.base_model.enable_adapter_layers()
            self.peft.set_adapter(self.slots[adapter])
        self.active = adapter

    # ── what it is ───────────────────────────────────────────────────────────

    @property
    def attention(self) -> str:
        return str(getattr(self.net.config, "_attn_implementation", "unknown"))

    @property
    def generation_defaults(self) -> Arguments:
        config = getattr(self.net, "generation_config", None)
        return config.to_dict() if config is not None else {}

    def tensor(self, values: Sequence[int] | np.ndarray[Any, Any]) -> torch.Tensor:
        return torch.as_tensor(np.asarray(values, dtype=np.int64)).to(self.device)

    def free_bytes(self) -> int:
        """The free memory of the device."""
        if self.device.type == "cuda":
            free, _ = torch.cuda.mem_get_info(self.device)
            held = torch.cuda.memory_reserved(self.device) - torch.cuda.memory_allocated(self.device)
            return int(free + held)
        return _available_memory()

    def close(self) -> None:
        if self._hook is not None:
            self._hook.remove()  # the model may go on living with whoever loaded it
            self._hook = None
        self.net = self.peft = None
        if self.device.type == "cuda":
            torch.cuda.empty_cache()


def _picked(states: torch.Tensor, at: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    """The states at these positions. The last layer may be on another device than the first."""
    return states[at[0].to(states.device), at[1].to(states.device)]


def is_out_of_memory(error: BaseException) -> bool:
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and (
        "not enough memory" in str(error) or "can't allocate memory" in str(error) or "out of memory" in str(error)
    )


def one_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0][:300]}" if lines else type(error).__name__


# ── loading ──────────────────────────────────────────────────────────────────


def _load_net(spec: ModelSpec, checkpoint: Checkpoint, options: Options, device: torch.device) -> Any:
    arguments = dict(options.loading)
    arguments["dtype"] = _dtype(options.dtype or spec.dtype)
    quantize = {name: arguments.pop(name) for name in list(arguments) if name.startswith(("load_in_", "bnb_"))}
    if quantize:
        from transformers import BitsAndBytesConfig

        arguments["quantization_config"] = BitsAndBytesConfig(**quantize)
    if options.parallelize:
        arguments.setdefault("device_map", "auto")
    try:
        with _no_bars():
            net, info = AutoModelForCausalLM.from_pretrained(
                checkpoint.path,
                trust_remote_code=spec.trust_remote_code,
                local_files_only=True,
                output_loading_info=True,
                **arguments,
            )
        quantized = checkpoint.quantization is not None or bool(quantize)
        # Quantized checkpoints have additional tensors.
        refuse_differences(spec.typed, info["missing_keys"], () if quantized else info["unexpected_keys"])
        return net if quantized or "device_map" in arguments else net.to(device)
    except CheckpointError:
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise EngineError(
                f"{spec.typed} does not fit on {device} ({checkpoint.weight_bytes / 2**30:.1f} GiB of weights): "
                "type dtype=bfloat16, load_in_4bit=True or parallelize=True among --model-args"
            ) from error
        raise EngineError(f"transformers cannot load {spec.typed}: {one_line(error)}") from error


@contextlib.contextmanager
def _no_bars() -> Iterator[None]:
    """Hide the progress bars of transformers, which would disturb those of the run."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def _dtype(name: str) -> Any:
    if name == "auto":
        return "auto"
    plain = name.removeprefix("torch.")
    if plain not in _DTYPES:
        raise UsageError(f"no dtype {name!r}: type auto, float32, bfloat16 or float16")
    return _DTYPES[plain]


def _eos_ids(net: Any) -> tuple[int, ...]:
    for config in (getattr(net, "generation_config", None), net.config):
        ids = getattr(config, "eos_token_id", None)
        if ids is not None:
            return tuple(ids) if isinstance(ids, (list, tuple)) else (int(ids),)
    return ()


def _available_memory() -> int:
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:  # noqa: PTH123
            for line in lines:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 4 << 30
