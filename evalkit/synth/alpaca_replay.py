"""Makes a recorded Stanford Alpaca run again, with its similarities, from its responses or from its kept tasks.

Alpaca sets no random seed, so that its prompts cannot be drawn again; they are taken as they are. Everything behind
them is followed: reading, filters, and the similarities to all seeds and all that was kept before.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from evalkit.errors import UsageError
from evalkit.regularfile import read_regular_file
from evalkit.synth.filters import refusal
from evalkit.synth.funnel import Funnel
from evalkit.synth.jsonl import json_lines
from evalkit.synth.parsing import whole_tasks
from evalkit.synth.pool import Kept, Pool
from evalkit.synth.recipe import ALPACA
from evalkit.synth.recorded import EXCHANGES, SEEDS, Exchange, read_exchange, read_seeds
from evalkit.synth.seeds import Instance
from evalkit.types import JsonObject

__all__ = ["TASKS", "AlpacaReplay", "KeptTask", "is_alpaca", "replay_alpaca"]

TASKS = "regen.json"
"""Alpaca's own file of the tasks it kept, with their similarities."""
_PROMPT = re.compile(r"###\s*1\. Instruction:")


@dataclass(frozen=True, slots=True)
class KeptTask:
    kept: Kept
    instance: Instance
    number: int
    """The exchange it came from; of a recording without exchanges, its row."""


@dataclass(frozen=True, slots=True)
class AlpacaReplay:
    tasks: tuple[KeptTask, ...]
    funnel: Funnel
    compared: int | None
    """Tasks whose recorded similarities were held against these; None where none are recorded."""
    equal: int | None
    """Of them, those that agree: the mean to 12 digits, and the ten nearest values."""


def is_alpaca(folder: Path) -> bool:
    """Whether the folder holds Alpaca's file of tasks, or prompts in Alpaca's form."""
    if (folder / TASKS).is_file():
        return True
    if not (folder / EXCHANGES).is_file():
        return False
    first, _ = next(json_lines(folder / EXCHANGES), ({}, ""))
    prompt = first.get("prompt")
    return isinstance(prompt, str) and _PROMPT.search(prompt) is not None


def replay_alpaca(folder: Path) -> AlpacaReplay:
    """Make the pool again. UsageError where the recording is broken."""
    seeds = read_seeds(folder / SEEDS)
    recorded = _recorded_tasks(folder / TASKS) if (folder / TASKS).is_file() else None
    pool, funnel = Pool(seeds, ALPACA), Funnel()
    if (folder / EXCHANGES).is_file():
        exchanges = [read_exchange(row, where) for row, where in json_lines(folder / EXCHANGES)]
        tasks = [task for exchange in exchanges for task in _of_exchange(exchange, pool, funnel)]
    else:
        tasks = _of_recorded(recorded or [], pool, funnel)
    if recorded is None:
        return AlpacaReplay(tuple(tasks), funnel, None, None)
    similarities = {task.kept.instruction: task.kept for task in tasks}
    pairs = [(similarities.get(str(row["instruction"])), row) for row in recorded if "avg_similarity_score" in row]
    equal = sum(kept is not None and _agrees(kept, row) for kept, row in pairs)
    return AlpacaReplay(tuple(tasks), funnel, len(pairs), equal)


def _of_exchange(exchange: Exchange, pool: Pool, funnel: Funnel) -> list[KeptTask]:
    funnel.prompts += 1
    funnel.answered += 1
    funnel.cut += exchange.finish == "length"
    tasks = []
    for instruction, given, output in whole_tasks(exchange.text, exchange.finish, ALPACA.examples + 1):
        funnel.candidates += 1
        reason = refusal(instruction, ALPACA) if instruction else "length"
        kept = pool.offer(instruction) if reason is None else None
        if kept is None:
            funnel.refuse(reason or "similar")
        else:
            funnel.kept += 1
            tasks.append(KeptTask(kept, Instance(given, output), exchange.number))
    return tasks


def _of_recorded(rows: list[JsonObject], pool: Pool, funnel: Funnel) -> list[KeptTask]:
    """Compute the similarities of the kept tasks in order. What was refused is not recorded."""
    tasks = []
    for number, row in enumerate(rows):
        funnel.candidates += 1
        kept = pool.offer(str(row["instruction"]))
        if kept is None:
            funnel.refuse("similar")
        else:
            funnel.kept += 1
            instance = Instance(str(row.get("input") or ""), str(row.get("output") or ""))
            tasks.append(KeptTask(kept, instance, number))
    return tasks


def _recorded_tasks(path: Path) -> list[JsonObject]:
    try:
        content = json.loads(read_regular_file(path))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror or error})") from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: not JSON ({error})") from None
    if not isinstance(content, list):
        raise UsageError(f"{path}: a list of tasks is wanted, this is {type(content).__name__}")
    for number, row in enumerate(content):
        if not isinstance(row, dict) or not isinstance(row.get("instruction"), str):
            raise UsageError(f"{path}: task {number} has no `instruction`")
    return content


def _agrees(kept: Kept, row: JsonObject) -> bool:
    mean, near = row["avg_similarity_score"], row.get("most_similar_instructions")
    if not _close(mean, kept.average):
        return False
    if not isinstance(near, dict) or not all(isinstance(value, int | float) for value in near.values()):
        return near is None
    # Equal instructions fall together in an object, and ties have no order.
    ours = sorted(dict(kept.most_similar).values())
    return len(ours) == len(near) and all(_close(a, b) for a, b in zip(sorted(near.values()), ours, strict=True))


def _close(recorded: object, ours: float) -> bool:
    """Whether the recorded number is ours to 12 digits. One of hundreds of digits is no float and is not."""
    if not isinstance(recorded, int | float) or abs(recorded) > 2:
        return False
    return abs(recorded - ours) <= 1e-12
