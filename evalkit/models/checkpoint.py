"""Finds a model's files, checks that they are complete, and reads what they contain.

    resolve          returns the local folder of a path or hub id, with all its files
    resolve_adapter  does the same for a peft adapter
    inspect          reads architecture, window, parameters, quantization and size from the folder

Missing files are reported at once: frameworks take a minute to fail, with less clear messages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

from evalkit.errors import CheckpointError, EvalkitError
from evalkit.models.adaptersettings import check_adapter_settings
from evalkit.models.files import read_json, refuse_pointer
from evalkit.models.fingerprint import fingerprint, fingerprint_adapter
from evalkit.models.header import read_header
from evalkit.models.location import AGAIN, locate
from evalkit.models.sizes import check_sizes
from evalkit.models.window import context_window, text_config
from evalkit.types import ModelSpec

__all__ = [
    "Checkpoint",
    "describe_loaded",
    "fingerprint",
    "fingerprint_adapter",
    "first_few",
    "inspect",
    "resolve",
    "resolve_adapter",
    "weight_files",
]

_TOKENIZERS = (
    "tokenizer.json", "tokenizer.model", "spiece.model", "sentencepiece.bpe.model", "vocab.json", "vocab.txt",
    "tekken.json", "tiktoken.model",
)  # fmt: skip
_INDEX = "model.safetensors.index.json"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Facts on a checkpoint, from its configuration and the headers of its weights."""

    path: Path
    architecture: str | None
    model_type: str
    max_length: int
    """The context window by lm-eval's rule: from the (text) config, else from the tokenizer, else 2,048."""
    vocab_size: int | None
    dtype: str | None
    parameters: int | None
    """The number of parameters in the safetensors headers; None for quantized weights or other formats."""
    weight_bytes: int
    quantization: str | None
    sliding_window: int | None
    encoder_decoder: bool
    remote_code: bool
    """Whether the folder contains Python code, which runs only with --trust-remote-code."""
    kv_bytes_per_token: int | None
    """The KV cache's bytes for one token, with two bytes per number; None if the config does not say."""


def resolve(source: ModelSpec | str, revision: str | None = None) -> Path:
    """The local folder of a model, checked for missing, truncated and incomplete files."""
    spec = source if isinstance(source, ModelSpec) else ModelSpec(typed=source, source=source, revision=revision)
    folder, from_hub = locate(spec.source, spec.revision, "model")
    try:
        _check_model(folder, needs_tokenizer=spec.tokenizer is None)
    except CheckpointError as error:
        if from_hub:
            raise CheckpointError(f"{error} The download of {spec.source} looks half done: {AGAIN}") from None
        raise
    return folder


def resolve_adapter(source: str, revision: str | None = None) -> Path:
    """The local folder of a peft adapter."""
    folder, _ = locate(source, revision, "adapter")
    if not (folder / "adapter_config.json").is_file():
        if (folder / "config.json").is_file():
            raise CheckpointError(f"{folder} is a whole model, no adapter: give it as --model {source}.")
        raise CheckpointError(f"{folder} has no adapter_config.json: that is no peft adapter.")
    check_adapter_settings(read_json(folder / "adapter_config.json"), folder / "adapter_config.json")
    weights = folder / "adapter_model.safetensors"
    if weights.is_file():
        read_header(weights)
    elif not (folder / "adapter_model.bin").is_file():
        raise CheckpointError(f"{folder} has no adapter_model.safetensors: the adapter's weights are missing.")
    return folder


def inspect(path: Path, *, trust_remote_code: bool = False) -> Checkpoint:
    """Read a checkpoint's config and headers; no weights are loaded."""
    raw = read_json(path / "config.json")
    config = _config(path, trust_remote_code)
    parameters, weight_bytes = _count(path)
    quantization = raw.get("quantization_config")
    method = (quantization.get("quant_method") or "unknown") if isinstance(quantization, dict) else None
    architectures = raw.get("architectures") or [None]
    dtype = raw.get("dtype") or raw.get("torch_dtype") or (raw.get("text_config") or {}).get("dtype")
    return Checkpoint(
        path=path,
        architecture=architectures[0],
        model_type=str(raw.get("model_type", "unknown")),
        dtype=dtype,
        parameters=None if method else parameters,
        weight_bytes=weight_bytes,
        quantization=method,
        remote_code=bool(raw.get("auto_map")),
        **_of_config(config, _tokenizer_length(path)),
    )


