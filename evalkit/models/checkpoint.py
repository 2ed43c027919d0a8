"""Where a model's files are, whether they are whole, and what they hold.

    resolve          a path or hub id → a local folder whose files are all there
    resolve_adapter  the same for a peft adapter
    inspect          what the folder holds: architecture, window, parameters, quantization, bytes
    memory_needed    what it takes to load and run it

Whatever is missing is said before a framework spends a minute to say it worse.
"""

from __future__ import annotations

import json
import math
import os
import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalkit.errors import CheckpointError, EvalkitError, UnknownModel, nearest
from evalkit.models.fingerprint import fingerprint, fingerprint_adapter
from evalkit.types import ModelSpec

__all__ = [
    "Checkpoint",
    "fingerprint",
    "fingerprint_adapter",
    "inspect",
    "memory_needed",
    "resolve",
    "resolve_adapter",
]

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
_TOKENIZERS = (
    "tokenizer.json", "tokenizer.model", "spiece.model", "sentencepiece.bpe.model", "vocab.json", "vocab.txt",
    "tekken.json", "tiktoken.model",
)  # fmt: skip
_LFS = b"version https://git-lfs"
_DEFAULT_WINDOW = 2048


@dataclass(frozen=True, slots=True)
class Checkpoint:
    path: Path
    architecture: str | None
    model_type: str
    max_length: int
    """The window as lm-eval reads it: from the (text) config, else the tokenizer's, else 2,048."""
    vocab_size: int | None
    dtype: str | None
    parameters: int | None
    """Counted in the safetensors' headers; None where weights are quantized or not safetensors."""
    weight_bytes: int
    quantization: str | None
    sliding_window: int | None
    encoder_decoder: bool
    remote_code: bool
    """The folder brings Python code of its own, which runs only when it is asked for."""
    kv_bytes_per_token: int | None
    """For one token of context at two bytes a number; None where the config does not say."""


def resolve(source: ModelSpec | str, revision: str | None = None) -> Path:
    """The local folder of a model, checked for missing, truncated and half-downloaded files."""
    spec = source if isinstance(source, ModelSpec) else ModelSpec(typed=source, source=source, revision=revision)
    folder, from_hub = _locate(spec.source, spec.revision, "model")
    try:
        _check_model(folder, needs_tokenizer=spec.tokenizer is None)
    except CheckpointError as error:
        if from_hub:
            raise CheckpointError(f"{error} The download of {spec.source} looks half done: {_AGAIN}") from None
        raise
    return folder


def resolve_adapter(source: str, revision: str | None = None) -> Path:
    """The local folder of a peft adapter."""
    folder, _ = _locate(source, revision, "adapter")
    if not (folder / "adapter_config.json").is_file():
        if (folder / "config.json").is_file():
            raise CheckpointError(f"{folder} is a whole model, no adapter: give it as --model {source}.")
        raise CheckpointError(f"{folder} has no adapter_config.json: that is no peft adapter.")
    _json(folder / "adapter_config.json")
    weights = folder / "adapter_model.safetensors"
    if weights.is_file():
        _header(weights)
    elif not (folder / "adapter_model.bin").is_file():
        raise CheckpointError(f"{folder} has no adapter_model.safetensors: the adapter's weights are missing.")
    return folder


def inspect(path: Path, *, trust_remote_code: bool = False) -> Checkpoint:
    """Read config and headers; no weight is loaded."""
    raw = _json(path / "config.json")
    config = _config(path, trust_remote_code)
    text = getattr(config, "text_config", None) or config
    parameters, weight_bytes = _count(path)
    quantization = raw.get("quantization_config")
    method = (quantization.get("quant_method") or "unknown") if isinstance(quantization, dict) else None
    architectures = raw.get("architectures") or [None]
    dtype = raw.get("dtype") or raw.get("torch_dtype") or (raw.get("text_config") or {}).get("dtype")
    return Checkpoint(
        path=path,
        architecture=architectures[0],
        model_type=str(raw.get("model_type", "unknown")),
        max_length=_window(text, path),
        vocab_size=getattr(text, "vocab_size", None),
        dtype=dtype,
        parameters=None if method else parameters,
        weight_bytes=weight_bytes,
        quantization=method,
        sliding_window=_sliding_window(text),
        encoder_decoder=bool(getattr(config, "is_encoder_decoder", False)),
        remote_code=bool(raw.get("auto_map")),
        kv_bytes_per_token=_kv_bytes(text),
    )


