"""Writes and reads synth.json, which holds all settings of a pool, so that it can be made again from its answers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from evalkit.errors import UsageError
from evalkit.regularfile import read_regular_file
from evalkit.synth.asking import Ask, Reply
from evalkit.synth.cosine import Judged
from evalkit.synth.jsonl import json_lines
from evalkit.synth.making import Made, Order, make
from evalkit.synth.novelty import Known
from evalkit.synth.poolfile import EXCHANGES, SEEDS, SETTINGS
from evalkit.synth.recipe import recipe_named
from evalkit.synth.seeds import read_seed_tasks
from evalkit.types import JsonObject

__all__ = ["is_own", "order_settings", "read_settings", "remake", "seed_rows"]


def order_settings(order: Order, made: Made) -> JsonObject:
    """All settings that determine the pool beside seeds and answers."""
    return {
        "recipe": order.recipe.name,
        "n": order.n,
        "seed": order.seed,
        "about": order.about,
        "held_out": order.held_out,
        "in_benchmarks": list(made.in_benchmarks),
        "too_near": list(made.too_near) if order.near is not None else None,
    }


def seed_rows(order: Order) -> Iterator[JsonObject]:
    for number, seed in enumerate(order.seeds):
        yield {"id": f"seed_task_{number}", **asdict(seed)}


def is_own(folder: Path) -> bool:
    """Whether `evalkit synth new` made the folder."""
    return (folder / SETTINGS).is_file()


def read_settings(folder: Path) -> JsonObject:
    path = folder / SETTINGS
    try:
        content = json.loads(read_regular_file(path))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror or error})") from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: not JSON ({error})") from None
    if not isinstance(content, dict) or not isinstance(content.get("order"), dict):
        raise UsageError(f"{path}: not a file of evalkit synth new: it has no `order`")
    return content


def remake(folder: Path) -> Made:
    """Make the pool again from the recorded answers. UsageError where a recorded prompt is not the drawn one."""
    order = _order(folder, read_settings(folder)["order"])
    recorded = _exchanges(folder)
    steps = make(order)
    replies: list[Reply] | None = None
    while True:
        try:
            asks = next(steps) if replies is None else steps.send(replies)
        except StopIteration as end:
            made: Made = end.value
            return made
        replies = [_reply(recorded, ask, order) for ask in asks]


def _order(folder: Path, given: JsonObject) -> Order:
    recipe = recipe_named(str(given.get("recipe")))
    near = given.get("too_near")
    try:
        return Order(
            read_seed_tasks(folder / SEEDS, recipe.examples),
            recipe,
            int(given["n"]),
            int(given["seed"]),
            None if given["about"] is None else str(given["about"]),
            float(given["held_out"]),
            Known(map(str, given["in_benchmarks"])),
            None if near is None else Judged(map(str, near)),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(f"{folder / SETTINGS}: `order` is not whole ({error})") from None


def _exchanges(folder: Path) -> Sequence[tuple[str, Reply]]:
    found = []
    for row, where in json_lines(folder / EXCHANGES):
        response = row.get("response")
        if not isinstance(row.get("prompt"), str) or not isinstance(response, dict):
            raise UsageError(f"{where}: `prompt` and `response` are wanted")
        found.append((row["prompt"], Reply(str(response.get("text") or ""), response.get("finish_reason"))))
    return found


def _reply(recorded: Sequence[tuple[str, Reply]], ask: Ask, order: Order) -> Reply:
    if ask.number >= len(recorded):
        raise UsageError(f"{EXCHANGES} ends before the pool is whole: exchange {ask.number} ({ask.stage}) is missing")
    prompt, reply = recorded[ask.number]
    if prompt != ask.prompt:
        raise UsageError(
            f"exchange {ask.number} holds a prompt that the recipe {order.recipe.name} does not draw there: it begins"
            f" {prompt[:80]!r}, drawn was {ask.prompt[:80]!r}"
        )
    return reply
