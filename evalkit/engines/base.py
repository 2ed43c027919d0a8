"""The protocols of engines: a stream of work in, a stream of answers out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from evalkit.types import Adapter, Answer, JsonObject, Located, ModelSpec, Request, Usage, Work

if TYPE_CHECKING:
    from evalkit.tokens.encoding import Encoded

__all__ = [
    "Buffers",
    "Copied",
    "Engine",
    "EngineModel",
    "EngineTokenizer",
    "Loading",
    "Notifies",
    "Passage",
    "ReadAnswer",
    "Reader",
    "Rests",
    "Seats",
    "notify_through",
    "replicas_through",
    "stop_through",
]


class EngineModel(Protocol):
    """A model as an engine's spec found it, before it is loaded."""

    @property
    def spec(self) -> ModelSpec:
        """`source` is what the engine opens: a local folder, or a server's own name for the model."""
        ...

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the weights' content if they are local, otherwise of everything that is known of them."""
        ...

    def key(self, adapter: Adapter | None) -> str:
        """Everything in the model that determines its answers; part of every answer's key."""
        ...

    def manifest(self) -> JsonObject:
        """For the run's manifest. JSON values only, never a key."""
        ...

    def opened_from(self, spec: ModelSpec) -> EngineModel:
        """The same model with the same key, loaded from other files."""
        ...


class EngineTokenizer(Protocol):
    """What the runner needs of a tokenizer. `evalkit.tokens.Tokenizer` is one."""

    notes: list[str]
    """Notes for the user, a line each."""

    @property
    def max_length(self) -> int:
        """The context window, in tokens."""
        ...

    def chat(self, named: bool | str = True) -> Any:
        """The chat template: called with messages, it gives a prompt."""
        ...

    def encode(self, requests: Iterable[Request], *, score_limit: int | None = None) -> list[Encoded]:
        """The token requests of each request, cut to the window."""
        ...


@runtime_checkable
class Engine(Protocol):
    name: str
    usage: Usage

    @property
    def description(self) -> JsonObject:
        """For the manifest: versions, dtype, scoring path, settings. JSON values only, never a key."""
        ...

    def run(self, work: Iterator[Work | None]) -> Iterator[Answer]:
        """Pull work while there is room, yield answers as they finish, in any order.

        `None` means that there is nothing yet and more may come: go on with what is in flight and ask again.
        The end of `work` means that no more will come: finish what is in flight, then stop.
        Every id of every item handed in gets exactly one answer: Scored, Generated or Failed.
        A request that cannot be served is Failed, and the others go on. An engine that cannot go on raises
        EngineError, after it has yielded all that had finished.
        """
        ...

    def close(self) -> None:
        """Free the model. Safe to call twice."""
        ...


@dataclass(frozen=True, slots=True)
class Passage:
    """A question on a context, for a model that marks spans."""

    question: str
    context: str
    may_have_none: bool
    """Whether the context may hold no answer."""


@dataclass(frozen=True, slots=True)
class ReadAnswer:
    text: str
    """Empty where the model finds no answer."""
    located: Located


class Reader(Protocol):
    """A loaded model that marks the spans of contexts that answer questions."""

    tokens: int
    """Tokens that went through the model."""

    @property
    def description(self) -> JsonObject:
        """For the manifest."""
        ...

    def read(self, passages: Sequence[Passage]) -> Iterator[ReadAnswer]:
        """The answers, in the order of the passages."""
        ...


@runtime_checkable
class Notifies(Protocol):
    """An engine with messages for the user while it works, for example that its server gives no answers. Optional."""

    notify: Callable[[str], None]
    """Called with one line, possibly from a thread of the engine. The caller of the engine sets it."""


@runtime_checkable
class Buffers(Protocol):
    """An engine that takes work long before it begins it. Optional."""

    stopping: Callable[[], bool]
    """True once work that has not begun is no longer wanted. Whoever runs the engine sets it."""

    @property
    def in_flight(self) -> int:
        """Requests that have begun and are not answered."""
        ...


@runtime_checkable
class Rests(Protocol):
    """An engine that says when it has nothing to do. Optional: streaming.py finds it out of one that does not."""

    resting: bool
    """True while all that was handed in has ended, and it waits for more work or for the end of it."""


@runtime_checkable
class Copied(Protocol):
    """An engine made of several copies of a model. Optional."""

    tell_replicas: Callable[[int, int], None]
    """Called with the number of copies at work and the number wanted. Whoever runs the engine sets it."""

    def grow(self) -> None:
        """Want one copy more. May be called from another thread."""
        ...


class Loading(Protocol):
    """An engine that loads in the background."""

    def wait(self) -> Engine:
        """The engine, once it can answer."""
        ...

    def close(self) -> None:
        """Give it up, or free it. Safe to call twice."""
        ...


class Seats(Protocol):
    """Places for copies of several models, for a sweep. Each model runs in a process that is forked from this one."""

    def count(self) -> int:
        """How many places there are. Waits until that is known."""
        ...

    def load(self, model: ModelSpec, adapters: Sequence[Adapter], settings: Any) -> str:
        """Begin to load the first copy of a model. Returns its name."""
        ...

    def start(self, model: ModelSpec, adapters: Sequence[Adapter], settings: Any, first: str | None) -> Engine:
        """In a forked process: the engine with one copy, which is `first` if that was begun and is the same model."""
        ...

    def drop(self, first: str) -> None:
        """End a copy that was begun with `load`."""
        ...

    def detach(self) -> None:
        """In a forked process: leave the care for the places to the other process."""
        ...

    def close(self) -> None:
        """End everything."""
        ...


def stop_through(engine: Engine, stopping: Callable[[], bool]) -> None:
    """Let the engine leave out what it has not begun once `stopping` says so."""
    if isinstance(engine, Buffers):
        engine.stopping = stopping


def notify_through(engine: Engine, note: Callable[[str], None]) -> None:
    """Pass the engine's messages to `note`, if it has any."""
    if isinstance(engine, Notifies):
        engine.notify = note


def replicas_through(engine: Engine, tell: Callable[[int, int], None]) -> None:
    """Pass the number of copies at work to `tell`, if the engine has copies."""
    if isinstance(engine, Copied):
        engine.tell_replicas = tell
