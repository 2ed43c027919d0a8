"""Whether two runs were asked to measure the same thing in the same way."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from evalkit.results.record import Manifest
from evalkit.validation import Record

__all__ = ["same_settings"]

_MODEL = ("revision", "fingerprint", "dtype", "quantization")
_ENGINE = ("name", "dtype", "quantization", "max_length")
_TASK = ("version", "num_fewshot", "output_type", "config_hash", "data_hash", "prompts_hash", "generation", "repeats")
_CHAT = ("applied", "source", "hash", "fewshot_as_multiturn", "system_instruction")


def same_settings(a: Manifest, b: Manifest) -> list[str]:
    """What differs of all that determines the answers and the documents, one line each; empty where nothing does.

    Batch size, parallelism, hardware, versions of libraries and the command line are not settings. An entry that
    one of the two does not know yet (a hash that is taken later) is not a difference; null is a value.
    """
    lines: list[str] = []
    if a.requested is not None and b.requested is not None:
        # The order in which tasks were typed changes nothing.
        lines += _line("tasks asked for", sorted(set(a.requested)), sorted(set(b.requested)))
    lines += _line("limit", a.limit, b.limit)
    lines += _line("shard", a.shard, b.shard)
    # All of these settings decide which documents are run.
    lines += _line("--against", *(side.against and side.against.as_json() for side in (a, b)))
    lines += _shared("model", a.model, b.model, _MODEL)
    if not (a.model.fingerprint and b.model.fingerprint):
        lines += _shared("model", a.model, b.model, ("source",))
    if (a.adapter is None) != (b.adapter is None):
        lines += _line("adapter", *(side.adapter and side.adapter.name for side in (a, b)))
    lines += _shared("adapter", a.adapter, b.adapter, ("name", "fingerprint"))
    lines += _shared("engine", a.engine, b.engine, _ENGINE)
    lines += _shared("chat template", a.chat_template, b.chat_template, _CHAT)
    lines += _both("seed", a.seeds or {}, b.seeds or {})
    lines += _whole("generation", a.sampling, b.sampling)
    if a.model_args != b.model_args:
        lines += _whole("model argument", a.model_args, b.model_args, without=_pace_arguments(a, b))
    lines += _line("thinking", *(side.thinking and side.thinking.as_json() for side in (a, b)))
    for task, settings in a.tasks.items():
        lines += _shared(task, settings, b.tasks.get(task), _TASK)
    return lines


def _pace_arguments(a: Manifest, b: Manifest) -> Collection[str]:
    """Model arguments that change no answer; which these are, the runs' engines say."""
    from evalkit.engines.spec import pace_arguments

    return pace_arguments([side.engine.name if side.engine else None for side in (a, b)])


def _shared(what: str, a: Record | None, b: Record | None, keys: tuple[str, ...]) -> list[str]:
    """Differences of these entries, where both records state them."""
    here, there = ({key: getattr(side, key) for key in keys if side and side.states(key)} for side in (a, b))
    return _both(what, here, there)


def _both(what: str, a: Mapping[str, Any], b: Mapping[str, Any]) -> list[str]:
    """Differences of the entries that both mappings have."""
    return [line for key in a if key in b for line in _line(f"{what} {key}", a[key], b[key])]


def _whole(
    what: str, a: Mapping[str, Any] | None, b: Mapping[str, Any] | None, without: Collection[str] = ()
) -> list[str]:
    """Differences of two mappings in which what is absent is not set."""
    if a is None or b is None:
        return []
    keys = [key for key in {**a, **b} if key not in without]
    return [line for key in keys for line in _line(f"{what} {key}", a.get(key), b.get(key))]


def _line(what: str, a: Any, b: Any) -> list[str]:
    here, there = _text(a), _text(b)
    return [] if here == there else [f"{what}: {here} → {there}"]


def _text(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
