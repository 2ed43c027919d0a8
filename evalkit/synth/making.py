"""A new pool, step by step: what to ask next follows from the seeds, the random numbers and all answers so far.

`make` calls no model itself. It is a generator that yields batches of prompts and is sent their answers, so that the
same answers give the same pool, whether they come from a model, the journal or a recording.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field

from evalkit.synth.asking import Ask, Reply, Stage
from evalkit.synth.cosine import Near, TfIdf
from evalkit.synth.filters import Patterns, refusal
from evalkit.synth.forms import misfit
from evalkit.synth.funnel import Funnel
from evalkit.synth.instances import asks_for_class, asks_for_instances, read_class, read_instances, usable
from evalkit.synth.novelty import Novel
from evalkit.synth.parsing import candidates, listed, whole_tasks
from evalkit.synth.pool import Kept, Pool
from evalkit.synth.prompts import aware_prompt, draw_examples, prompt_text, whole_prompt
from evalkit.synth.recipe import Recipe
from evalkit.synth.scripts import is_korean, scripts_of
from evalkit.synth.seeds import Instance, Seed
from evalkit.synth.wording import ENGLISH, KOREAN
from evalkit.types import Arguments

__all__ = ["Made", "Order", "Steps", "Task", "make"]


@dataclass(frozen=True, slots=True)
class Order:
    """What the user asked for: seeds, recipe and size of the pool."""

    seeds: tuple[Seed, ...]
    recipe: Recipe
    n: int
    seed: int = 0
    about: str | None = None
    held_out: float = 0.2
    novelty: Novel | None = None
    near: Near | None = None
    """Instead of the n-grams' cosine."""


@dataclass(frozen=True, slots=True)
class Task:
    """A task of the pool."""

    kept: Kept
    instances: tuple[Instance, ...]
    is_classification: bool | None
    exchange: int
    held_out: bool


@dataclass(frozen=True, slots=True)
class Made:
    tasks: tuple[Task, ...]
    funnel: Funnel
    exhausted: bool
    """Whether it ended because nothing new came any more."""
    in_benchmarks: tuple[str, ...] = ()
    """Texts that were refused because a benchmark holds them; a replay needs no benchmark then."""
    too_near: tuple[str, ...] = ()
    """Instructions that the second measure of similarity refused."""


Steps = Generator[list[Ask], Sequence[Reply], Made]


def make(order: Order) -> Steps:
    """Yield batches of requests, take their replies, and return the pool."""
    return _Making(order).steps()


@dataclass(slots=True)
class _New:
    """A kept instruction, with its instances as far as they have been asked for."""

    kept: Kept
    exchange: int
    is_classification: bool | None = None
    instances: list[Instance] = field(default_factory=list)


_CLASS = {"max_gen_toks": 3, "temperature": 0.0, "until": ["\n", "Task"]}
_INSTANCES = {"max_gen_toks": 350, "temperature": 0.0, "until": ["Example 6", "Task:"]}
_BY_LABEL = {**_INSTANCES, "max_gen_toks": 300}
_AWARE_CLASS = {"max_gen_toks": 16, "temperature": 0.0, "until": ["\n"]}
_AWARE_INSTANCES = {"max_gen_toks": 768, "temperature": 0.0, "until": ["\nTask:", "\n과제:"]}


