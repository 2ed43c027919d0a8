"""The protocol of a detector, which decides for each answer whether it has a property, or that it cannot tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

__all__ = ["Detection", "Detector", "DetectorInfo", "RatedAnswer"]


@dataclass(frozen=True, slots=True)
class RatedAnswer:
    """One answer of a model."""

    id: str
    prompt: str
    output: str | None
    """None: the call failed, and there is no answer."""


@dataclass(frozen=True, slots=True)
class Detection:
    found: bool | None
    """None: no verdict, which is never counted as False."""
    score: float | None = None
    """How strongly, from 0 to 1, where the detector has degrees."""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class DetectorInfo:
    name: str
    version: str
    known_error: str
    """What is known of how often it is wrong."""


@runtime_checkable
class Detector(Protocol):
    """A detector. Packages offer it as a function in the entry-point group `evalkit.detectors`."""

    @property
    def info(self) -> DetectorInfo: ...

    def detect(self, answers: Sequence[RatedAnswer]) -> list[Detection]:
        """Return one detection for each answer, in order."""
        ...
