"""Checks the transformers engine's --model-args, which have lm-eval's names if lm-eval has such an option."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Literal

from evalkit.errors import UsageError, nearest
from evalkit.types import Arguments

__all__ = ["Options"]

_ALIASES = {"torch_dtype": "dtype", "window": "max_length", "max_model_len": "max_length"}

_ELSEWHERE = frozenset(
    """
    pretrained revision tokenizer trust_remote_code use_fast_tokenizer add_bos_token prefix_token_id
    enable_thinking chat_template_args max_gen_toks truncation backend logits_cache
    """.split()  # noqa: SIM905
)
"""Arguments that other parts of evalkit read, or lm-eval's options without an effect here."""

_LOADING = frozenset(
    """
    attn_implementation device_map max_memory offload_folder low_cpu_mem_usage variant
    use_safetensors load_in_8bit load_in_4bit bnb_4bit_compute_dtype bnb_4bit_quant_type
    bnb_4bit_use_double_quant
    """.split()  # noqa: SIM905
)
"""Arguments passed to from_pretrained."""

_REFUSED = {
    "peft": "give the adapter as --adapter PATH",
    "delta": "merge the delta weights into the base first and give the merged folder as --model",
    "autogptq": "a GPTQ checkpoint says so in its config.json and loads without this",
    "gptqmodel": "a GPTQ checkpoint says so in its config.json and loads without this",
    "tp_plan": "use parallelize=True, or the vllm engine with tensor_parallel_size=N",
    "subfolder": "give the folder itself as --model PATH/SUBFOLDER",
    "gguf_file": "convert it to safetensors first",
}


@dataclass(frozen=True, slots=True)
class Options:
    """The options of the engine."""

    device: str | None = None
    """None: the first GPU if there is one, else the CPU."""
    dtype: str | None = None
    batch_size: int | None = None
    """The most rows in one batch. None: as many as fit into memory."""
    max_batch_size: int | None = None
    """lm-eval's name for the same cap."""
    max_length: int | None = None
    softmax_dtype: str | None = None
    """Accepted because lm-eval has it, but without effect: log-probabilities are always computed in float32."""
    think_end_token: str | int | None = None
    think_start_token: str | None = None
    think_open: bool = True
    """Whether prompts end inside a thought."""
    parallelize: bool = False
    """Spread the layers over all GPUs."""
    max_batch_tokens: int | None = None
    """The most tokens in one forward pass, padding included."""
    scoring_path: Literal["packed", "prefix", "plain"] | None = None
    """The path to use, for comparisons. None: the fastest path that passes the self-test."""
    loading: Arguments = field(default_factory=dict)

    @classmethod
    def of(cls, given: Arguments, config_fields: frozenset[str] = frozenset()) -> Options:
        """Check names and types. `config_fields`: fields of the model's config, which from_pretrained accepts too."""
        fields = {f.name for f in dataclasses.fields(cls)} - {"loading"}
        values: dict[str, Any] = {}
        loading: dict[str, object] = {}
        for asked, value in given.items():
            name = _ALIASES.get(asked, asked)
            if name in _REFUSED:
                raise UsageError(f"the hf engine does not take {asked}: {_REFUSED[name]}")
            if name in fields:
                values[name] = value
            elif name in _LOADING or name in config_fields:
                loading[name] = value
            elif name not in _ELSEWHERE:
                names = fields | _LOADING | _ELSEWHERE | config_fields
                raise UsageError(f"the hf engine has no option {asked!r}{nearest(asked, names)}")
        for name in ("batch_size", "max_batch_size", "max_length", "max_batch_tokens"):
            values[name] = _count(name, values.get(name))
        caps = [cap for cap in (values["batch_size"], values["max_batch_size"]) if cap is not None]
        values["batch_size"] = min(caps, default=None)
        marker = values.get("think_end_token")
        if isinstance(marker, str) and marker.lstrip("-").isdigit():
            values["think_end_token"] = int(marker)
        values["think_open"] = _flag("think_open", values.get("think_open", True))
        values["parallelize"] = _flag("parallelize", values.get("parallelize", False))
        if values.get("scoring_path") not in {None, "packed", "prefix", "plain"}:
            raise UsageError(f"scoring_path is packed, prefix or plain, not {values['scoring_path']!r}")
        return cls(**values, loading=loading)


def _count(name: str, value: Any) -> int | None:
    if value is None or (isinstance(value, str) and (value == "auto" or value.startswith("auto:"))):
        return None
    try:
        number = int(value)
    except (TypeError, ValueError):
        number = 0
    if number < 1 or isinstance(value, bool):
        raise UsageError(f"{name} is a number of at least 1 or auto, not {value!r}")
    return number


def _flag(name: str, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if str(value).lower() in {"true", "1", "yes"}:
        return True
    if str(value).lower() in {"false", "0", "no", "none"}:
        return False
    raise UsageError(f"{name} is True or False, not {value!r}")
