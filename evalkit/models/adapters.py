"""LoRA adapters: reads their settings, checks whether they fit a model, and merges them into it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from evalkit.errors import CheckpointError, UsageError
from evalkit.models.adaptersettings import check_adapter_settings
from evalkit.models.checkpoint import first_few
from evalkit.models.files import read_json
from evalkit.models.header import read_header
from evalkit.timelimit import TooSlow, at_most
from evalkit.types import JsonObject

__all__ = [
    "adapter_config",
    "adapter_rank",
    "adapter_targets",
    "check_fits",
    "merge_adapter",
    "tensor_shapes",
]

_CONFIG = "adapter_config.json"
_HALF = re.compile(r"(?:base_model\.model\.)?(.*)\.lora_(?:embedding_)?([AB])(?:\.|$)")
"""A LoRA tensor's module, and which of its two matrices it is."""
_EXPRESSIONS = ("target_modules", "exclude_modules", "layers_pattern")
"""Settings that are names of modules in a list, or one regular expression."""
_SECONDS = 5.0
"""For matching one regular expression with the names of all modules, which takes milliseconds."""
_NARROWING = ("layers_to_transform", "layers_pattern", "exclude_modules", "target_parameters", "layer_replication")
"""Settings with which an adapter has other modules than those in `target_modules`."""


def adapter_config(path: str | Path) -> JsonObject:
    """A peft adapter's configuration. Raises an error that says what is missing."""
    file = Path(path) / _CONFIG
    if not Path(path).is_dir():
        raise UsageError(f"--adapter {path}: no such folder")
    if not file.is_file():
        raise CheckpointError(f"{path} is no adapter: it has no {_CONFIG}")
    config = read_json(file)
    check_adapter_settings(config, file)
    if not isinstance(config.get("r"), int):
        raise CheckpointError(f"{file} is no LoRA adapter (peft_type {config.get('peft_type')!r}, no rank r)")
    return config


def adapter_rank(path: str | Path) -> int:
    """The largest rank of all modules."""
    config = adapter_config(path)
    return max([int(config["r"]), *map(int, (config.get("rank_pattern") or {}).values())])


def adapter_targets(path: str | Path) -> frozenset[str] | None:
    """The modules that it adapts (`q_proj` …), from its weights or else its configuration; None if unknown."""
    named = {name.split(".lora_")[0].rsplit(".", 1)[-1] for name in tensor_shapes(path) if ".lora_" in name}
    listed = adapter_config(path).get("target_modules")
    if not named and isinstance(listed, list):
        named = {str(module).rsplit(".", 1)[-1] for module in listed}
    return frozenset(named) or None


def tensor_shapes(path: str | Path) -> Mapping[str, tuple[int, ...]]:
    """The names and shapes of the adapter's tensors, from the safetensors header; empty for other formats."""
    file = Path(path) / "adapter_model.safetensors"
    return _shapes(file) if file.exists() else {}


def check_fits(base: str | Path, adapter: str | Path) -> None:
    """Raise an error for an adapter of another model: engines may silently apply one of the wrong width.

    Tensors are compared by name, so both must be safetensors; those without a counterpart in the base are not checked.
    """
    weights = {
        name: shape for file in sorted(Path(base).glob("*.safetensors")) for name, shape in _shapes(file).items()
    }
    for name, shape in tensor_shapes(adapter).items():
        module, side, _ = name.rpartition(".lora_A.") if ".lora_A." in name else name.rpartition(".lora_B.")
        base_shape = weights.get(module.removeprefix("base_model.model.") + ".weight")
        if not side or base_shape is None or len(base_shape) != 2 or len(shape) != 2:
            continue
        # GPT-2 stores its weights transposed, so either dimension may be the one that fits.
        width = shape[1] if side == ".lora_A." else shape[0]
        if width not in base_shape:
            raise CheckpointError(
                f"--adapter {adapter}: made for another model ({module.rpartition('.')[2]} is {width} wide, "
                f"in {base} it is {base_shape[0]} × {base_shape[1]}); give its own base as --model"
            )
    _check_whole(weights, adapter)


