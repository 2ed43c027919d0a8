"""What a check is, and what it says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from evalkit.types import Program

__all__ = ["REQUIRED", "Complaint", "Judge", "Kind", "Outcome", "Param", "Params", "Readings"]

Params: TypeAlias = "Mapping[str, Any]"
"""A spec's parameters, checked and with defaults filled in."""

Complaint: TypeAlias = "str | None"
"""Why a text is refused; None where it is accepted."""

Judge: TypeAlias = "Callable[[str, Params], Complaint]"
Readings: TypeAlias = "Callable[[str, Params], Iterable[str]]"

REQUIRED: Any = object()


@dataclass(frozen=True, slots=True)
class Outcome:
    """One check of one answer. `error`: the check itself failed, and the answer is neither right nor wrong."""

    kind: str
    passed_strict: bool | None
    """The answer exactly as it is."""
    passed_loose: bool | None
    """Some lenient reading of it. Never False where strict is True."""
    reason: str = ""
    """Why the strict reading was refused; empty where it passed."""
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Param:
    """One parameter of a kind: which types it takes, what stands for it, and what else it must satisfy."""

    types: tuple[type, ...]
    default: Any = REQUIRED
    problem: Callable[[Any], str | None] = lambda value: None
    """What is wrong with a value of the right type."""
    choices: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of check. Loose is strict or any of the readings, so it can never be the stricter of the two."""

    name: str
    about: str
    judge: Judge
    readings: Readings
    params: Mapping[str, Param] = field(default_factory=dict)
    problem: Callable[[Params], str | None] = lambda params: None
    """What is wrong with the parameters together."""
    programs: Callable[[str, Params], tuple[Program | None, Program | None]] | None = None
    """For kinds that the sandbox judges: the program of the strict reading and that of the loose one."""
