"""The requests for making a pool, and the replies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from evalkit.types import Arguments, JsonObject

__all__ = ["Ask", "Reply", "Stage"]

Stage = Literal["instructions", "classification", "instances"]


@dataclass(frozen=True, slots=True)
class Ask:
    number: int
    """Counts all that is asked, from 0."""
    request: int
    """The batch of prompts that this one belongs to."""
    stage: Stage
    prompt: str
    sampling: Arguments
    """As --gen-kwargs name it."""
    server_only: Arguments
    """More of that, for servers."""


@dataclass(frozen=True, slots=True)
class Reply:
    text: str
    finish: str | None
    """`length` where it was cut off; `error` where the request failed."""

    def as_record(self, ask: Ask) -> JsonObject:
        """The exchange as a line of exchanges.jsonl."""
        return {
            "n": ask.number,
            "request_idx": ask.request,
            "stage": ask.stage,
            "prompt": ask.prompt,
            "response": {"text": self.text, "finish_reason": self.finish},
        }