def memory_needed(checkpoint: Checkpoint, *, tokens: int = 0, bytes_per_number: float | None = None) -> int:
    """Bytes for the weights and for `tokens` of context, with a tenth on top for what else a framework holds."""
    weights: float = checkpoint.weight_bytes
    if bytes_per_number is not None and checkpoint.parameters is not None:
        weights = checkpoint.parameters * bytes_per_number
    kv = tokens * (checkpoint.kv_bytes_per_token or 0) * (bytes_per_number or 2) / 2
    return int(1.1 * (weights + kv))


# ── finding ──────────────────────────────────────────────────────────────────

_AGAIN = "run the same command again where the hub can be reached, and it goes on."


def _locate(source: str, revision: str | None, what: str) -> tuple[Path, bool]:
    path = Path(source).expanduser()
    if path.is_file():
        raise CheckpointError(f"{path} is a file: give the folder that holds config.json and the weights.")
    if path.is_dir():
        return path, False
    if source.startswith(("/", ".", "~")) or not _HUB_ID.fullmatch(source):
        raise UnknownModel(f"no {what} {source!r}: there is no such folder{_beside(path)}")
    return _download(source, revision, what), True


def _beside(path: Path) -> str:
    try:
        names = [entry.name for entry in path.parent.iterdir() if entry.is_dir()]
    except OSError:
        return ""
    return nearest(path.name, names)


def _download(source: str, revision: str | None, what: str) -> Path:
    try:
        from huggingface_hub import errors as hub
        from huggingface_hub import snapshot_download
    except ImportError:
        raise UnknownModel(
            f"no {what} {source!r}: there is no such folder, and hub ids need huggingface_hub; "
            "type `pip install 'lm-evalkit[hf]'`"
        ) from None
    offline = os.environ.get("HF_HUB_OFFLINE", "").lower() in {"1", "true", "yes", "on"}
    try:
        if not offline:
            return Path(snapshot_download(source, revision=revision, allow_patterns=_patterns(source, revision)))
    except hub.GatedRepoError:
        raise CheckpointError(
            f"{source} is gated: accept its terms on https://huggingface.co/{source} and set HF_TOKEN."
        ) from None
    except hub.RevisionNotFoundError:
        raise UnknownModel(f"{source} has no revision {revision!r}; see https://huggingface.co/{source}/tree") from None
    except hub.RepositoryNotFoundError:
        raise UnknownModel(
            f"no {what} {source!r}: there is no such folder and no such hub repository (a private one needs HF_TOKEN)"
        ) from None
    except Exception as error:
        # No network, a proxy, a timeout: what was downloaded before may still serve.
        reason = f"the hub cannot be reached ({type(error).__name__})"
    else:
        reason = "HF_HUB_OFFLINE is set"
    try:
        return Path(snapshot_download(source, revision=revision, local_files_only=True))
    except Exception:
        asked = f"{source!r}" + (f" at revision {revision!r}" if revision else "")
        raise UnknownModel(
            f"no {what} {asked}: there is no such folder, it is not in the local hub cache, and {reason}"
            f"{_beside(Path(source))}"
        ) from None


def _patterns(source: str, revision: str | None) -> list[str]:
    """Weights once: safetensors where there are any, else PyTorch's; never the originals beside them."""
    from huggingface_hub import list_repo_files

    files = list_repo_files(source, revision=revision)
    weights = "*.safetensors" if any(f.endswith(".safetensors") and "/" not in f for f in files) else "*.bin"
    return [f for f in files if "/" not in f and (not f.endswith(_HEAVY) or f.endswith(weights[1:]))]


_HEAVY = (".safetensors", ".bin", ".pt", ".pth", ".h5", ".msgpack", ".gguf", ".onnx", ".ckpt", ".tflite", ".ot")


# ── checking ─────────────────────────────────────────────────────────────────