def _check_expressions(config: JsonObject, base: Iterable[str], adapter: str | Path) -> None:
    """Refuse regular expressions that are none, or that take for ever on the names of the model's modules.

    peft matches them in the same way, when nobody can stop it any more.
    """
    ways = [(name, str(config[name])) for name in _EXPRESSIONS if isinstance(config.get(name), str)]
    for name in ("rank_pattern", "alpha_pattern"):
        ways += [(name, rf"(?:.*\.)?(?:{part})$") for part in config.get(name) or ()]
    modules = {name[:end] for name in base for end, letter in enumerate(f"{name}.") if letter == "."}
    modules |= {part for module in modules for part in module.split(".")}
    for name, expression in ways:
        try:
            with at_most(_SECONDS, f"the regular expression {expression!r:.80}"):
                known = re.compile(expression)
                for module in sorted(modules):
                    known.fullmatch(module)
        except (re.error, RecursionError, OverflowError, TooSlow) as error:
            raise CheckpointError(f"--adapter {adapter}: {name} of its {_CONFIG}: {error}") from None


def _check_whole(base: Mapping[str, tuple[int, ...]], adapter: str | Path) -> None:
    """Raise an error where the adapter's files lack a tensor that its configuration promises, or hold one too many.

    Libraries fill what is missing with random numbers and leave out what they do not expect.
    """
    sides: dict[str, set[str]] = {}
    for name in tensor_shapes(adapter):
        if half := _HALF.match(name):
            sides.setdefault(half[1], set()).add(half[2])
    config = adapter_config(adapter)
    targets = config.get("target_modules")
    _check_expressions(config, base, adapter)
    if not sides:
        return
    missing = [f"{module}.lora_{({'A', 'B'} - halves).pop()}" for module, halves in sides.items() if len(halves) == 1]
    narrowed = any(config.get(key) for key in _NARROWING)
    if isinstance(targets, list) and not narrowed:
        named = {str(target) for target in targets}

        def targeted(module: str) -> bool:
            return any(module == target or module.endswith(f".{target}") for target in named)

        if extra := [module for module in sides if not targeted(module)]:
            raise CheckpointError(
                f"--adapter {adapter}: its files hold tensors of {len(extra)} modules that its {_CONFIG} does not name "
                f"({first_few(extra)}): they belong to different adapters; copy or save them together"
            )
        modules = {name.removesuffix(".weight") for name in base if name.endswith(".weight")}
        if modules >= sides.keys():  # the base's files call its modules as peft does
            missing += [module for module in modules if targeted(module) and module not in sides]
    if missing:
        raise CheckpointError(
            f"--adapter {adapter}: {len(missing)} tensors or modules that its {_CONFIG} promises are not in its files "
            f"({first_few(sorted(missing))}): it is half saved or half copied; save or copy it again"
        )


def _shapes(file: Path) -> dict[str, tuple[int, ...]]:
    return {name: tensor.shape for name, tensor in read_header(file).items()}


def merge_adapter(base: str | Path, adapter: str | Path, to: str | Path, *, trust_remote_code: bool = False) -> Path:
    """Merge an adapter into its base and write the result as a checkpoint, with the adapter's tokenizer if it has one.

    If the adapter has a larger vocabulary (trained embeddings), the base is resized first.
    """
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    adapter_config(adapter)
    folder = Path(to)
    try:
        model = AutoModelForCausalLM.from_pretrained(base, dtype="auto", trust_remote_code=trust_remote_code)
        if (rows := _vocabulary(adapter)) and rows != model.get_input_embeddings().weight.shape[0]:
            model.resize_token_embeddings(rows, mean_resizing=False)
        with torch.no_grad():
            merged = PeftModel.from_pretrained(model, str(adapter)).merge_and_unload(safe_merge=True)
        merged.save_pretrained(folder)
        source = adapter if _has_tokenizer(adapter) else base
        AutoTokenizer.from_pretrained(source, trust_remote_code=trust_remote_code).save_pretrained(folder)
    except (ValueError, RuntimeError, OSError, KeyError) as error:
        line = " ".join(str(error).split())[:300]
        raise CheckpointError(f"adapter {adapter} cannot be merged into {base}: {line}") from error
    return folder


def _vocabulary(adapter: str | Path) -> int | None:
    rows = [shape[0] for name, shape in tensor_shapes(adapter).items() if _is_whole_embedding(name)]
    return max(rows) if rows else None


def _is_whole_embedding(name: str) -> bool:
    return any(part in name for part in ("embed_tokens", "wte", "lm_head", "embed_in")) and "lora_" not in name


def _has_tokenizer(folder: str | Path) -> bool:
    return any(_tokenizer_files(Path(folder)))


def _tokenizer_files(folder: Path) -> Iterator[Path]:
    return (folder / name for name in ("tokenizer.json", "tokenizer.model", "vocab.json") if (folder / name).exists())
