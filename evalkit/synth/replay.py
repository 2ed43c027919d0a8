"""Makes the pool of a recorded run again: draws the same prompts and uses the recorded answers."""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass

from evalkit.errors import UsageError
from evalkit.synth.filters import refusal
from evalkit.synth.funnel import Funnel
from evalkit.synth.parsing import candidates
from evalkit.synth.pool import Kept, Pool
from evalkit.synth.prompts import draw_examples, prompt_text
from evalkit.synth.recipe import SELF_INSTRUCT, Recipe
from evalkit.synth.recorded import Exchange, RecordedRun

__all__ = ["Replay", "replay"]


@dataclass(frozen=True, slots=True)
class Replay:
    kept: tuple[tuple[Kept, Exchange], ...]
    """What was kept, in order, with the exchange that it came from."""
    funnel: Funnel
    restarts: int
    """How often the random numbers began anew, as they do where the recorded run was stopped and went on."""


def replay(run: RecordedRun, recipe: Recipe = SELF_INSTRUCT) -> Replay:
    """Make the pool again. UsageError where a recorded prompt is not the one that the recipe draws."""
    if len(run.seeds) < recipe.examples:
        raise UsageError(
            f"{len(run.seeds)} seeds: a prompt shows {recipe.examples} examples, so at least that many are wanted"
        )
    by_request: dict[int, list[Exchange]] = defaultdict(list)
    for exchange in run.exchanges:
        by_request[exchange.request].append(exchange)
    pool, funnel, rng = Pool(run.seeds, recipe), Funnel(), random.Random(recipe.random_seed)
    kept: list[tuple[Kept, Exchange]] = []
    restarts = silent = 0
    for request in range(max(by_request, default=-1) + 1):
        expected = by_request.get(request, [])
        prompts = _draw(run, pool, recipe, rng)
        silent += 1
        if not _holds(prompts, expected):
            again = _after_restart(run, pool, recipe, expected, silent)
            if again is None:
                raise UsageError(_other_prompt(expected, prompts, recipe))
            prompts, rng = again
            restarts += 1
        silent = 0 if expected else silent
        funnel.prompts += len(prompts)
        for exchange in expected:
            funnel.answered += 1
            kept += [(new, exchange) for new in _read(exchange, pool, recipe, funnel)]
    return Replay(tuple(kept), funnel, restarts)


def _draw(run: RecordedRun, pool: Pool, recipe: Recipe, rng: random.Random) -> list[str]:
    machine = pool.instructions
    return [prompt_text(draw_examples(run.seeds, machine, recipe, rng), recipe) for _ in range(recipe.prompts_at_once)]


def _after_restart(
    run: RecordedRun, pool: Pool, recipe: Recipe, expected: list[Exchange], silent: int
) -> tuple[list[str], random.Random] | None:
    """The prompts and random numbers of a run that was stopped and went on: it begins its random numbers anew.

    That may have been up to `silent` requests ago, the ones before this one without a record.
    """
    for requests in range(silent, 0, -1):
        rng = random.Random(recipe.random_seed)
        for _ in range(requests):
            prompts = _draw(run, pool, recipe, rng)
        if _holds(prompts, expected):
            return prompts, rng
    return None


def _holds(prompts: list[str], expected: list[Exchange]) -> bool:
    """Whether the recorded prompts are among the drawn ones, in their order."""
    drawn = iter(prompts)
    return all(exchange.prompt in drawn for exchange in expected)


def _read(exchange: Exchange, pool: Pool, recipe: Recipe, funnel: Funnel) -> list[Kept]:
    funnel.cut += exchange.finish == "length"
    new = []
    for candidate in candidates(exchange.text, exchange.finish):
        funnel.candidates += 1
        reason = refusal(candidate, recipe)
        kept = pool.offer(candidate) if reason is None else None
        if kept is None:
            funnel.refused[reason or "similar"] += 1
        else:
            funnel.kept += 1
            new.append(kept)
    return new


def _other_prompt(expected: list[Exchange], prompts: list[str], recipe: Recipe) -> str:
    first = next(exchange for exchange in expected if exchange.prompt not in prompts)
    return (
        f"exchange {first.number} (request {first.request}) holds a prompt that the recipe {recipe.name} does not draw"
        f" there: it begins {first.prompt[:80]!r}, drawn was {prompts[0][:80]!r}"
    )
