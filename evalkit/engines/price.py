"""What a model's tokens cost."""

from __future__ import annotations

from dataclasses import dataclass

from evalkit.types import JsonObject

__all__ = ["FREE", "Price"]


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars per million tokens."""

    prompt: float
    generated: float
    source: str

    def of(self, prompt: int, generated: int) -> float:
        return (prompt * self.prompt + generated * self.generated) / 1e6

    def describe(self) -> JsonObject:
        return {"usd_per_million": [self.prompt, self.generated], "source": self.source}


FREE = Price(0.0, 0.0, "a model of your own")