def describe_loaded(net: Any, tokenizer_length: Any = None) -> Checkpoint:
    """What `inspect` says of a folder, of a transformers model that is in memory. It has no path."""
    config = net.config
    quantization = getattr(config, "quantization_config", None)
    tensors = list(net.parameters())
    return Checkpoint(
        path=Path(),
        architecture=type(net).__name__,
        model_type=str(getattr(config, "model_type", "unknown")),
        dtype=str(net.dtype).removeprefix("torch."),
        parameters=None if quantization else sum(tensor.numel() for tensor in tensors),
        weight_bytes=sum(tensor.numel() * tensor.element_size() for tensor in tensors),
        quantization=str(getattr(quantization, "quant_method", "unknown")) if quantization else None,
        remote_code=False,
        **_of_config(config, tokenizer_length),
    )


class _ConfigFacts(TypedDict):
    max_length: int
    vocab_size: int | None
    sliding_window: int | None
    encoder_decoder: bool
    kv_bytes_per_token: int | None


def _of_config(config: Any, tokenizer_length: Any) -> _ConfigFacts:
    """The facts that a configuration holds, wherever the weights are."""
    text = text_config(config)
    return {
        "max_length": context_window(text, tokenizer_length),
        "vocab_size": getattr(text, "vocab_size", None),
        "sliding_window": _sliding_window(text),
        "encoder_decoder": bool(getattr(config, "is_encoder_decoder", False)),
        "kv_bytes_per_token": _kv_bytes(text),
    }


# ── checking ─────────────────────────────────────────────────────────────────


def _check_model(folder: Path, *, needs_tokenizer: bool) -> None:
    if not (folder / "config.json").is_file():
        if (folder / "adapter_config.json").is_file():
            base = read_json(folder / "adapter_config.json").get("base_model_name_or_path") or "BASE"
            raise CheckpointError(f"{folder} is an adapter: type --model {base} --adapter {folder}")
        raise CheckpointError(
            f"{folder} has no config.json: that is no whole model folder; copy or download it again, or name another."
        )
    check_sizes(read_json(folder / "config.json"), folder / "config.json")
    _check_weights(folder)
    tokenizers = [folder / name for name in _TOKENIZERS if (folder / name).is_file()]
    if needs_tokenizer and not tokenizers:
        raise CheckpointError(
            f"{folder} has no tokenizer (none of tokenizer.json, tokenizer.model, vocab.json, …): copy the base "
            "model's beside the weights, or name one with --model-args tokenizer=PATH."
        )
    for file in tokenizers:
        refuse_pointer(file)


def _check_weights(folder: Path) -> None:
    """Check by the headers that each file is complete and that together they have the tensors of the index."""
    files = weight_files(folder)
    indexed = (folder / _INDEX).is_file()
    tensors: set[str] = set()
    for file in files:
        if file.suffix != ".safetensors":
            refuse_pointer(file)
            return
        names = read_header(file).keys()
        if not indexed and (twice := sorted(tensors & names)):
            raise CheckpointError(
                f"{folder}: {len(twice)} tensors stand in two files ({first_few(twice)}), and no {_INDEX} says which "
                "counts: leave one of each."
            )
        tensors |= names
    if not tensors:
        raise CheckpointError(f"{folder} holds no tensor, so there is no model in it: copy or download it again.")
    listed = _listed(folder, files)
    if missing := sorted(listed - tensors):
        raise CheckpointError(
            f"{folder}: {len(missing)} of the {len(listed)} tensors that its index lists are in none of the shards "
            f"({first_few(missing)}): it is half saved or half downloaded; copy or download it again."
        )


