"""One example of a check: what strict takes, what only loose takes, what neither."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = ["Case"]


@dataclass(frozen=True)
class Case:
    language: str
    spec: dict[str, Any]
    strict: tuple[str, ...]
    """Accepted as they are."""
    loose: tuple[str, ...]
    """Accepted by a careful reader, refused as they are."""
    refused: tuple[str, ...]
    wrappable: bool = field(default=True)
    """Whether what strict takes is taken loosely inside a fence, and between a preamble and a farewell."""

    @property
    def name(self) -> str:
        return f"{self.spec['kind']}-{self.language}"
