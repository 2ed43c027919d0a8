"""The spec of recorded answers: --engine knows the name and says which verb reads them."""

from __future__ import annotations

from typing import Any, NoReturn

from evalkit.engines.spec import EngineSpec
from evalkit.errors import UsageError

__all__ = ["SPEC"]

_INSTEAD = "reads recorded answers: evalkit score FILE.jsonl does that"


def _refuse(*_: Any) -> NoReturn:
    raise UsageError(f"--engine replay {_INSTEAD}")


SPEC = EngineSpec(
    name="replay",
    title="recorded answers",
    semantics="replay/1",
    find_model=_refuse,
    load_tokenizer=_refuse,
    start=_refuse,
    abilities=frozenset(),
    instead=_INSTEAD,
    priority=-10,
)
