"""evalkit synth new: asks a model for a pool's prompts, in one stream, and keeps each answer in the journal."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from evalkit.engines.base import Engine, EngineModel, EngineTokenizer, notify_through, stop_through
from evalkit.engines.spec import EngineSettings, EngineSpec, choose, start
from evalkit.engines.streaming import Stream
from evalkit.errors import EngineError
from evalkit.journal import Journal, Keyer
from evalkit.runner.embedding import open_embedder
from evalkit.runner.listener import Listener
from evalkit.runner.stop import Stop
from evalkit.synth.asking import Ask, Reply
from evalkit.synth.cosine import Embedded, Near
from evalkit.synth.making import Made, Order, Steps, make
from evalkit.types import (
    Answer,
    Arguments,
    Failed,
    Generate,
    Generated,
    GenerateRequest,
    JsonObject,
    Message,
    Request,
    Work,
)

__all__ = ["Generator", "Making", "make_pool"]


@dataclass(frozen=True, slots=True)
class Generator:
    """The model that writes the pool, and where its answers are kept."""

    typed: str
    output_path: Path
    model_args: Arguments = field(default_factory=dict)
    engine: str = "auto"
    device: str | None = None
    batch_size: str = "auto"
    chat: bool = False
    trust_remote_code: bool = False
    seed: int = 0
    journal: Path | None = None


@dataclass(frozen=True, slots=True)
class Making:
    """A pool, with all that was asked for it."""

    made: Made
    exchanges: tuple[tuple[Ask, Reply], ...]
    model: JsonObject
    asked: int
    """Answers that were not in the journal."""
    reused: int
    near: Near | None
    """The second measure of similarity, where it was not the usual one."""
    cost: JsonObject
    """`usd` null with a reason where it is not known."""


@dataclass(frozen=True, slots=True)
class _Setup:
    """The model before it is loaded."""

    kind: EngineSpec
    model: EngineModel
    tokenizer: EngineTokenizer


def make_pool(order: Order, generator: Generator, listener: Listener, embedder: str | None = None) -> Making:
    """Make the pool. What the journal holds is not asked again; without anything to ask no model is loaded."""
    with ExitStack() as stack:
        setup = _find(generator, listener)
        journal = stack.enter_context(Journal.open(generator.output_path, folder=generator.journal))
        journal.name_model(setup.model.key(None), setup.model.spec.typed)
        stop = stack.enter_context(Stop(rescue=journal.flush, announce=lambda: listener.stopping(0)))
        if embedder is not None:
            order = replace(order, near=Embedded(stack.enter_context(open_embedder(embedder, journal))))
        listener.start({"tasks": order.n})
        asking = _Asking(make(order), setup, journal, generator, listener, stop)
        engine = asking.run(stack)
        stop.raise_if_requested()
        journal.flush()
        listener.finish()
        assert asking.made is not None
        return Making(
            asking.made,
            tuple(asking.exchanges),
            {**setup.model.manifest(), "engine": setup.kind.name},
            asking.asked,
            asking.reused,
            order.near,
            _cost(engine, setup, generator),
        )


def _find(generator: Generator, listener: Listener) -> _Setup:
    kind = choose(generator.engine)
    listener.stage(f"reading {generator.typed}")
    model = kind.find_model(generator.typed, generator.model_args, generator.trust_remote_code)
    return _Setup(kind, model, kind.load_tokenizer(model))


def _cost(engine: Engine | None, setup: _Setup, generator: Generator) -> JsonObject:
    if engine is None:
        return {"usd": 0.0, "prompt_tokens": 0, "generated_tokens": 0}
    usage = {"prompt_tokens": engine.usage.prompt, "generated_tokens": engine.usage.generated}
    if not setup.kind.costs_money:
        return {"usd": 0.0, **usage}
    usd = engine.description.get("usd")
    reason = {} if usd is not None else {"reason": f"the price of {generator.typed} is not known here"}
    return {"usd": usd, **reason, **usage}


class _Asking:
    """Hands the prompts of each step to the engine, and the answers to the next step."""

    def __init__(
        self, steps: Steps, setup: _Setup, journal: Journal, generator: Generator, listener: Listener, stop: Stop
    ) -> None:
        self.made: Made | None = None
        self.exchanges: list[tuple[Ask, Reply]] = []
        self.asked = self.reused = 0
        self._steps = steps
        self._setup = setup
        self._journal = journal
        self._generator = generator
        self._listener = listener
        self._stop = stop
        self._chat = setup.tokenizer.chat(True) if generator.chat else None
        self._keyer = Keyer(setup.model.key(None), setup.kind.semantics)
        self._batch: list[Ask] = []
        self._replies: dict[int, Reply] = {}
        self._queue: deque[GenerateRequest] = deque()
        self._keys: dict[int, bytes] = {}
        self._shown = 0

    def run(self, stack: ExitStack) -> Engine | None:
        """Until the pool is made. The engine starts at the first prompt without an answer in the journal."""
        self._next(None)
        self._use_journal()
        if self.made is not None or self._stop.requested:
            return None
        engine = self._start(stack)
        stream = Stream(engine)
        for answer in stream.run(self._work(stream)):
            self._take(answer)
            if self._stop.now:
                break
        if self.made is None and not self._stop.requested:
            raise self._ended_early()
        return engine

    def _start(self, stack: ExitStack) -> Engine:
        setup, generator = self._setup, self._generator
        self._listener.stage(f"loading {setup.model.spec.typed} ({setup.kind.name})")
        settings = EngineSettings(batch_size=generator.batch_size, device=generator.device, seed=generator.seed)
        engine = start(setup.kind, setup.model.spec, setup.tokenizer, [], settings)
        stack.callback(engine.close)
        notify_through(engine, self._listener.note)
        stop_through(engine, lambda: self._stop.requested)
        self._listener.known()
        return engine

    def _work(self, stream: Stream) -> Iterator[Work | None]:
        while self.made is None and not self._stop.requested:
            if self._queue:
                request = self._queue.popleft()
                yield Generate(
                    (request.id,), request.prompt, request.sampling, (request.sample,), request.text, request.adapter
                )
            elif stream.resting:
                raise self._ended_early()
            else:
                yield None

    def _ended_early(self) -> EngineError:
        self._journal.flush()
        without = len(self._batch) - len(self._replies)
        return EngineError(
            f"{self._setup.kind.name} ended without {without} of its answers; the same command asks for those alone"
        )

    def _take(self, answer: Answer) -> None:
        if isinstance(answer, Failed):
            # A request that the server refuses yields nothing; if none is answered there is nothing to go on with.
            self._listener.note(f"a request failed: {answer.reason}")
            if not self.exchanges and not self._replies:
                raise EngineError(f"{self._generator.typed}: the first request failed: {answer.reason}")
            self._replies[answer.id] = Reply("", "error")
        elif isinstance(answer, Generated):
            self._journal.put(self._keys[answer.id], answer)
            self.asked += 1
            self._replies[answer.id] = Reply(answer.text, answer.finish)
        if len(self._replies) == len(self._batch):
            # All that a step follows from is on disk before it is taken.
            self._journal.flush()
            self._advance()
            self._use_journal()

    def _use_journal(self) -> None:
        """Go on for as long as the journal holds all answers of a step."""
        while self.made is None and len(self._replies) == len(self._batch):
            self._advance()

    def _advance(self) -> None:
        replies = [self._replies[ask.number] for ask in self._batch]
        self.exchanges += zip(self._batch, replies, strict=True)
        self._next(replies)

    def _next(self, replies: list[Reply] | None) -> None:
        try:
            self._batch = next(self._steps) if replies is None else self._steps.send(replies)
        except StopIteration as end:
            self.made = end.value
            return
        self._replies, self._keys = {}, {}
        requests = [self._encoded(ask) for ask in self._batch]
        self._keys = {request.id: self._keyer.key(request) for request in requests}
        for kept in self._journal.get_many(self._keys.items()):
            if isinstance(kept, Generated):
                self._replies[kept.id] = Reply(kept.text, kept.finish)
        self.reused += len(self._replies)
        self._queue = deque(request for request in requests if request.id not in self._replies)
        self._progress()

    def _encoded(self, ask: Ask) -> GenerateRequest:
        gen_kwargs: Mapping[str, object] = dict(ask.sampling)
        if self._setup.kind.is_served:
            gen_kwargs = {**gen_kwargs, **ask.server_only}
        if ask.sampling.get("temperature"):
            gen_kwargs = {**gen_kwargs, "do_sample": True}
        prompt: str | tuple[Message, ...] = ask.prompt
        if self._chat is not None:
            prompt = self._chat([{"role": "user", "content": ask.prompt}])
        (encoded,) = self._setup.tokenizer.encode([Request("generate", prompt, gen_kwargs=gen_kwargs)])
        if encoded.error is not None:
            raise EngineError(f"a prompt cannot be asked: {encoded.error}")
        request = encoded.requests[0]
        assert isinstance(request, GenerateRequest)
        sampling = request.sampling
        if sampling.temperature and sampling.seed is None:
            sampling = replace(sampling, seed=self._generator.seed + ask.number)
        # The number is part of the key: the same prompt, drawn again, is another draw.
        return replace(request, id=ask.number, sample=ask.number, sampling=sampling)

    def _progress(self) -> None:
        done = sum(ask.stage == "instances" for ask, _ in self.exchanges)
        if done > self._shown:
            self._listener.advance("tasks", done - self._shown)
            self._shown = done
