"""Writes and reads the rows of pool.jsonl."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from evalkit.errors import UsageError
from evalkit.synth.jsonl import json_lines
from evalkit.synth.making import Task
from evalkit.synth.seeds import Instance
from evalkit.types import JsonObject

__all__ = ["EXCHANGES", "POOL", "SEEDS", "SETTINGS", "PoolRow", "pool_rows", "read_pool"]

POOL, EXCHANGES, SEEDS, SETTINGS = "pool.jsonl", "exchanges.jsonl", "seed_tasks.jsonl", "synth.json"

HELD_OUT, TRAIN = "held-out", "train"


@dataclass(frozen=True, slots=True)
class PoolRow:
    instruction: str
    instances: tuple[Instance, ...]
    held_out: bool
    is_classification: bool | None
    average: float | None
    most_similar: tuple[tuple[str, float], ...]


def pool_rows(tasks: Iterable[Task]) -> Iterable[JsonObject]:
    """A row for each task. `input` and `output` are those of its first instance, so that the file is a task set."""
    for task in tasks:
        first = task.instances[0]
        yield {
            "instruction": task.kept.instruction,
            "input": first.input,
            "output": first.output,
            "instances": [{"input": instance.input, "output": instance.output} for instance in task.instances],
            "is_classification": task.is_classification,
            "split": HELD_OUT if task.held_out else TRAIN,
            "avg_similarity_score": task.kept.average,
            "most_similar": dict(task.kept.most_similar),
            "exchange": task.exchange,
        }


def read_pool(folder: Path) -> list[PoolRow]:
    """The rows of a pool's folder."""
    path = folder / POOL
    if not path.is_file():
        raise UsageError(f"{folder} holds no {POOL}: evalkit synth new makes one")
    return [_row(row, where) for row, where in json_lines(path)]


def _row(row: JsonObject, where: str) -> PoolRow:
    instruction = row.get("instruction")
    if not isinstance(instruction, str):
        raise UsageError(f"{where}: `instruction` is missing; evalkit synth new writes such a file")
    given = row.get("instances")
    listed = given if isinstance(given, list) else [row] if "output" in row else []
    instances = tuple(
        Instance(str(instance.get("input") or ""), str(instance["output"]))
        for instance in listed
        if isinstance(instance, dict) and isinstance(instance.get("output"), str)
    )
    average, near, kind = row.get("avg_similarity_score"), row.get("most_similar"), row.get("is_classification")
    return PoolRow(
        instruction,
        instances,
        row.get("split") == HELD_OUT,
        kind if isinstance(kind, bool) else None,
        float(average) if isinstance(average, int | float) else None,
        tuple((str(text), float(value)) for text, value in near.items()) if isinstance(near, dict) else (),
    )
