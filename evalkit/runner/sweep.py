"""A sweep: several models on one cluster, each run in a process of its own, with slots handed out by this one.

What all models share (tasks, prompts, token ids) is made here once, and each process is forked when a slot is free for
its model. A fork shares the prompts at no cost, but this process must not use Ray itself (engines/ray/seats.py).
"""

from __future__ import annotations

import contextlib
import math
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from multiprocessing.connection import wait
from typing import Any

from evalkit import results
from evalkit.config import RunConfig
from evalkit.engines.base import Engine, Seats
from evalkit.engines.spec import EngineSettings, choose
from evalkit.errors import EngineError, EvalkitError
from evalkit.results import Reporter
from evalkit.runner.clock import Clock
from evalkit.runner.early_gate import EarlyGate
from evalkit.runner.engines import settings_of
from evalkit.runner.finding import ModelSetup, find
from evalkit.runner.listener import Listener
from evalkit.runner.materials import Materials
from evalkit.runner.member import Crew, Ended, Member, Message, Progressed, Reports, Said, fork
from evalkit.runner.passing import finished, run_prepared
from evalkit.runner.preparing import Prepared, prepare
from evalkit.runner.slots import Slots
from evalkit.runner.stop import Stop
from evalkit.runner.writing import Outcome
from evalkit.types import Adapter, ModelSpec

__all__ = ["Sweep", "can_sweep"]

_TICK = 0.3


def can_sweep(config: RunConfig) -> bool:
    """Whether the models run side by side: several, with replicas, where processes can be forked."""
    if not config.fleet or len(config.model) < 2 or not hasattr(os, "fork"):
        return False
    return choose(config.engine, fleet=True).open_seats is not None


@dataclass(slots=True)
class _Ready:
    """A model that can begin: with what its run needs, and its first replica, which may load already."""

    setup: ModelSetup
    first: str | None
    asked: float = field(default_factory=time.monotonic)
    """When its first replica was asked for."""
    prepared: Prepared | None = None


