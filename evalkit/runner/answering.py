"""Stage 3, answer: take what the journal holds, ask the engine for the rest, grade each document as it is complete."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

from evalkit.config import RunConfig
from evalkit.engines.base import Buffers, Engine, notify_through, replicas_through, stop_through
from evalkit.engines.spec import start
from evalkit.engines.streaming import Stream
from evalkit.errors import EngineError, EvalkitError, Interrupted, OutputError
from evalkit.journal import Journal, expected_bytes
from evalkit.parsing import Shard
from evalkit.results import check_space
from evalkit.runner.clock import Clock
from evalkit.runner.engines import settings_of
from evalkit.runner.grading import Grading
from evalkit.runner.ledger import Ledger, Pending
from evalkit.runner.listener import Listener
from evalkit.runner.loop import AnswerLoop
from evalkit.runner.preparing import Prepared
from evalkit.runner.requests import PassRequests
from evalkit.runner.rounds import Batches, Everything, Rounds
from evalkit.runner.running_code import start_sandbox
from evalkit.runner.sharding import Share
from evalkit.runner.stop import Stop
from evalkit.types import GenerateRequest, Request, Row, TokenRequest, Usage

__all__ = ["PassResult", "answer"]


@dataclass(frozen=True, slots=True)
class PassResult:
    """The result of one pass of an engine: graded documents, token counts, and the error that ended it early."""

    grading: Grading
    generated: Sequence[int] = (0,)
    """Tokens generated for each variant."""
    unique: int = 0
    """Prompt tokens, with every shared prefix counted once."""
    own_share: float | None = None
    """The share of the answers that were not in the journal."""
    usage: Usage | None = None
    engine: Mapping[str, Any] | None = None
    """The engine's description; None if every answer came from the journal."""
    sandbox: Mapping[str, Any] | None = None
    first_failure: str | None = None
    error: EvalkitError | None = None
    """The error that ended the pass before all requests were answered."""
    rounds: Rounds | None = None
    """The rounds of --against; None for a run that is not judged while it runs."""


def answer(
    prepared: Prepared,
    config: RunConfig,
    journal: Journal,
    listener: Listener,
    clock: Clock,
    rounds: Rounds | None = None,
) -> PassResult:
    """Answer and grade all documents of a pass. With `rounds`, ask a few at a time until the verdicts are sure."""
    with ExitStack() as stack:
        # The sandbox starts before the engine: a process that holds a GPU must not fork.
        sandbox = start_sandbox(stack, prepared.documents, config, listener)
        stop = stack.enter_context(Stop(rescue=journal.flush))
        with clock("build"):
            listener.stage("tokenising")
            requests = PassRequests(prepared, config.seed.torch)
            for note in prepared.tokenizer.notes:
                listener.note(note)
        if rounds is not None:
            rounds.enrol(requests.ledger)
        requested = _requested_by_leaf(prepared)
        listener.start(_totals(prepared, requested))

        def scored(pending: Pending, rows: Sequence[Row]) -> None:
            if not stop.requested:
                listener.advance(requested[pending.task.name])
            if rounds is not None:
                rounds.scored(pending, rows)

        grading = Grading(prepared.documents, len(prepared.variants), sandbox, scored)
        batches: Batches = rounds or _whole_or_share(requests.ledger, config.shard)
        engine: Engine | None = None
        loop = AnswerLoop(requests, batches, grading, journal, stop, clock, reuse=not config.fresh)
        stop.announce = lambda: listener.stopping(_in_flight(engine, loop))
        has_work = loop.next_batch()
        check_space(config.output_path, _space(prepared, loop.unknown))
        before = Usage()
        error: EvalkitError | None = None
        if has_work:
            engine = prepared.engine or _start(prepared, config, stack, listener, clock)
            stream = Stream(engine)
            stop_through(engine, lambda: stop.requested)
            loop.engine_rests = lambda: stream.resting
            before = Usage() if prepared.engine is None else replace(engine.usage)
            listener.known()
            error = _ask(stream, before, loop, stop, listener, clock)
        journal.flush()
        if stop.now:
            stop.raise_if_requested()
        with clock("scoring"):
            grading.poll(wait=True)
            without = [pending for pending in requests.ledger.unfinished() if batches.drawn(pending)]
            for pending in without:
                grading.give_up(pending)
        if stop.requested and error is None:
            error = Interrupted(f"{stop.reason}; what had finished is kept: the same command goes on from there")
        if without and error is None:
            error = EngineError(
                f"{prepared.kind.name} ended without the answers of {len(without)} documents; the same command asks for"
                " them again"
            )
        return PassResult(
            grading,
            loop.generated,
            loop.unique,
            loop.own_share,
            usage=None if engine is None else _since(before, engine.usage),
            engine=None if engine is None else engine.description,
            sandbox=None if sandbox is None else sandbox.describe(),
            first_failure=requests.ledger.first_failure,
            error=error,
            rounds=rounds,
        )


def _start(prepared: Prepared, config: RunConfig, stack: ExitStack, listener: Listener, clock: Clock) -> Engine:
    with clock("load"):
        listener.stage(f"loading {prepared.model.spec.typed} ({prepared.kind.name})")
        engine = start(prepared.kind, prepared.model.spec, prepared.tokenizer, prepared.adapters, settings_of(config))
        stack.callback(engine.close)
        notify_through(engine, listener.note)
        replicas_through(engine, listener.replicas)
    return engine


def _whole_or_share(ledger: Ledger, shard: Shard | None) -> Batches:
    return Everything(ledger) if shard is None else Share(ledger, shard)


def _in_flight(engine: Engine | None, loop: AnswerLoop) -> int:
    """The requests that a first Ctrl-C still waits for."""
    return engine.in_flight if isinstance(engine, Buffers) else loop.in_flight


def _since(before: Usage, now: Usage) -> Usage:
    """The tokens of this pass: an engine that is used for several passes counts them all."""
    return Usage(
        now.prompt - before.prompt,
        now.computed - before.computed,
        now.cached - before.cached,
        now.generated - before.generated,
        now.unknown,
    )


def _ask(
    stream: Stream, before: Usage, loop: AnswerLoop, stop: Stop, listener: Listener, clock: Clock
) -> EvalkitError | None:
    """Run the engine over the loop's work. Returns the error that stopped it, or None."""
    try:
        with clock("inference"):
            for answer in stream.run(loop.work()):
                loop.take(answer)
                used = _since(before, stream.engine.usage)
                listener.tokens(used.prompt + used.generated)
                if stop.now:
                    break
    except (EngineError, OutputError) as error:
        return error
    return None


def _requested_by_leaf(prepared: Prepared) -> dict[str, str]:
    """Map each task to the name in --tasks that asked for it: progress is shown for mmlu, not for its 57 subjects."""
    suite = prepared.suite
    return {leaf: name for name in reversed(suite.requested) for leaf in suite.leaves(name)}


def _totals(prepared: Prepared, requested: Mapping[str, str]) -> dict[str, int]:
    """The number of documents for each name in --tasks."""
    counts: Counter[str] = Counter()
    for name in prepared.suite.requested:
        counts[name] = 0
    for leaf, (_, documents) in prepared.documents.items():
        counts[requested[leaf]] += len(documents) * len(prepared.variants)
    return {name: count for name, count in counts.items() if count}


def _space(prepared: Prepared, unknown: Sequence[TokenRequest]) -> int:
    """Estimate the bytes that the pass will write: new answers in the journal and in samples/, prompts in samples/."""
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