class _Making:
    def __init__(self, order: Order) -> None:
        self.order = order
        self.recipe = recipe = order.recipe
        self.texts = [seed.instruction for seed in order.seeds]
        near = order.near or (TfIdf() if recipe.aware else None)
        self.pool = Pool(self.texts, recipe, near)
        self.funnel = Funnel()
        fixed = recipe.random_seed
        self.rng = random.Random(order.seed if fixed is None else fixed)
        self.scripts = scripts_of(self.texts) if recipe.aware else frozenset()
        self.words = KOREAN if recipe.aware and is_korean(self.texts) else ENGLISH
        self.patterns = Patterns()
        self.numbers = 0
        self.done: list[_New] = []
        """Instructions whose instances are there, or that never had to have any."""
        self.in_benchmarks: list[str] = []

    def steps(self) -> Steps:
        recipe, batches, barren = self.recipe, 0, 0
        waiting: list[_New] = []
        while len(self.done) + len(waiting) < self.order.n and barren < recipe.patience:
            asks = [self._ask("instructions", batches, prompt) for prompt in self._prompts()]
            replies = yield asks
            batches += 1
            self.funnel.prompts += len(asks)
            before = len(self.done) + len(waiting)
            for ask, reply in zip(asks, replies, strict=True):
                waiting += self._read(ask, reply, self.order.n - len(self.done) - len(waiting))
            if recipe.aware:
                # Only whole tasks count towards n, so instances are asked for at once.
                yield from self._complete(waiting, batches)
                waiting = []
            barren = 0 if len(self.done) + len(waiting) > before else barren + 1
        exhausted = len(self.done) + len(waiting) < self.order.n
        yield from self._complete(waiting, batches)
        return Made(
            tuple(map(self._task, self.done)),
            self.funnel,
            exhausted,
            tuple(dict.fromkeys(self.in_benchmarks)),
            tuple(self.pool.too_near),
        )

    # ── instructions ─────────────────────────────────────────────────────────

    def _prompts(self) -> list[str]:
        recipe, order = self.recipe, self.order
        machine = self.pool.instructions
        prompts = []
        for _ in range(recipe.prompts_at_once):
            if recipe.whole_tasks:
                prompts.append(whole_prompt(draw_examples(order.seeds, (), recipe, self.rng), recipe))
                continue
            examples = draw_examples(self.texts, machine, recipe, self.rng)
            text = aware_prompt(examples, self.words, order.about) if recipe.aware else prompt_text(examples, recipe)
            prompts.append(text)
        return prompts

    def _read(self, ask: Ask, reply: Reply, room: int) -> list[_New]:
        """Read one response and return the instructions that are kept, up to `room` in the recipe `evalkit`."""
        funnel, recipe = self.funnel, self.recipe
        funnel.answered += reply.finish != "error"
        funnel.cut += reply.finish == "length"
        new: list[_New] = []
        for text, instance in self._candidates(reply):
            if recipe.aware and len(new) >= room:
                break
            funnel.candidates += 1
            reason = refusal(text, recipe, self.scripts) or self._refusal_beyond(text)
            kept = self.pool.offer(text) if reason is None else None
            if kept is None:
                funnel.refuse(reason or "similar")
                continue
            self.patterns.add(text)
            funnel.kept += 1
            new.append(_New(kept, ask.number, instances=[] if instance is None else [instance]))
        return new

    def _candidates(self, reply: Reply) -> list[tuple[str, Instance | None]]:
        recipe = self.recipe
        if recipe.whole_tasks:
            tasks = whole_tasks(reply.text, reply.finish, recipe.examples + 1)
            return [(instruction, Instance(given, output)) for instruction, given, output in tasks if instruction]
        read = listed if recipe.aware else candidates
        return [(text, None) for text in read(reply.text, reply.finish)]

    def _refusal_beyond(self, text: str) -> str | None:
        """Why a candidate is refused because of benchmarks or of the pool's patterns; None where it is not."""
        if self._in_benchmarks(text):
            return "benchmark"
        return "pattern" if self.recipe.aware and self.patterns.repeats(text) else None

    # ── classification and instances ─────────────────────────────────────────

    def _complete(self, new: list[_New], request: int) -> Generator[list[Ask], Sequence[Reply], None]:
        recipe = self.recipe
        if recipe.whole_tasks or not new:
            self.done += [task for task in new if not self._is_unfit(task)]
            return
        asks = [self._ask("classification", request, asks_for_class(task.kept.instruction, self.words)) for task in new]
        replies = yield asks
        for task, reply in zip(new, replies, strict=True):
            task.is_classification = read_class(reply.text, self.words)
        asks = [self._ask_for_instances(task, request) for task in new]
        replies = yield asks
        for task, reply in zip(new, replies, strict=True):
            instances = read_instances(reply.text, reply.finish, bool(task.is_classification), self.words)
            task.instances = usable(instances, recipe.most_instances)
            if not self._is_unfit(task):
                self.done.append(task)

    def _ask_for_instances(self, new: _New, request: int) -> Ask:
        labelled, most = bool(new.is_classification), self.recipe.most_instances
        prompt = asks_for_instances(new.kept.instruction, labelled, self.order.seeds, self.words, most)
        return self._ask("instances", request, prompt, labelled)

    def _is_unfit(self, new: _New) -> bool:
        """Whether a task has no usable instance. Its instruction stays in the pool, so that it is not made again."""
        reason: str | None = "no instance" if not new.instances else None
        if reason is None and self.recipe.aware:
            reasons = [
                misfit(new.kept.instruction, instance, bool(new.is_classification)) for instance in new.instances
            ]
            new.instances = [instance for instance, why in zip(new.instances, reasons, strict=True) if why is None]
            reason = None if new.instances else reasons[0]
        if reason is None:
            first = new.instances[0]
            texts = (f"{new.kept.instruction}\n{first.input}\n{first.output}", first.input, first.output)
            if any(map(self._in_benchmarks, texts)):
                reason = "benchmark"
        if reason is not None:
            self.funnel.leave_out(reason)
        return reason is not None

    def _in_benchmarks(self, text: str) -> bool:
        novelty = self.order.novelty
        if novelty is None or not text or not novelty.found_in(text):
            return False
        self.in_benchmarks.append(text)
        return True

    # ── inside ───────────────────────────────────────────────────────────────

    def _ask(self, stage: Stage, request: int, prompt: str, is_classification: bool = False) -> Ask:
        number, self.numbers = self.numbers, self.numbers + 1
        sampling, server_only = self._sampling(stage, is_classification)
        return Ask(number, request, stage, prompt, sampling, server_only)

    def _sampling(self, stage: Stage, is_classification: bool) -> tuple[Arguments, Arguments]:
        recipe = self.recipe
        if stage == "instructions":
            return recipe.asking, recipe.server_only
        if stage == "classification":
            return (_AWARE_CLASS if recipe.aware else _CLASS), {}
        if recipe.aware:
            return _AWARE_INSTANCES, {}
        return (_BY_LABEL if is_classification else _INSTANCES), {"presence_penalty": 1.5}

    def _task(self, new: _New) -> Task:
        share = int.from_bytes(hashlib.sha256(new.kept.instruction.encode("utf-8", "replace")).digest()[:8]) / 2**64
        held_out = share < self.order.held_out
        return Task(new.kept, tuple(new.instances), new.is_classification, new.exchange, held_out)
