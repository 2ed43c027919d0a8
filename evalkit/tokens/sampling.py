"""Turns lm-eval's generation kwargs into Sampling, by lm-eval's rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evalkit.errors import UsageError
from evalkit.types import Arguments, Sampling

__all__ = ["DEFAULT_MAX_TOKENS", "sampling_of"]

DEFAULT_MAX_TOKENS = 256
_MAX_TOKEN_NAMES = ("max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens")
"""In lm-eval's order of precedence."""


def sampling_of(gen_kwargs: Arguments, eos: str | None, default_max_tokens: int = DEFAULT_MAX_TOKENS) -> Sampling:
    """The sampling options. `do_sample: false` means greedy at any temperature; else a temperature above 0 samples."""
    rest = dict(gen_kwargs)
    given = [rest.pop(name) for name in _MAX_TOKEN_NAMES if name in rest]
    max_tokens = _number(int, next((n for n in given if n is not None), default_max_tokens), "max_gen_toks")
    if max_tokens < 1:
        raise UsageError(f"max_gen_toks={max_tokens}: at least one token must be generated")
    do_sample = rest.pop("do_sample", None)
    temperature = _number(float, rest.pop("temperature", 0.0) or 0.0, "temperature")
    knobs = {
        "top_p": _number(float, rest.pop("top_p", 1.0), "top_p"),
        "top_k": _number(int, rest.pop("top_k", 0), "top_k"),
        "min_p": _number(float, rest.pop("min_p", 0.0), "min_p"),
        "repetition_penalty": _number(float, rest.pop("repetition_penalty", 1.0), "repetition_penalty"),
    }
    seed = rest.pop("seed", None)
    return Sampling(
        max_tokens=max_tokens,
        stop=_stops(rest.pop("until", None), eos),
        temperature=0.0 if do_sample is False else temperature,
        seed=None if seed is None else _number(int, seed, "seed"),
        extra=tuple(sorted((name, _frozen(value)) for name, value in rest.items())),
        **knobs,
    )


def _stops(until: Any, eos: str | None) -> tuple[str, ...]:
    """The task's stop strings in order, then the end of text; empty strings are ignored."""
    stops = [until] if isinstance(until, str) else list(until or ())
    if not all(isinstance(stop, str) for stop in stops):
        raise UsageError(f"until={until!r}: a string or a list of strings is wanted")
    if eos is not None and eos not in stops:
        stops.append(eos)
    return tuple(stop for stop in stops if stop)


def _number(kind: Any, value: Any, name: str) -> Any:
    try:
        return kind(value)
    except (TypeError, ValueError):
        raise UsageError(f"--gen-kwargs {name}={value}: a number is wanted") from None


def _frozen(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_frozen(part) for part in value)
    if isinstance(value, Mapping):
        return tuple(sorted((key, _frozen(part)) for key, part in value.items()))
    return value
