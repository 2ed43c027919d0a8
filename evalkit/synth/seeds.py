"""Reads seeds: tasks that people wrote, each with at least one instance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from evalkit.errors import UsageError
from evalkit.synth.jsonl import json_lines
from evalkit.types import JsonObject

__all__ = ["Instance", "Seed", "read_seed_tasks"]


@dataclass(frozen=True, slots=True)
class Instance:
    input: str
    output: str


@dataclass(frozen=True, slots=True)
class Seed:
    instruction: str
    instances: tuple[Instance, ...]
    is_classification: bool


def read_seed_tasks(path: Path, fewest: int) -> tuple[Seed, ...]:
    """Read the seeds of a file, in its order. UsageError if there are fewer than `fewest`, or one has no instance.

    A row has `instruction` and `instances` of `input` and `output`, or one `output` as in Alpaca's files.
    """
    seeds = tuple(_seed(row, where) for row, where in json_lines(path))
    if len(seeds) < fewest:
        raise UsageError(
            f"--seeds {path}: {len(seeds)} seed{'s' * (len(seeds) != 1)}; a prompt shows {fewest} examples, so at"
            " least that many are wanted"
        )
    texts: Sequence[str] = [seed.instruction for seed in seeds]
    if len(set(texts)) < fewest:
        raise UsageError(f"--seeds {path}: only {len(set(texts))} different instructions; {fewest} are wanted")
    return seeds


def _seed(row: JsonObject, where: str) -> Seed:
    instruction = row.get("instruction")
    if not isinstance(instruction, str) or not instruction.strip():
        raise UsageError(f"{where}: `instruction` is missing or empty; it has {', '.join(map(str, row)) or 'nothing'}")
    given = row.get("instances")
    if given is None and "output" in row:
        given = [row]
    if not isinstance(given, list) or not given:
        raise UsageError(
            f'{where}: the seed has no instance; "instances": [{{"input": "", "output": "…"}}] is wanted, or "output"'
        )
    return Seed(
        instruction, tuple(_instance(instance, where) for instance in given), row.get("is_classification") is True
    )


def _instance(given: object, where: str) -> Instance:
    if not isinstance(given, dict) or not isinstance(given.get("output"), str):
        raise UsageError(f"{where}: an instance has no `output`; an object of input and output, both text, is wanted")
    text = given.get("input")
    return Instance(text if isinstance(text, str) else "", given["output"])
