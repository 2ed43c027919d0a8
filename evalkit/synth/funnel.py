"""Counts what became of prompts and candidates: kept, refused or left out, by reason."""

from __future__ import annotations

from dataclasses import dataclass, field

from evalkit.synth.filters import REASONS

__all__ = ["Funnel"]


@dataclass(slots=True)
class Funnel:
    prompts: int = 0
    answered: int = 0
    """Prompts with a response. In a recording of the original the others yielded nothing, and left no record."""
    cut: int = 0
    """Responses cut off by their length."""
    candidates: int = 0
    refused: dict[str, int] = field(default_factory=lambda: dict.fromkeys(REASONS, 0))
    kept: int = 0
    """Instructions that were kept."""
    left_out: dict[str, int] = field(default_factory=dict)
    """Kept instructions that became no task, by reason: none of their instances could be used."""

    def refuse(self, reason: str) -> None:
        self.refused[reason] = self.refused.get(reason, 0) + 1

    def leave_out(self, reason: str) -> None:
        self.left_out[reason] = self.left_out.get(reason, 0) + 1

    def __str__(self) -> str:
        refused = ", ".join(f"{count} {reason}" for reason, count in self.refused.items() if count) or "none"
        left_out = ", ".join(f"{count} {reason}" for reason, count in self.left_out.items())
        return (
            f"{self.prompts} prompts, {self.answered} answered, {self.candidates} candidates:"
            f" {self.kept} kept; refused: {refused}" + (f"; left out: {left_out}" if left_out else "")
        )
