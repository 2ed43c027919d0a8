"""Replicas whose engine is a few lines, on a real Ray cluster: what is tested is the fleet, not a model's answers."""

from __future__ import annotations

import os
import signal
import time
from array import array
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from evalkit.engines import streaming
from evalkit.engines.base import Engine
from evalkit.engines.ray.cluster import Cluster
from evalkit.engines.ray.engine import FleetEngine
from evalkit.engines.ray.replica import Loaded, Replica, Setup
from evalkit.engines.spec import EngineSettings
from evalkit.types import Answer, ModelSpec, Score, Scored, Usage, Work

POISON = 13
"""The first token of a context that ends the process."""
LOST = 14
"""The first token of a context whose answer never comes."""


class CountingEngine:
    """Answers with the sum of the context, one item at a time."""

    name = "counting"

    def __init__(self, seconds: float) -> None:
        self.usage = Usage()
        self._seconds = seconds

    @property
    def description(self) -> Mapping[str, Any]:
        return {"name": self.name, "dtype": "int"}

    def run(self, work: Iterator[Work | None]) -> Iterator[Answer]:
        for item in work:
            if item is None:
                continue
            assert isinstance(item, Score)
            if item.context[0] == POISON:
                os.kill(os.getpid(), signal.SIGKILL)
            if item.context[0] == LOST:
                streaming.PATIENCE = 0.2  # in this process: the test need not wait
                continue
            time.sleep(self._seconds)
            self.usage.prompt += len(item.context)
            for id_ in item.ids:
                yield Scored(id_, -float(sum(item.context)), True)

    def close(self) -> None:
        pass


class CountingReplica(Replica):
    """A replica with a CountingEngine; `seconds` for each item stand in the model's arguments."""

    def _load(self) -> Engine:
        args = self._setup.model.args
        self._engine = CountingEngine(float(args["seconds"]))
        self._loaded = Loaded(f"host-of-{os.getpid()}", os.getpid(), None, dict(self._engine.description))
        with self._news:
            self._news.notify_all()
        return self._engine


class KeptCluster:
    """A cluster that several fleets use, one after the other: closing a fleet ends its replicas only."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cluster, name)

    def close(self) -> None:
        pass


def counting_cluster(places: int) -> Cluster:
    cluster = Cluster.local(places, 0)
    cluster.replica = CountingReplica
    return cluster


def fleet(
    cluster: Any, replicas: int, *, seconds: float = 0.002, silence: float = 30.0
) -> tuple[FleetEngine, list[str]]:
    """A fleet of counting replicas, and the lines that it tells the user."""
    lines: list[str] = []
    setup = Setup("counting", ModelSpec("m", "m", args={"seconds": seconds}), (), EngineSettings())
    return FleetEngine.start(cluster, setup, replicas, lines.append, silence=silence), lines


def items(count: int, poison: Iterable[int] = (), lost: Iterable[int] = ()) -> list[Work]:
    """Scoring items in four prefix groups."""
    made: list[Work] = []
    for number in range(count):
        first = POISON if number in set(poison) else LOST if number in set(lost) else 1
        context = array("i", [first] + [4 * number // count] * 140 + [number])
        made.append(Score((number,), context, (array("i", [1]),)))
    return made


def expected(work: Iterable[Work]) -> dict[int, Answer]:
    return {
        item.ids[0]: Scored(item.ids[0], -float(sum(item.context)), True) for item in work if isinstance(item, Score)
    }


def pids(engine: FleetEngine) -> list[int]:
    return [member.loaded.pid for member in engine._members if member.loaded is not None]


def wait_for_all(engine: FleetEngine, seconds: float = 300) -> None:
    """Wait until all replicas that are wanted have joined."""
    until = time.monotonic() + seconds
    while sum(member.joined for member in engine._members) < engine._wanted:
        assert time.monotonic() < until
        for _ in engine._collect(0.1):
            pass
        engine._refill()
