"""Places for replicas of several models on one cluster. Each model's run is a process of its own.

This process must stay free of Ray, since it forks: a keeper (keeper.py) holds the cluster, and each forked process
joins it by itself.
"""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import secrets
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from evalkit import errors
from evalkit.engines.base import Engine
from evalkit.engines.ray.keeper import Drop, Load, Open, Opened
from evalkit.engines.ray.replica import Setup
from evalkit.engines.ray.spec import setup_of
from evalkit.engines.spec import EngineSettings
from evalkit.errors import EngineError
from evalkit.types import Adapter, ModelSpec

__all__ = ["RaySeats"]

_log = logging.getLogger("evalkit")

_LEAVE = 12.0
"""Seconds that the keeper gets to end its cluster."""


class RaySeats:
    """The places of a sweep, held by a keeper."""

    def __init__(self, engine: str, keeper: subprocess.Popen[bytes]) -> None:
        self._engine = engine
        self._keeper = keeper
        self._opened: Opened | None = None
        self._loading: dict[str, Setup] = {}

    @classmethod
    def open(cls, engine: str, args: Mapping[str, object], settings: EngineSettings) -> RaySeats:
        """Start the keeper, and not wait for its cluster."""
        command = [sys.executable, "-c", "from evalkit.engines.ray.keeper import main; main()"]
        # A session of its own: a Ctrl-C of the terminal must not reach it.
        keeper = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
        seats = cls(engine, keeper)
        seats._send(Open(dict(args), settings))
        return seats

    def count(self) -> int:
        return self._wait().count

    def load(self, model: ModelSpec, adapters: Sequence[Adapter], settings: EngineSettings) -> str:
        name = f"evalkit-{os.getpid()}-{secrets.token_hex(6)}"
        self._loading[name] = setup_of(self._engine, model, adapters, settings)
        self._send(Load(name, self._loading[name]))
        return name

    def start(
        self, model: ModelSpec, adapters: Sequence[Adapter], settings: EngineSettings, first: str | None
    ) -> Engine:
        from evalkit.engines.ray.cluster import Cluster
        from evalkit.engines.ray.engine import FleetEngine

        access = self._wait().access
        assert access is not None
        setup = setup_of(self._engine, model, adapters, settings)
        cluster = Cluster.join(access)
        fleet = FleetEngine(cluster, setup, 1, _log.warning)
        same = first is not None and self._loading.get(first) == setup
        try:
            handle = cluster.adopt(first) if same and first is not None else None
        except EngineError:
            handle = None
        fleet.begin(handle)
        return fleet.wait()

    def drop(self, first: str) -> None:
        self._send(Drop(first))

    def detach(self) -> None:
        for stream in (self._keeper.stdin, self._keeper.stdout):
            if stream is not None:
                os.close(stream.fileno())

    def close(self) -> None:
        if self._keeper.stdin is not None and not self._keeper.stdin.closed:
            with contextlib.suppress(BrokenPipeError):
                self._keeper.stdin.close()
        try:
            self._keeper.wait(_LEAVE)
        except subprocess.TimeoutExpired:
            self._keeper.kill()
            self._keeper.wait()

    def _send(self, message: Any) -> None:
        assert self._keeper.stdin is not None
        try:
            pickle.dump(message, self._keeper.stdin)
            self._keeper.stdin.flush()
        except BrokenPipeError:
            self._wait()
            raise EngineError("the process that holds the cluster has ended") from None

    def _wait(self) -> Opened:
        if self._opened is None:
            assert self._keeper.stdout is not None
            try:
                self._opened = pickle.load(self._keeper.stdout)
            except EOFError:
                raise EngineError("no cluster could be started for the sweep") from None
        if self._opened.access is None:
            raise getattr(errors, self._opened.kind, EngineError)(self._opened.message)
        return self._opened
