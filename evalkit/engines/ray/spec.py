"""The spec of the fleet: with --replicas or --cluster it runs another engine several times."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn

from evalkit.engines.base import Engine, Loading, Seats
from evalkit.engines.spec import PROJECT, EngineSettings, EngineSpec
from evalkit.errors import UsageError
from evalkit.types import Adapter, Arguments, ModelSpec

if TYPE_CHECKING:
    from evalkit.engines.ray.cluster import Cluster
    from evalkit.engines.ray.replica import Setup

__all__ = ["SPEC", "open_cluster", "setup_of"]

_log = logging.getLogger("evalkit")

_INSTEAD = "runs another engine several times: evalkit run --engine hf --replicas 2 does that"
_PARALLEL = ("tensor_parallel_size", "pipeline_parallel_size")


def _wrap(inner: EngineSpec) -> EngineSpec:
    """The engine, started as several replicas. Its name and its answers' meaning stay: replicas are pace."""
    if inner.is_served:
        raise UsageError(
            f"--replicas goes with engines that load the model; {inner.title} has a server (--model-args "
            "max_concurrency=… asks it more at once)"
        )

    def start(model: ModelSpec, tokenizer: Any, adapters: Sequence[Adapter], settings: EngineSettings) -> Engine:
        return _begin(inner, model, adapters, settings).wait()

    def begin(model: ModelSpec, adapters: Sequence[Adapter], settings: EngineSettings) -> Loading:
        return _begin(inner, model, adapters, settings)

    def open_seats(model_args: Arguments, settings: EngineSettings) -> Seats:
        from evalkit.engines.ray.seats import RaySeats

        return RaySeats.open(inner.name, model_args, settings)

    return replace(
        inner,
        start=start,
        begin=begin,
        # A process that has used Ray cannot be forked: its threads do not outlive that.
        open_seats=None if "ray" in sys.modules else open_seats,
        needs=(*inner.needs, "ray"),
        install=f"{PROJECT}[ray]",
    )


def _begin(inner: EngineSpec, model: ModelSpec, adapters: Sequence[Adapter], settings: EngineSettings) -> Loading:
    from evalkit.engines.ray.engine import FleetEngine

    cluster, count = open_cluster(model.args, settings)
    fleet = FleetEngine(cluster, setup_of(inner.name, model, adapters, settings), count, _log.warning)
    fleet.begin()
    return fleet


def setup_of(engine: str, model: ModelSpec, adapters: Sequence[Adapter], settings: EngineSettings) -> Setup:
    """What each replica loads."""
    from evalkit.engines.ray.replica import Setup

    return Setup(engine, model, tuple(adapters), replace(settings, replicas=None, cluster=None))


def open_cluster(args: Mapping[str, object], settings: EngineSettings) -> tuple[Cluster, int]:
    """The cluster that the flags name, and the number of replicas."""
    from evalkit.engines.ray.cluster import Cluster, visible_gpus

    asked = settings.replicas or "auto"
    each = gpus_each(args)
    on_cpu = (settings.device or "").startswith("cpu")
    if settings.cluster is None:
        gpus = 0 if on_cpu else visible_gpus()
        count = _count(asked, gpus, each, "this machine")
        if not gpus:
            _check_cores(count)
        cluster = Cluster.local(count, each if gpus else 0)
    else:
        cluster = Cluster.running(settings.cluster, each)
        gpus = 0 if on_cpu else cluster.gpus()
        try:
            count = _count(asked, gpus, each, "the cluster")
        except UsageError:
            cluster.close()
            raise
        cluster.gpus_each = each if gpus else 0
    return cluster, count


def gpus_each(args: Mapping[str, object]) -> int:
    """The GPUs of one replica: tensor times pipeline parallel size."""
    count = 1
    for name in _PARALLEL:
        value = str(args.get(name, 1)).strip()
        if not (value.isascii() and value.isdigit() and int(value[:9]) > 0):
            raise UsageError(f"--model-args {name}={value}: a number of GPUs, 1 or more")
        count *= int(value)
    return count


def _check_cores(count: int) -> None:
    """UsageError where so many replicas on the CPU would only exhaust the machine."""
    cores = os.cpu_count() or 1
    if count > max(8, 4 * cores):
        raise UsageError(
            f"--replicas {count}: they run on the CPU, and this machine has {cores} cores;"
            f" --replicas {cores} is as fast"
        )


def _count(asked: int | str, gpus: int, each: int, where: str) -> int:
    """The number of replicas. UsageError where it cannot be had."""
    if asked == "auto":
        if gpus < each:
            what = f"{gpus} GPUs and a replica needs {each}" if gpus else "no GPU"
            raise UsageError(f"--replicas auto: {where} has {what}; say how many: --replicas 2")
        return gpus // each
    count = int(asked)
    if gpus and count * each > gpus:
        raise UsageError(
            f"--replicas {count}: {count} of {each} GPUs each need {count * each}, and {where} has {gpus};"
            f" --replicas {gpus // each} fits"
        )
    return count


def _state() -> str:
    """For `evalkit doctor`: the cluster that --cluster auto would find."""
    from evalkit.engines.ray.nearby import describe

    return describe()


def _refuse(*_: Any) -> NoReturn:
    raise UsageError(f"--engine ray {_INSTEAD}")


SPEC = EngineSpec(
    name="ray",
    title="replicas on Ray",
    semantics="ray/1",
    find_model=_refuse,
    load_tokenizer=_refuse,
    start=_refuse,
    needs=("ray",),
    install=f"{PROJECT}[ray]",
    distributions=("ray",),
    abilities=frozenset(),
    check=_state,
    instead=_INSTEAD,
    wrap=_wrap,
    priority=-10,
)
