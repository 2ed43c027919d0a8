"""The spec of recorded answers: --engine knows the name and says which verb reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from evalkit.engines.spec import EngineSettings, EngineSpec
from evalkit.errors import UsageError
from evalkit.types import Adapter, ModelSpec

__all__ = ["SPEC"]

_INSTEAD = "reads recorded answers: evalkit score FILE.jsonl does that"


def _refuse(*_: Any) -> NoReturn:
    raise UsageError(f"--engine replay {_INSTEAD}")


def _start(model: ModelSpec, tokenizer: Any, adapters: Sequence[Adapter], settings: EngineSettings) -> NoReturn:
    _refuse()


def _find_model(typed: str, model_args: Mapping[str, Any], trust_remote_code: bool) -> NoReturn:
    _refuse()


SPEC = EngineSpec(
    name="replay",
    title="recorded answers",
    semantics="replay/1",
    find_model=_find_model,
    load_tokenizer=_refuse,
    start=_start,
    abilities=frozenset(),
    instead=_INSTEAD,
    priority=-10,
)
