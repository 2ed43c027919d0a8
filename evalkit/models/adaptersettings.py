"""Checks an adapter's settings before a library acts on them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from evalkit.errors import CheckpointError
from evalkit.types import JsonObject

__all__ = ["check_adapter_settings"]

_MEGATRON_CORE = "megatron.core"
"""What peft writes into every LoRA adapter; it imports the module only where there is a `megatron_config` too."""
_OF_OTHER_FILES = {
    "XLORA": "adapters",
    "SHADOW": "shadow_model",
    "MULTITASK_PROMPT_TUNING": "prompt_tuning_init_state_dict_path",
}
"""Kinds of adapters that load models or files from other places, and the setting that names those."""
_HIGHEST_RANK = 65_536
_MOST_LAYERS = 10_000


def check_adapter_settings(config: JsonObject, file: Path) -> None:
    """Raise CheckpointError for settings that would run code, load files from elsewhere or fill the memory."""
    kind = config.get("peft_type")
    if kind is not None and not isinstance(kind, str):
        _refuse(file, f"peft_type is {_shown(kind)}, not text")
    # Older versions of peft import whatever module is named here.
    if config.get("megatron_config") or config.get("megatron_core") not in (None, _MEGATRON_CORE):
        _refuse(
            file,
            "megatron_core and megatron_config ask peft to import a Python module, so the adapter is not loaded; "
            "adapters for Megatron's own layers can't be evaluated, and others need neither: remove both entries",
        )
    for name, setting in _OF_OTHER_FILES.items():
        if str(kind).upper() == name or config.get(setting):
            _refuse(file, f"{name} adapters load files from other places ({setting}), which nobody checked")
    _check_rank(config.get("r"), "r", file)
    for name in ("rank_pattern", "alpha_pattern"):
        pattern = config.get(name)
        if pattern is not None and not isinstance(pattern, Mapping):
            _refuse(file, f"{name} is {_shown(pattern)}; an object of modules and numbers is wanted")
        for module, value in (pattern or {}).items() if name == "rank_pattern" else ():
            _check_rank(value, f"rank_pattern of {_shown(module)}", file)
    for name in ("target_modules", "modules_to_save", "exclude_modules"):
        value = config.get(name)
        names = value if isinstance(value, list) else [] if value is None else [value]
        if not all(isinstance(module, str) for module in names):
            _refuse(file, f"{name} is {_shown(value)}; names of modules are wanted")
    _check_replication(config.get("layer_replication"), file)


def _check_rank(rank: Any, name: str, file: Path) -> None:
    if rank is not None and (type(rank) is not int or not 0 <= rank <= _HIGHEST_RANK):
        _refuse(file, f"{name} is {_shown(rank)}; a whole number up to {_HIGHEST_RANK:,} is wanted")


def _check_replication(ranges: Any, file: Path) -> None:
    """Copied layers cost time and memory by themselves, also where their weights are shared."""
    if ranges is None:
        return
    try:
        layers = sum(max(0, end - start) for start, end in ranges)
    except (TypeError, ValueError):
        _refuse(file, f"layer_replication is {_shown(ranges)}; pairs of layer numbers are wanted")
    if layers > _MOST_LAYERS:
        _refuse(file, f"layer_replication makes more than {_MOST_LAYERS:,} layers")


def _refuse(file: Path, what: str) -> NoReturn:
    raise CheckpointError(f"{file}: {what}")


def _shown(value: Any) -> str:
    return f"{value!r:.80}"
