"""Whether two runs were asked to measure the same thing in the same way."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

__all__ = ["same_settings"]

_MODEL = ("revision", "fingerprint", "dtype", "quantization")
_ENGINE = ("name", "dtype", "quantization", "max_length")
_TASK = ("version", "num_fewshot", "output_type", "config_hash", "data_hash", "prompts_hash", "generation")
_CHAT = ("applied", "source", "hash", "fewshot_as_multiturn", "system_instruction")


def same_settings(manifest_a: Mapping[str, Any], manifest_b: Mapping[str, Any]) -> list[str]:
    """What differs of all that determines the answers and the documents, one line each; empty where nothing does.

    Batch size, parallelism, hardware, versions of libraries and the command line are not settings. An entry that
    one of the two does not know yet (a hash that is taken later) is not a difference; null is a value.
    """
    a, b = manifest_a, manifest_b
    lines = _entry("tasks asked for", _names(a.get("requested")), _names(b.get("requested")))
    if "limit" in a or "limit" in b:
        lines += _line("limit", a.get("limit"), b.get("limit"))
    if "against" in a or "against" in b:
        lines += _line("--against", _against(a.get("against")), _against(b.get("against")))
    lines += _model(_mapping(a.get("model")), _mapping(b.get("model")))
    lines += _adapter(a.get("adapter"), b.get("adapter"))
    lines += _shared("engine", a.get("engine"), b.get("engine"), _ENGINE)
    lines += _shared("chat template", a.get("chat_template"), b.get("chat_template"), _CHAT)
    lines += _shared("seed", a.get("seeds"), b.get("seeds"))
    lines += _whole("generation", a.get("sampling"), b.get("sampling"))
    lines += _model_arguments(a, b)
    tasks_a, tasks_b = _mapping(a.get("tasks")), _mapping(b.get("tasks"))
    for task in tasks_a:
        if task in tasks_b:
            lines += _shared(task, tasks_a[task], tasks_b[task], _TASK)
    return lines


def _model(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[str]:
    lines = _shared("model", a, b, _MODEL)
    if not (a.get("fingerprint") and b.get("fingerprint")):
        lines += _shared("model", a, b, ("source",))
    return lines


def _model_arguments(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[str]:
    """Those that change answers; which these are, the runs' engines say."""
    one, other = a.get("model_args"), b.get("model_args")
    if one == other:
        return []
    from evalkit.engines.spec import pace_arguments

    engines = [_mapping(manifest.get("engine")).get("name") for manifest in (a, b)]
    return _whole("model argument", one, other, without=pace_arguments(engines))


def _against(settings: Any) -> Any:
    """All of them decide which documents are run."""
    return settings if settings is None else _mapping(settings)


def _adapter(a: Any, b: Any) -> list[str]:
    if (a is None) != (b is None):
        return _line("adapter", _mapping(a).get("name"), _mapping(b).get("name"))
    return _shared("adapter", a, b, ("name", "fingerprint"))


def _shared(what: str, a: Any, b: Any, keys: tuple[str, ...] | None = None) -> list[str]:
    """Differences of the entries that both mappings have."""
    one, other = _mapping(a), _mapping(b)
    both = [key for key in (keys or one) if key in one and key in other]
    return [line for key in both for line in _line(f"{what} {key}", one[key], other[key])]


def _whole(what: str, a: Any, b: Any, without: Collection[str] = ()) -> list[str]:
    """Differences of two mappings in which what is absent is not set."""
    if a is None or b is None:
        return []
    one, other = _mapping(a), _mapping(b)
    keys = [key for key in {**one, **other} if key not in without]
    return [line for key in keys for line in _line(f"{what} {key}", one.get(key), other.get(key))]


def _entry(what: str, a: Any, b: Any) -> list[str]:
    return _line(what, a, b) if a is not None and b is not None else []


def _line(what: str, a: Any, b: Any) -> list[str]:
    one, other = _text(a), _text(b)
    return [] if one == other else [f"{what}: {one} → {other}"]


def _text(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)


def _names(value: Any) -> list[str] | None:
    """The order in which tasks were typed changes nothing."""
    return sorted({str(name) for name in value}) if isinstance(value, list | tuple) else None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
