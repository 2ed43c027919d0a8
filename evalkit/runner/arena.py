"""evalkit arena: a judge compares the answers of several runs, in the games that tell most about their order."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from evalkit.errors import BudgetReached, UsageError
from evalkit.journal import Journal
from evalkit.judging.backends.spec import JudgeOptions, NamedJudge, OpenJudge, open_judge
from evalkit.judging.items import Item, items_of
from evalkit.judging.judgment import Judge, Judgment
from evalkit.judging.rubric import Rubric
from evalkit.ranking.arena.choosing import Draw, Fixture
from evalkit.results import Run, check_writable
from evalkit.runner.listener import Listener
from evalkit.runner.stop import Stop
from evalkit.types import Arguments, JsonObject

__all__ = ["ArenaRequest", "Match", "Played", "arena_id", "contestants", "play"]


@dataclass(frozen=True, slots=True)
class ArenaRequest:
    rubric: Rubric
    judge: NamedJudge
    output_path: Path
    arguments: Arguments = field(default_factory=dict)
    tasks: Sequence[str] = ()
    fields: Mapping[str, str] = field(default_factory=dict)
    full: bool = False
    """Play every game, and not only those that tell most."""
    top: int | None = None
    """How many ranks from the first on have to be sure; None: all."""
    most_games: int | None = None
    seed: int = 0
    journal: Path | None = None


@dataclass(frozen=True, slots=True)
class Match:
    """A game that was judged, in both orders."""

    prompt: str
    task: str
    model_a: str
    model_b: str
    preference: float | None
    """For the answer of `model_a`, from 0 to 1. None: no verdict, `reason` says why."""
    winner: Literal["model_a", "model_b", "tie"] | None
    lengths: tuple[int, int]
    reason: str | None = None

    @property
    def row(self) -> JsonObject:
        """A line of games.jsonl."""
        row = {
            "question_id": self.prompt,
            "task": self.task,
            "model_a": self.model_a,
            "model_b": self.model_b,
            "winner": self.winner,
            "preference": self.preference,
            "length_a": self.lengths[0],
            "length_b": self.lengths[1],
            "reason": self.reason,
        }
        return {key: value for key, value in row.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Played:
    matches: tuple[Match, ...]
    settled: frozenset[tuple[str, str]] | None
    """Pairs of which the first is surely above the second; None where all games were to be played."""
    possible: int
    """The games of a full design."""
    prompts: tuple[str, ...]
    """All prompts that two models at least answered."""
    stopped: str
    judge: Judge
    described: JsonObject
    asked: int
    reused: int


def contestants(runs: Sequence[Run]) -> dict[str, Run]:
    """The runs by the name of their model; two runs of one model get their run-ids behind it."""
    labels = [run.label for run in runs]
    named = {
        label if labels.count(label) == 1 else f"{label} {run.run_id}": run
        for label, run in zip(labels, runs, strict=True)
    }
    if len(named) < len(runs):
        raise UsageError("a run is named twice: an arena needs different ones")
    if len(named) < 2:
        raise UsageError(f"{len(named)} run: an arena needs two at least")
    return named


def play(runs: Mapping[str, Run], request: ArenaRequest, listener: Listener) -> Played:
    """Play games until the ranks are sure, or nothing more can be learnt or spent. What was judged is kept."""
    check_writable(request.output_path)
    names = sorted(runs)
    answers = [_answers(runs[name], request) for name in names]
    draw = _draw(names, answers, request)
    matches: list[Match] = []
    stopped = "every game is played"
    with (
        Journal.open(request.output_path, folder=request.journal) as journal,
        Stop(rescue=journal.flush, announce=lambda: listener.stopping(0)) as stop,
    ):
        listener.stage(f"opening {request.judge.typed}")
        options = JudgeOptions(request.arguments, True, lambda: stop.requested, listener.note)
        with open_judge(request.judge, journal, options) as judge:
            listener.start({request.judge.typed: draw.total})
            try:
                while fixtures := _next(draw, request):
                    _round(fixtures, names, answers, request, judge, draw, matches, listener)
                    stop.raise_if_requested()
                stopped = _why(draw, request) or stopped
            except BudgetReached as error:
                stopped = str(error)
                listener.note(stopped)
            listener.finish()
            return Played(
                tuple(matches),
                None if request.full else _settled(draw, names),
                draw.total,
                tuple(sorted({prompt for of in draw.prompts.values() for prompt in of})),
                stopped,
                judge.judge,
                judge.description,
                judge.asked,
                judge.reused,
            )


def _settled(draw: Draw, names: Sequence[str]) -> frozenset[tuple[str, str]]:
    return frozenset((names[i], names[j]) for i in range(len(names)) for j in range(len(names)) if draw.above[i, j])


def _answers(run: Run, request: ArenaRequest) -> dict[str, Item]:
    """The answers of a run by the prompt that they are to."""
    items = items_of(run, request.rubric, request.tasks, request.fields)
    return {f"{item.task}/{item.doc_hash or item.doc_id}": item for item in items if item.missing is None}


def _draw(names: Sequence[str], answers: Sequence[Mapping[str, Item]], request: ArenaRequest) -> Draw:
    prompts = {
        (i, j): [prompt for prompt in answers[i] if prompt in answers[j]]
        for i in range(len(names))
        for j in range(i + 1, len(names))
    }
    if not any(prompts.values()):
        raise UsageError(f"{', '.join(names)} have no answered prompt in common: there is nothing to compare")
    return Draw.shuffled(len(names), {pair: of for pair, of in prompts.items() if of}, request.seed, top=request.top)


def _next(draw: Draw, request: ArenaRequest) -> list[Fixture]:
    left = None if request.most_games is None else request.most_games - draw.played
    if left is not None and left <= 0:
        return []
    if not request.full:
        return draw.next(left)
    fixtures = draw.everything()
    return fixtures if left is None else fixtures[:left]


def _why(draw: Draw, request: ArenaRequest) -> str | None:
    """Why no more games are played; None where none is left."""
    if request.most_games is not None and draw.played >= request.most_games:
        return f"--max-games {request.most_games} are played"
    if draw.played >= draw.total or request.full:
        return None
    if draw.sure:
        return "the ranks are sure" if request.top is None else f"the first {request.top} ranks are sure"
    return "the games that are left would not settle the ranks that are open"


def _round(
    fixtures: Sequence[Fixture],
    names: Sequence[str],
    answers: Sequence[Mapping[str, Item]],
    request: ArenaRequest,
    judge: OpenJudge,
    draw: Draw,
    matches: list[Match],
    listener: Listener,
) -> None:
    """Judge these games. Results are taken in the order of the fixtures, so that a resumed arena goes on alike."""
    items: dict[str, tuple[Fixture, Item]] = {}
    for fixture in fixtures:
        first, second = (answers[number][fixture.prompt] for number in (fixture.first, fixture.second))
        name = f"{fixture.prompt}|{fixture.first}|{fixture.second}"
        pair = replace(
            first, item=name, other=second.answer, against=names[fixture.second], system=names[fixture.first]
        )
        items[name] = fixture, pair
    judgments_of: dict[str, list[Judgment]] = {name: [] for name in items}
    try:
        for judgment in judge.judge_items(request.rubric, [item for _, item in items.values()]):
            judgments_of[judgment.item.item].append(judgment)
            listener.advance(request.judge.typed)
    finally:
        for name, judgments in judgments_of.items():
            if len(judgments) == len(request.rubric.dimensions):
                fixture, item = items[name]
                match = _match(names, fixture, item, judgments)
                matches.append(match)
                draw.record(fixture, {"model_a": 1.0, "model_b": 0.0, "tie": 0.5}.get(match.winner or ""))


def _match(names: Sequence[str], fixture: Fixture, item: Item, judgments: Sequence[Judgment]) -> Match:
    scores = [judgment.score for judgment in judgments if judgment.score is not None]
    preference = math.fsum(scores) / len(scores) if len(scores) == len(judgments) else None
    return Match(
        prompt=fixture.prompt,
        task=item.task,
        model_a=names[fixture.first],
        model_b=names[fixture.second],
        preference=preference,
        winner=None if preference is None else _winner(preference, judgments),
        lengths=(len(item.answer), len(item.other or "")),
        reason=next((judgment.reason for judgment in judgments if judgment.score is None), None),
    )


def _winner(preference: float, judgments: Sequence[Judgment]) -> Literal["model_a", "model_b", "tie"]:
    """A tie where the two orders do not name the same winner: then the order decided, and not the answers."""
    if preference == 0.5 or any(judgment.consistent is False for judgment in judgments):
        return "tie"
    return "model_a" if preference > 0.5 else "model_b"


def arena_id(names: Sequence[str], rubric: Rubric, judge: str, seed: int) -> str:
    """A name for an arena that is the same for the same runs, rubric, judge and seed."""
    text = "\0".join([*sorted(names), rubric.hash, judge, str(seed)])
    return f"arena-{hashlib.blake2b(text.encode(), digest_size=4).hexdigest()}"
