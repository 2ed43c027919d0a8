"""Shards of a run, joined."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from evalkit.api.definitions import MergeArguments
from evalkit.api.finishing import finish
from evalkit.api.runs import Run, RunLike, opened
from evalkit.arguments import from_call
from evalkit.errors import UsageError

__all__ = ["merge"]


def merge(
    runs: Sequence[RunLike],
    *,
    name: str | None = None,
    output_path: str | Path = "results",
    include_path: str | Path | Sequence[str | Path] = (),
    allow_task_code: bool = False,
    data_dir: str | Path | None = None,
    input: str | None = None,
    target: str | None = None,
    score: str | None = None,
    json: str | Path | None = None,
) -> Run:
    """Join the runs of all shards (`evaluate(…, shard="1/3")`) into the run that one process would have made."""
    asked = from_call(MergeArguments, locals())
    if not runs:
        raise UsageError("merge: give the runs of all shards: evalkit merge NAME-1 NAME-2 NAME-3")
    from evalkit import results
    from evalkit.registry import Registry
    from evalkit.registry.kinds import FileOptions
    from evalkit.reporting.run_view import report
    from evalkit.runner.joining import check_shards, join

    shards = check_shards([opened(run, asked.output_path) for run in runs])
    results.check_writable(asked.output_path)
    run_id = results.check_name(asked.name) if asked.name is not None else results.new_run_id()
    registry = Registry(
        asked.include_path,
        allow_task_code=asked.allow_task_code,
        data_dir=asked.data_dir,
        file_options=FileOptions(asked.input, asked.target, asked.score),
    )
    suite = registry.load(tuple(shards[0].record.manifest.requested or ()))
    outcome = join(shards, suite, asked.output_path, run_id, report)
    (joined,) = finish([outcome], asked.json, None)
    return joined
