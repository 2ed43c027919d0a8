"""Reads a recorded run: `seed_tasks.jsonl`, and `exchanges.jsonl` with each prompt that was sent and what came back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from evalkit.errors import UsageError
from evalkit.synth.jsonl import json_lines
from evalkit.types import JsonObject

__all__ = ["EXCHANGES", "SEEDS", "Exchange", "RecordedRun", "read_exchange", "read_recorded", "read_seeds"]

SEEDS, EXCHANGES = "seed_tasks.jsonl", "exchanges.jsonl"


@dataclass(frozen=True, slots=True)
class Exchange:
    number: int
    request: int
    """The batch of prompts that this one was sent with."""
    prompt: str
    text: str
    finish: str | None


@dataclass(frozen=True, slots=True)
class RecordedRun:
    seeds: tuple[str, ...]
    exchanges: tuple[Exchange, ...]


def read_recorded(folder: Path) -> RecordedRun:
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder: a recorded run holds {SEEDS} and {EXCHANGES}")
    exchanges = tuple(read_exchange(row, where) for row, where in json_lines(folder / EXCHANGES))
    return RecordedRun(read_seeds(folder / SEEDS), exchanges)


def read_seeds(path: Path) -> tuple[str, ...]:
    """The instructions of a seed file, in its order."""
    return tuple(_text(row, "instruction", where) for row, where in json_lines(path))


def read_exchange(row: JsonObject, where: str) -> Exchange:
    response = row.get("response")
    if not isinstance(response, dict):
        raise UsageError(f"{where}: `response` is missing; it holds `text` and `finish_reason`")
    for name in ("n", "request_idx"):
        if not isinstance(row.get(name), int) or isinstance(row[name], bool) or row[name] < 0:
            raise UsageError(f"{where}: `{name}` is missing; a number from 0 is wanted")
    finish = response.get("finish_reason")
    text = _text(response, "text", where)
    return Exchange(row["n"], row["request_idx"], _text(row, "prompt", where), text, finish and str(finish))


def _text(row: JsonObject, name: str, where: str) -> str:
    value = row.get(name)
    if not isinstance(value, str):
        raise UsageError(f"{where}: `{name}` is missing; it has {', '.join(map(str, row)) or 'nothing'}")
    return value
