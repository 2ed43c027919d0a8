"""Makes the engine of a model from what was typed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from evalkit.engines.openai.engine import OpenAIEngine
from evalkit.engines.openai.options import Options
from evalkit.errors import UsageError, nearest
from evalkit.scrub import Scrubber
from evalkit.types import Adapter, ModelSpec

__all__ = ["load"]


def load(
    spec: ModelSpec,
    tokenizer: Any = None,
    adapters: Sequence[Adapter] = (),
    *,
    silent: bool = False,
    frugal: bool = False,
    flag: str = "--model-args",
    **options: Any,
) -> OpenAIEngine:
    """`flag`: the flag of the arguments, for messages."""
    if adapters:
        raise UsageError("--adapter: an API has no adapters; serve it under a model name of its own")
    known = Options.names()
    asked = {**dict(spec.args), **options}
    concurrency = asked.pop("num_concurrent", None)  # lm-eval's name for it
    if concurrency is not None:
        asked.setdefault("max_concurrency", concurrency)
    for name in (
        "eos_string",
        "max_length",
        "max_gen_toks",
        "tokenizer_backend",
        "tokenized_requests",
        "add_bos_token",
    ):
        asked.pop(name, None)  # read by the tokens room
    for name in asked:
        if Scrubber.is_secret_entry(name):
            raise UsageError(f"{flag} {name}=…: a key does not belong on a command line; set OPENAI_API_KEY")
        if name not in known:
            raise UsageError(f"{flag} {name}: unknown to the openai engine{nearest(name, known)}")
    given = Options(**{name: value for name, value in asked.items() if value is not None})
    return OpenAIEngine(spec.source, given, silent=silent, frugal=frugal)