def _listed(folder: Path, files: list[Path]) -> set[str]:
    """The tensors in the index of these shards; empty if there is no index."""
    index = folder / _INDEX
    if [file.name for file in files] == ["model.safetensors"] or not index.is_file():
        return set()
    return set(read_json(index)["weight_map"])


def first_few(names: Sequence[str], most: int = 3) -> str:
    """The first names, and how many more there are, for a message."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def weight_files(folder: Path) -> list[Path]:
    """The files with the model's weights, chosen as transformers does; without its names, every *.safetensors."""
    for index, single in (
        (_INDEX, "model.safetensors"),
        ("pytorch_model.bin.index.json", "pytorch_model.bin"),
    ):
        # If there is a single file beside an index, transformers loads the single file.
        if (folder / single).is_file():
            return [folder / single]
        if (folder / index).is_file():
            return _shards(folder, index)
    others = sorted(folder.glob("*.safetensors"))
    if others:
        return others
    if any(folder.glob("*.gguf")):
        return sorted(folder.glob("*.gguf"))
    raise CheckpointError(f"{folder} has no weights: no model.safetensors, no index of shards, no pytorch_model.bin.")


def _shards(folder: Path, index: str) -> list[Path]:
    listed = read_json(folder / index).get("weight_map")
    if not isinstance(listed, dict) or not listed:
        raise CheckpointError(f"{folder / index} lists no weights: save or download the model again.")
    names = sorted({str(name) for name in listed.values()})
    if outside := [name for name in names if Path(name).name != name]:
        raise CheckpointError(f"{folder / index} names a shard outside of its folder ({outside[0]!r:.80}).")
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        shown = first_few(missing, 5)
        verb = "is" if len(missing) == 1 else "are"
        raise CheckpointError(
            f"{folder}: {index} names {len(names)} shards, {len(missing)} of them {verb} missing: {shown}; "
            "copy or download the folder again."
        )
    return [folder / name for name in names]


# ── reading ──────────────────────────────────────────────────────────────────


def _config(path: Path, trust_remote_code: bool) -> Any:
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(path, trust_remote_code=trust_remote_code, local_files_only=True)
    except EvalkitError:
        raise
    except Exception as error:
        line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise CheckpointError(f"{path}/config.json cannot be used: {line}") from None


def _tokenizer_length(path: Path) -> Any:
    settings = path / "tokenizer_config.json"
    return read_json(settings).get("model_max_length") if settings.is_file() else None


def _sliding_window(text: Any) -> int | None:
    """The sliding window of a layer, under any of the names that configs use; None if there is none."""
    if getattr(text, "use_sliding_window", True) and isinstance(getattr(text, "sliding_window", None), int):
        return int(text.sliding_window)
    if "local" in (getattr(text, "attention_layers", None) or ()):
        return int(text.window_size)
    chunk = getattr(text, "attention_chunk_size", None)
    return int(chunk) if isinstance(chunk, int) else None


def _count(path: Path) -> tuple[int | None, int]:
    files = weight_files(path)
    weight_bytes = sum(file.stat().st_size for file in files)
    if any(file.suffix != ".safetensors" for file in files):
        return None, weight_bytes
    parameters = 0
    for file in files:
        parameters += sum(tensor.size for tensor in read_header(file).values())
    return parameters, weight_bytes


def _kv_bytes(text: Any) -> int | None:
    layers = getattr(text, "num_hidden_layers", None)
    heads = getattr(text, "num_attention_heads", None)
    hidden = getattr(text, "hidden_size", None)
    if not (isinstance(layers, int) and isinstance(heads, int) and isinstance(hidden, int) and heads):
        return None
    kv_heads = getattr(text, "num_key_value_heads", None) or heads
    head = getattr(text, "head_dim", None) or hidden // heads
    return int(2 * layers * kv_heads * head * 2)
