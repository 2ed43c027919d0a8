"""A process that holds the cluster of a sweep, and asks for the first replica of each model before its run begins.

It is started by seats.py, reads messages from its standard input, and ends the cluster when that is closed: also if
the other process was killed.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evalkit.engines.ray.cluster import Access, Cluster, Handle
from evalkit.engines.ray.replica import Setup
from evalkit.engines.ray.spec import open_cluster
from evalkit.engines.spec import EngineSettings
from evalkit.errors import EvalkitError

__all__ = ["Drop", "Load", "Open", "Opened", "main"]


@dataclass(frozen=True, slots=True)
class Open:
    """The first message: which cluster."""

    args: Mapping[str, object]
    settings: EngineSettings


@dataclass(frozen=True, slots=True)
class Opened:
    """The answer to it."""

    access: Access | None
    count: int = 0
    kind: str = ""
    """The name of a class in evalkit.errors, where it failed."""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Load:
    """Ask for a replica."""

    name: str
    setup: Setup


@dataclass(frozen=True, slots=True)
class Drop:
    """End it."""

    name: str


def main() -> None:
    """Open the cluster that the first message names, and serve the messages that follow."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    requests = sys.stdin.buffer
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not stand among the answers
    opening: Open = pickle.load(requests)
    try:
        cluster, count = open_cluster(opening.args, opening.settings)
    except EvalkitError as error:
        _answer(answers, Opened(None, 0, type(error).__name__, str(error)))
        return
    try:
        _answer(answers, Opened(cluster.access, count))
        _serve(cluster, requests)
    finally:
        cluster.close()


def _serve(cluster: Cluster, requests: Any) -> None:
    held: dict[str, Handle] = {}
    while True:
        try:
            message = pickle.load(requests)
        except (EOFError, pickle.UnpicklingError):
            return
        if isinstance(message, Load):
            held[message.name] = cluster.spawn(message.setup, message.name)
        elif isinstance(message, Drop) and message.name in held:
            cluster.kill(held.pop(message.name))


def _answer(stream: Any, answer: Opened) -> None:
    with contextlib.suppress(BrokenPipeError):
        pickle.dump(answer, stream)
        stream.flush()