def _check_model(folder: Path, *, needs_tokenizer: bool) -> None:
    if not (folder / "config.json").is_file():
        if (folder / "adapter_config.json").is_file():
            base = _json(folder / "adapter_config.json").get("base_model_name_or_path") or "BASE"
            raise CheckpointError(f"{folder} is an adapter: type --model {base} --adapter {folder}")
        raise CheckpointError(
            f"{folder} has no config.json: that is no whole model folder; copy or download it again, or name another."
        )
    _json(folder / "config.json")
    for file in _weight_files(folder):
        if file.suffix == ".safetensors":
            _header(file)
        else:
            _refuse_pointer(file)
    found = [folder / name for name in _TOKENIZERS if (folder / name).is_file()]
    if needs_tokenizer and not found:
        raise CheckpointError(
            f"{folder} has no tokenizer (none of tokenizer.json, tokenizer.model, vocab.json, …): copy the base "
            "model's beside the weights, or name one with --model-args tokenizer=PATH."
        )
    for file in found:
        _refuse_pointer(file)


def _weight_files(folder: Path) -> list[Path]:
    for index, single in (
        ("model.safetensors.index.json", "model.safetensors"),
        ("pytorch_model.bin.index.json", "pytorch_model.bin"),
    ):
        # A single file beside an index is what transformers opens first.
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
    listed = _json(folder / index).get("weight_map")
    if not isinstance(listed, dict) or not listed:
        raise CheckpointError(f"{folder / index} lists no weights: save or download the model again.")
    names = sorted(set(listed.values()))
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        shown = ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
        verb = "is" if len(missing) == 1 else "are"
        raise CheckpointError(
            f"{folder}: {index} names {len(names)} shards, {len(missing)} of them {verb} missing: {shown}; "
            "copy or download the folder again."
        )
    return [folder / name for name in names]


def _header(file: Path) -> dict[str, Any]:
    """A safetensors header, checked against the file's size: a cut-off copy is found without reading it."""
    _refuse_pointer(file)
    size = file.stat().st_size
    try:
        with file.open("rb") as stream:
            (length,) = struct.unpack("<Q", stream.read(8))
            if length > size - 8:
                raise ValueError("its header is longer than the file")
            header: dict[str, Any] = json.loads(stream.read(length))
        tensors = {name: tensor for name, tensor in header.items() if name != "__metadata__"}
        end = 8 + length + max((tensor["data_offsets"][1] for tensor in tensors.values()), default=0)
    except OSError as error:
        raise CheckpointError(f"cannot read {file}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, struct.error) as error:
        raise CheckpointError(f"{file} is no whole safetensors file ({error}): copy or download it again.") from None
    if end != size:
        raise CheckpointError(
            f"{file} is cut off or damaged: its header speaks of {end:,} bytes, it has {size:,}. "
            "Copy or download it again."
        )
    return tensors


def _refuse_pointer(file: Path) -> None:
    try:
        with file.open("rb") as stream:
            start = stream.read(len(_LFS))
    except OSError as error:
        raise CheckpointError(f"cannot read {file}: {error.strerror}") from None
    if start == _LFS:
        raise CheckpointError(f"{file} is a git-lfs pointer, not the file: type `git lfs pull` in {file.parent}.")
    if not start:
        raise CheckpointError(f"{file} is empty: copy or download it again.")


def _json(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise CheckpointError(f"cannot read {file}: {error.strerror}") from None
    except ValueError as error:
        raise CheckpointError(f"{file} is not JSON: {error}") from None
    if not isinstance(content, dict):
        raise CheckpointError(f"{file} holds no JSON object.")
    return content


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


def _window(text: Any, path: Path) -> int:
    for name in ("n_positions", "max_position_embeddings", "n_ctx"):
        value = getattr(text, name, None)
        if value is not None:
            return int(value)
    settings = path / "tokenizer_config.json"
    length = _json(settings).get("model_max_length") if settings.is_file() else None
    # transformers writes "no limit" as a number near 1e30.
    return int(length) if length is not None and length < 1e15 else _DEFAULT_WINDOW


def _sliding_window(text: Any) -> int | None:
    """How far back some layer looks, whatever its config calls it."""
    if getattr(text, "use_sliding_window", True) and isinstance(getattr(text, "sliding_window", None), int):
        return int(text.sliding_window)
    if "local" in (getattr(text, "attention_layers", None) or ()):
        return int(text.window_size)
    chunk = getattr(text, "attention_chunk_size", None)
    return int(chunk) if isinstance(chunk, int) else None


def _count(path: Path) -> tuple[int | None, int]:
    files = _weight_files(path)
    weight_bytes = sum(file.stat().st_size for file in files)
    if any(file.suffix != ".safetensors" for file in files):
        return None, weight_bytes
    parameters = 0
    for file in files:
        for tensor in _header(file).values():
            parameters += math.prod(tensor["shape"])
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