class Sweep:
    """Runs all models of a config."""

    def __init__(
        self, config: RunConfig, run_id: str, listener: Listener, report: Reporter, early: EarlyGate | None
    ) -> None:
        self.materials = Materials()
        self._config = config
        self._listener = listener
        self._report = report
        self._early = early
        self._run_ids = {typed: results.member_id(run_id, typed) for typed in config.model}
        self._ready: dict[str, _Ready] = {}
        self._members: dict[str, Member] = {}
        self._outcomes: dict[str, list[Outcome]] = {}
        self._seats: Seats | None = None
        self._loads: list[float] = []
        self._worked: list[float] = []
        self.busy: list[tuple[float, float]] = []
        """Of each run: seconds to load its first replica, and seconds that its replicas worked, together."""
        self.opened = self.ended = 0.0
        """When the cluster could take the first replica, and when the last run ended, by the monotonic clock."""
        self._total = 0
        self._tokens = 0

    def run(self) -> list[Outcome]:
        """Run them; the outcomes are in the order of the models."""
        with Stop() as stop:
            try:
                self._run(stop)
            finally:
                for member in self._members.values():
                    member.end()
                if self._seats is not None:
                    self._seats.close()
            if stop.requested and not self._outcomes:
                stop.raise_if_requested()
        self._listener.finish()
        return [outcome for typed in self._config.model for outcome in self._outcomes.get(typed, ())]

    # ── in order ─────────────────────────────────────────────────────────────

    def _run(self, stop: Stop) -> None:
        first, *_ = self._config.model
        setup = find(self._config, first, self._listener, self.materials)
        assert setup.kind.open_seats is not None
        self._seats = setup.kind.open_seats(self._config.model_args, settings_of(self._config))
        places = self._config.replicas if isinstance(self._config.replicas, int) else self._seats.count()
        self._ready[first] = self._load(setup)
        for typed in self._config.model[1:places]:
            self._find(typed, raises=True)
        self._prepare(first)
        self._listener.start(dict.fromkeys(self._config.model, self._total))
        slots = Slots(places, [typed for typed in self._config.model if typed not in self._outcomes])
        while slots.waiting or slots.active:
            if stop.requested:
                slots.drop_waiting()
                for member in self._members.values():
                    member.stop(stop.now)
            else:
                self._hand_out(slots)
                self._prepare_next(slots)
            for member in list(self._members.values()):
                member.count(time.monotonic())
            for member, message in self._messages():
                self._take(member, message, slots)

    def _hand_out(self, slots: Slots) -> None:
        # All models have the same documents, so what one has taken is a guess at what another will take.
        usual = max(self._worked, default=math.inf)
        for name, member in self._members.items():
            left = member.seconds_left
            slots.active[name].left = usual if left is None else left
        load = max(self._loads[-4:], default=0.0)
        while (run := slots.next(load)) is not None:
            if run.name in self._members:
                self._members[run.name].grow()
                continue
            self._find(run.name)
            self._prepare(run.name)
            if run.name in self._outcomes:
                slots.end(run.name)
            else:
                self._begin(run.name)

    def _prepare_next(self, slots: Slots) -> None:
        """Find and prepare the next model while the others run, so that it can begin at once."""
        typed = slots.upcoming
        if typed is not None and typed not in self._ready and typed not in self._outcomes:
            self._find(typed, load=False)
            self._prepare(typed)

    # ── one model ────────────────────────────────────────────────────────────

    def _find(self, typed: str, *, load: bool = True, raises: bool = False) -> None:
        if typed in self._ready or typed in self._outcomes:
            return
        try:
            setup = find(self._config, typed, self._listener, self.materials)
        except EvalkitError as error:
            if raises:
                raise
            self._outcomes[typed] = [Outcome(None, error.exit_code, f"{typed}: {error}")]
            return
        self._ready[typed] = self._load(setup) if load else _Ready(setup, None)

    def _load(self, setup: ModelSetup) -> _Ready:
        """Begin to load the model: there is a slot for it."""
        assert self._seats is not None
        if setup.refused_adapters:
            return _Ready(setup, None)
        return _Ready(setup, self._seats.load(setup.model.spec, setup.adapters, settings_of(self._config)))

    def _prepare(self, typed: str) -> None:
        """Build prompts and token ids, or take those of another model. A run that is complete needs no process."""
        ready = self._ready.get(typed)
        if ready is None or ready.prepared is not None:
            return
        against = None if self._early is None else self._early.settings(self._config.seed.random)
        try:
            run_id = self._run_ids[typed]
            prepared = prepare(self._config, ready.setup, run_id, self._listener, self.materials, against)
            documents = sum(len(of_task) for _, of_task in prepared.documents.values())
            self._total = documents * len(prepared.variants)
            done = [finished(self._config, variant, self._listener) for variant in prepared.variants]
            if all(done):
                self._outcomes[typed] = [outcome for outcome in done if outcome is not None]
            else:
                self._listener.stage("tokenising")
                limit = prepared.tokenizer.max_length + prepared.kind.beyond_window
                self.materials.encoded(prepared.tokenizer, prepared.documents, limit)
        except EvalkitError as error:
            self._outcomes[typed] = [Outcome(None, error.exit_code, f"{typed}: {error}")]
        if typed in self._outcomes:
            self._drop(ready)
        else:
            ready.prepared = prepared

    def _begin(self, typed: str) -> None:
        """Fork the process of a run."""
        ready, seats = self._ready[typed], self._seats
        prepared, others = ready.prepared, list(self._members.values())
        assert seats is not None
        assert prepared is not None
        seats.count()  # the cluster is there: forked processes find it known
        self.opened = self.opened or time.monotonic()
        if ready.first is None:
            ready.first = self._load(ready.setup).first
            ready.asked = time.monotonic()

        def run(reports: Reports, crew: Crew) -> Sequence[Outcome]:
            first = [ready.first]

            def start(
                model: ModelSpec, tokenizer: Any, adapters: Sequence[Adapter], settings: EngineSettings
            ) -> Engine:
                return crew.attend(seats.start(model, adapters, settings, first.pop() if first else None))

            passed = replace(prepared, kind=replace(prepared.kind, start=start))
            return run_prepared(self._config, passed, reports, self._report, Clock(), self._early)

        def forget() -> None:
            for member in others:
                member.connection.close()
            seats.detach()

        self._members[typed] = fork(typed, self._total, max(ready.asked, self.opened), run, forget)

    # ── while they run ───────────────────────────────────────────────────────

    def _messages(self) -> Iterator[tuple[Member, Message]]:
        by_connection = {member.connection: member for member in self._members.values()}
        if not by_connection:
            return
        for connection in wait(list(by_connection), _TICK):
            member = by_connection[connection]  # type: ignore[index]
            for message in member.messages():
                yield member, message
                if isinstance(message, Ended):
                    break

    def _take(self, member: Member, message: Message, slots: Slots) -> None:
        if isinstance(message, Said):
            self._listener.note(message.text)
            return
        if isinstance(message, Ended):
            member.wait()
            member.connection.close()
            del self._members[member.name]
            slots.end(member.name)
            self._drop(self._ready.pop(member.name))
            self._outcomes[member.name] = message.opened()
            self._worked.append(member.worked)
            self.busy.append((member.load_seconds or 0.0, member.worked))
            self.ended = time.monotonic()
            self._tokens += member.tokens
            return
        known = member.load_seconds
        member.take(message)
        if known is None and member.load_seconds is not None:
            self._loads.append(member.load_seconds)
        if isinstance(message, Progressed):
            if message.documents:
                self._listener.advance(member.name, message.documents)
            self._listener.tokens(self._tokens + sum(other.tokens for other in self._members.values()))
        else:
            self._listener.replicas(sum(other.working for other in self._members.values()), slots.count)

    def _drop(self, ready: _Ready) -> None:
        if ready.first is not None and self._seats is not None:
            with contextlib.suppress(EngineError):
                self._seats.drop(ready.first)
