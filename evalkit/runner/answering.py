"""The loop in the middle: what the journal knows, what the engine has to answer, and grading beside both."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from evalkit.config import RunConfig
from evalkit.engines.base import Engine
from evalkit.engines.spec import start
from evalkit.errors import EngineError, EvalkitError, Interrupted, OutputError
from evalkit.journal import Journal, expected_bytes
from evalkit.planning import Plan, plan
from evalkit.registry import Document, Task
from evalkit.results import check_space
from evalkit.runner.clock import Clock
from evalkit.runner.engines import settings_of
from evalkit.runner.following import Followups, as_work
from evalkit.runner.grading import Grading
from evalkit.runner.ledger import Ledger, Pending
from evalkit.runner.listener import Listener
from evalkit.runner.preparing import Prepared
from evalkit.runner.requests import answer_keys, enrol
from evalkit.runner.rounds import Batches, Everything, Rounds
from evalkit.runner.stop import Stop
from evalkit.sandbox import Sandbox
from evalkit.types import Failed, GenerateRequest, Request, Row, TokenRequest, Usage, Work

__all__ = ["Answered", "answer", "start_sandbox"]


@dataclass(slots=True)
class Answered:
    grading: Grading
    generated: list[int]
    """Tokens generated for each variant."""
    unique: int = 0
    usage: Usage | None = None
    engine: Mapping[str, Any] | None = None
    sandbox: Mapping[str, Any] | None = None
    failed: int = 0
    first_failure: str | None = None
    error: EvalkitError | None = None
    notes: list[str] = field(default_factory=list)


def answer(
    prepared: Prepared,
    config: RunConfig,
    journal: Journal,
    listener: Listener,
    clock: Clock,
    rounds: Rounds | None = None,
) -> Answered:
    """`rounds`: documents are asked a few at a time, until it is known enough."""
    with ExitStack() as stack:
        # Before the engine: nothing may be forked from a process that holds a GPU.
        sandbox = start_sandbox(stack, prepared.documents, config, listener)
        stop = stack.enter_context(Stop(rescue=journal.flush))
        with clock("build"):
            listener.stage("tokenising")
            ledger = enrol(prepared, config)
            keys = answer_keys(prepared, ledger)
            for note in prepared.tokenizer.notes:
                listener.note(note)
        requested = _requested_by_leaf(prepared)
        listener.start(_totals(prepared, requested))
        grading = _grading(prepared, sandbox, listener, requested, rounds)
        done = Answered(grading, [0] * len(prepared.variants))
        turns = Followups(prepared, config, ledger, keys)
        talk = _Talk(ledger, {} if config.fresh else keys, journal, turns, done)
        if rounds is not None:
            rounds.enrol(ledger)
        batches: Batches = rounds or Everything(ledger)
        asking = _Asking(talk, batches, clock)
        anything = asking.next()
        check_space(config.output_path, _space(prepared, asking.unknown))
        if anything:
            with clock("load"):
                listener.stage(f"loading {prepared.model.spec.typed} ({prepared.kind.name})")
                engine = start(
                    prepared.kind, prepared.model.spec, prepared.tokenizer, prepared.adapters, settings_of(config)
                )
                stack.callback(engine.close)
            done.usage = engine.usage
            listener.known()
            try:
                with clock("inference"):
                    _ask(engine, asking, talk, keys, stop, listener)
            except (EngineError, OutputError) as error:
                done.error = error
            done.engine = engine.description
        journal.flush()
        if stop.now:
            stop.raise_if_requested()
        with clock("scoring"):
            done.grading.poll(wait=True)
            for pending in ledger.unfinished():
                if batches.drawn(pending):
                    done.grading.give_up(pending)
        done.failed, done.first_failure = ledger.failed, ledger.first_failure
        done.sandbox = sandbox.describe() if sandbox is not None else None
        if stop.requested and done.error is None:
            done.error = Interrupted(f"{stop.reason}; what had finished is kept: the same command goes on from there")
        return done


def start_sandbox(
    stack: ExitStack,
    documents: Mapping[str, tuple[Task, Sequence[Document]]],
    config: RunConfig,
    listener: Listener,
) -> Sandbox | None:
    """Only where a task runs code."""
    if not any(task.is_code for task, _ in documents.values()):
        return None
    listener.stage("starting the sandbox")
    return stack.enter_context(Sandbox.start(tier=config.sandbox))


def _grading(
    prepared: Prepared,
    sandbox: Sandbox | None,
    listener: Listener,
    requested: Mapping[str, str],
    rounds: Rounds | None,
) -> Grading:
    def scored(pending: Pending, rows: Sequence[Row]) -> None:
        listener.advance(requested[pending.task.name])
        if rounds is not None:
            rounds.scored(pending, rows)

    return Grading(prepared.documents, len(prepared.variants), sandbox, scored)


@dataclass(frozen=True, slots=True)
class _Talk:
    """What takes answers in, and asks on where a conversation goes on."""

    ledger: Ledger
    known_keys: Mapping[int, bytes]
    """Those that the journal may answer: none where everything is asked afresh."""
    journal: Journal
    turns: Followups
    done: Answered
    waiting: deque[GenerateRequest] = field(default_factory=deque)
    """Later turns that the engine is still to be given."""

    def accept(self, id_: int, answer: Any) -> None:
        pending = self.ledger.accept(id_, answer)
        if pending is None:
            return
        if pending.goes_on:
            self.turns.add(pending)
            return
        self.done.generated[pending.variant] += pending.generated_tokens
        self.done.grading.take(pending)

    def go_on(self) -> set[int]:
        """Look up the turns that came up, and those that their answers bring. Returns the ids that were known."""
        known: set[int] = set()
        while fresh := list(self.turns.take()):
            looked_up = {turn.id: self.known_keys[turn.id] for turn in fresh if turn.id in self.known_keys}
            found = {kept.id: kept for kept in self.journal.get_many(looked_up.items())}
            self.waiting.extend(turn for turn in fresh if turn.id not in found)
            for id_, kept in found.items():
                known.add(id_)
                self.accept(id_, kept)
        return known


@dataclass(slots=True)
class _Asking:
    """The batch that is being asked, as ordered work."""

    talk: _Talk
    batches: Batches
    clock: Clock
    unknown: list[TokenRequest] = field(default_factory=list)
    """Of this batch, what the journal does not know."""
    _planned: set[int] = field(default_factory=set)
    _plan: Plan = field(default_factory=lambda: plan(()))

    @property
    def settled(self) -> bool:
        return not self.talk.waiting and self.batches.settled

    def next(self) -> bool:
        """Take the next batch that has anything to ask. False: there is none."""
        while True:
            with self.clock("scoring"):
                if not self.batches.settled:
                    self.talk.done.grading.poll(wait=True)
                if not (batch := self.batches.next()):
                    return False
                self.unknown = _replay(self.talk, batch)
            if self.unknown:
                with self.clock("build"):
                    self._plan = plan(self.unknown)
                    self._planned = {request.id for request in self.unknown}
                    self.talk.done.unique += self._plan.floor
                return True

    def work(self) -> Iterator[Work]:
        return iter(self._plan)

    def owners(self, id_: int) -> tuple[int, ...]:
        """A turn that came up since was asked by itself."""
        return self._plan.owners(id_) if id_ in self._planned else (id_,)


def _replay(talk: _Talk, batch: Sequence[Pending]) -> list[TokenRequest]:
    """Hand the ledger what is known of these documents; what is left has to be asked."""
    wanted: list[tuple[int, bytes]] = []
    for pending in batch:
        if pending.waiting == 0:
            talk.done.grading.take(talk.ledger.close(pending))
        elif talk.known_keys:
            wanted += [(request.id, talk.known_keys[request.id]) for request in pending.requests()]
    known: set[int] = set()
    for kept in talk.journal.get_many(wanted):
        known.add(kept.id)
        talk.accept(kept.id, kept)
    known |= talk.go_on()
    talk.waiting.clear()  # they are planned with the rest
    return [request for pending in batch for request in pending.requests() if request.id not in known]


def _ask(
    engine: Engine, asking: _Asking, talk: _Talk, keys: Mapping[int, bytes], stop: Stop, listener: Listener
) -> None:
    for answer in engine.run(_feed(asking, stop)):
        if not isinstance(answer, Failed):
            talk.journal.put(keys[answer.id], answer)
        for owner in asking.owners(answer.id):
            talk.accept(owner, answer)
        talk.go_on()
        talk.done.grading.poll()
        listener.tokens(engine.usage.prompt + engine.usage.generated)
        if stop.now:
            return


def _feed(asking: _Asking, stop: Stop) -> Iterator[Work | None]:
    """What was planned, with later turns as soon as they come up; None while answers may still bring more."""
    waiting = asking.talk.waiting
    more = True
    while more:
        for item in asking.work():
            while waiting and not stop.requested:
                yield as_work(waiting.popleft())
            if stop.requested:
                return
            yield item
        while not asking.settled:
            if stop.requested:
                return
            asking.talk.done.grading.poll()
            yield as_work(waiting.popleft()) if waiting else None
        more = not stop.requested and asking.next()


def _requested_by_leaf(prepared: Prepared) -> dict[str, str]:
    """Progress is told by the names that were asked for, not by 57 subjects."""
    suite = prepared.suite
    return {leaf: name for name in reversed(suite.requested) for leaf in suite.leaves(name)}


def _space(prepared: Prepared, unknown: Sequence[TokenRequest]) -> int:
    """Bytes of the answers still to come, in the journal and once more in samples/, and of the prompts there."""
    generated = sum(isinstance(request, GenerateRequest) for request in unknown)
    answers = expected_bytes(len(unknown) - generated, generated)
    prompts = sum(
        len(task.filters) * sum(_length(request) for document in documents for request in document.requests)
        for task, documents in prepared.documents.values()
    )
    return 2 * answers + len(prepared.variants) * prompts


def _length(request: Request) -> int:
    context = request.context
    return len(context) if isinstance(context, str) else sum(len(message.content) for message in context)


def _totals(prepared: Prepared, requested: Mapping[str, str]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for name in prepared.suite.requested:
        counts[name] = 0
    for leaf, (_, documents) in prepared.documents.items():
        counts[requested[leaf]] += len(documents) * len(prepared.variants)
    return {name: count for name, count in counts.items() if count}
