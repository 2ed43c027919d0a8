"""lm-eval's metrics over all documents of a task, and the figures of groups."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from unittest import mock

from lm_eval.api.metrics import mean, stderr_for_metric
from lm_eval.api.registry import METRIC_REGISTRY

from evalkit.metrics import facts

__all__ = ["aggregate", "group_figures", "known_metric", "metric_names"]

_BOOTSTRAP_ITERATIONS = 100_000


def known_metric(name: str) -> bool:
    """Whether lm-eval has this metric itself. Any other is fetched and run as code by the `evaluate` package."""
    return name in METRIC_REGISTRY


def metric_names() -> list[str]:
    return sorted(METRIC_REGISTRY)


def aggregate(task: Any, metric: str, values: Sequence[Any]) -> tuple[float, float | None]:
    """One metric over all documents, and lm-eval's standard error if it has one."""
    function = task.aggregation().get(metric, mean)
    value = function(list(values))
    iterations = min(_BOOTSTRAP_ITERATIONS, 100) if facts(metric).short_bootstrap else _BOOTSTRAP_ITERATIONS
    stderr = stderr_for_metric(metric=function, bootstrap_iters=iterations)
    if stderr is None or len(values) < 2:
        return value, None
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()), _one_process():
        return value, stderr(list(values))


@contextlib.contextmanager
def _one_process() -> Iterator[None]:
    """Keep lm-eval's bootstrap from forking this process with its threads and CUDA. The draws are the same."""
    with mock.patch.dict(os.environ, {"DISABLE_MULTIPROC": "1"}):
        yield


def group_figures(group: Any, metrics: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    figures: Mapping[str, Any] = group.aggregate(dict(metrics))
    return figures
