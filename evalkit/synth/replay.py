"""A recorded run once more: the same prompts from the same random numbers, the recorded answers, the same pool."""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass, field

from evalkit.errors import UsageError
from evalkit.synth.filters import REASONS, refusal
from evalkit.synth.parsing import candidates
from evalkit.synth.pool import Kept, Pool
from evalkit.synth.prompts import draw_examples, prompt_text
from evalkit.synth.recipe import SELF_INSTRUCT, Recipe
from evalkit.synth.recorded import Exchange, RecordedRun

__all__ = ["Funnel", "Replay", "replay"]


@dataclass(slots=True)
class Funnel:
    """How many prompts became how many instructions, and where the others fell."""

    prompts: int = 0
    answered: int = 0
    """Prompts with a recorded response. The others yielded nothing when the run was made, and left no record."""
    cut: int = 0
    """Responses cut off by their length, which count for nothing."""
    candidates: int = 0
    refused: dict[str, int] = field(default_factory=lambda: dict.fromkeys(REASONS, 0))
    kept: int = 0


@dataclass(frozen=True, slots=True)
class Replay:
    kept: tuple[tuple[Kept, Exchange], ...]
    """What was kept, in order, with the exchange that it came from."""
    funnel: Funnel
    restarts: int
    """How often the random numbers began anew, as they do where the recorded run was stopped and went on."""


def replay(run: RecordedRun, recipe: Recipe = SELF_INSTRUCT) -> Replay:
    """UsageError where a recorded prompt is not the one that the recipe draws."""
    if len(run.seeds) < recipe.examples:
        raise UsageError(
            f"{len(run.seeds)} seeds: a prompt shows {recipe.examples} examples, so at least that many are wanted"
        )
    by_request: dict[int, list[Exchange]] = defaultdict(list)
    for exchange in run.exchanges:
        by_request[exchange.request].append(exchange)
    pool, funnel, rng = Pool(run.seeds, recipe), Funnel(), random.Random(recipe.random_seed)
    kept: list[tuple[Kept, Exchange]] = []
    restarts = 0
    for request in range(max(by_request, default=-1) + 1):
        expected = by_request.get(request, [])
        prompts = _draw(run, pool, recipe, rng)
        if not _holds(prompts, expected):
            # A run that was stopped began its random numbers anew when it went on.
            rng = random.Random(recipe.random_seed)
            anew = _draw(run, pool, recipe, rng)
            if not _holds(anew, expected):
                raise UsageError(_other_prompt(expected, prompts, recipe))
            prompts, restarts = anew, restarts + 1
        funnel.prompts += len(prompts)
        for exchange in expected:
            funnel.answered += 1
            kept += [(new, exchange) for new in _read(exchange, pool, recipe, funnel)]
    return Replay(tuple(kept), funnel, restarts)


def _draw(run: RecordedRun, pool: Pool, recipe: Recipe, rng: random.Random) -> list[str]:
    machine = pool.instructions
    return [prompt_text(draw_examples(run.seeds, machine, recipe, rng), recipe) for _ in range(recipe.prompts_at_once)]


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
