"""Reads training data row by row, in the usual formats, as the whole text of each row."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from evalkit.synth.textrows import text_rows
from evalkit.types import JsonObject

__all__ = ["read_training", "training_text"]

_PARTS = (
    *("system", "instruction", "question", "prompt", "input", "context"),
    *("output", "answer", "response", "completion", "chosen", "rejected"),
)


def training_text(row: JsonObject) -> str | None:
    """The text of all fields of a row, questions and answers; None where it has none of the known fields."""
    if isinstance(row.get("text"), str):
        return str(row["text"])
    for name in ("messages", "conversations"):
        if isinstance(row.get(name), list):
            return _turns(row[name])
    texts = [text for name in _PARTS if (text := _text(row.get(name)))]
    return "\n\n".join(texts) if texts else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else _turns(value) if isinstance(value, list) else ""


def _turns(turns: list[Any]) -> str:
    contents = [turn.get("content", turn.get("value")) if isinstance(turn, dict) else turn for turn in turns]
    return "\n\n".join(text for text in contents if isinstance(text, str))


def read_training(path: Path) -> Iterator[tuple[int, str, int]]:
    """Yield row number from 0, text and size in bytes of each row of a JSONL file."""
    wanted = "text, instruction and output, prompt and completion, or messages are wanted"
    return text_rows(path, training_text, wanted)
