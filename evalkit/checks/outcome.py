"""The types of checks: a kind with its parameters, and the outcome of checking an answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from evalkit.types import Program

__all__ = ["REQUIRED", "Complaint", "Judge", "Kind", "Outcome", "Param", "Params", "Readings", "Spec"]

Spec: TypeAlias = "Mapping[str, Any]"
"""A check as a task file or document asks for it: its `kind`, and parameters that the kind knows."""

Params: TypeAlias = "Mapping[str, Any]"
"""A spec's parameters, checked and with defaults filled in. The kind says what they are: see `Param`."""

Complaint: TypeAlias = "str | None"
"""Why a text does not pass; None if it passes."""

Judge: TypeAlias = "Callable[[str, Params], Complaint]"
Readings: TypeAlias = "Callable[[str, Params], Iterable[str]]"

REQUIRED: Any = object()


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of one check. `error`: the check itself failed, and the answer neither passed nor failed."""

    kind: str
    passed_strict: bool | None
    """Whether the answer passes exactly as it is."""
    passed_loose: bool | None
    """Whether the answer or one of its lenient readings passes. Never False if `passed_strict` is True."""
    reason: str = ""
    """Why the answer did not pass strictly; empty if it did."""
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Param:
    """One parameter of a kind: its types, its default, and further conditions."""

    types: tuple[type, ...]
    default: Any = REQUIRED
    problem: Callable[[Any], str | None] = lambda value: None
    """Returns what is wrong with a value of the right type, or None."""
    choices: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of check. An answer passes loosely if it passes strictly or if one of its readings passes."""

    name: str
    about: str
    judge: Judge
    readings: Readings
    params: Mapping[str, Param] = field(default_factory=dict)
    problem: Callable[[Params], str | None] = lambda params: None
    """Returns what is wrong with the combination of parameters, or None."""
    programs: Callable[[str, Params], tuple[Program | None, Program | None]] | None = None
    """For kinds that run code in the sandbox: returns the programs of the strict and of the loose reading."""
