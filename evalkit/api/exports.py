"""A finished run goes somewhere else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from evalkit import comparison, gating, results
from evalkit.api.export_definitions import ExportArguments
from evalkit.api.policies import PolicyLike, as_policy
from evalkit.api.runs import Run, RunLike, opened
from evalkit.arguments import from_call
from evalkit.errors import CouldNotDo, UsageError
from evalkit.exporting import Options, Receipt, check_arguments, ready, send
from evalkit.exporting.parcel import Evidence, open_parcel
from evalkit.policy import Policy
from evalkit.types import Arguments

__all__ = ["export", "log_runs"]

_CHANGED = 200
"""How many changed documents of each task are exported."""


def export(
    run: RunLike,
    *,
    to: str | Sequence[str] = (),
    output_path: str | Path = "results",
    against: RunLike | None = None,
    policy: PolicyLike | None = None,
    allow: str | Sequence[str] = (),
    out: str | Path = "exports",
    project: str | None = None,
    id: str | None = None,
    step: int = 0,
    repo: str | None = None,
    push: bool = False,
    export_args: str | Arguments | None = None,
) -> list[Receipt]:
    """Send a finished run to each of `to`, or write it there as files; one receipt for each.

    Keys and this machine's paths are removed first. Nothing is sent to the Hugging Face hub without `push`. The run
    itself stays as it is, whatever happens.
    """
    asked = from_call(ExportArguments, locals())
    if not asked.to:
        raise UsageError("--to is missing: evalkit export RUN --to mlflow (evalkit export --help lists the names)")
    specs = ready(asked.to)
    check_arguments(specs, asked.export_args)
    if asked.push and not any(spec.pushes for spec in specs):
        raise UsageError("--push goes with --to hf: it opens a pull request on the hub")
    if asked.against is None and (asked.policy is not None or asked.allow):
        raise UsageError("--policy and --allow go with --against RUN, the baseline that the run is held against")
    rules = as_policy(asked.policy)
    baseline = None if asked.against is None else opened(asked.against, asked.output_path)
    options = Options(
        out=asked.out,
        project=asked.project,
        id=asked.id,
        step=asked.step,
        repo=asked.repo,
        push=asked.push,
        args={name: str(value) for name, value in asked.export_args.items()},
    )
    with open_parcel(
        opened(run, asked.output_path),
        baseline,
        judge=lambda first, copy: _evidence(first, copy, rules, asked.allow),
        report=lambda runs: _report(runs, rules, asked.allow),
    ) as parcel:
        return [send(spec, parcel, options) for spec in specs]


def log_runs(runs: Sequence[Run], names: Sequence[str]) -> None:
    """Log runs that were just made to experiment trackers. An error carries the runs, which are whole."""
    from evalkit.reporting.tables import note

    for spec in ready(names, "--log-to", tracking=True):
        for run in runs:
            try:
                with open_parcel(run.stored, report=lambda made: _report(made, Policy(), ())) as parcel:
                    note(f"{spec.name}: {send(spec, parcel, Options()).what}")
            except CouldNotDo as error:
                error.runs = tuple(runs)
                raise


def _evidence(baseline: results.Run, run: results.Run, policy: Policy, allow: Sequence[str]) -> Evidence:
    compared = comparison.compare(baseline, [run], allow=allow, flips=_CHANGED)
    changed = tuple(flip for task in compared.against[0].tasks for flip in task.flips)
    return Evidence(baseline, gating.gate(baseline, run, policy, allow=allow), changed)


def _report(runs: Sequence[results.Run], policy: Policy, allow: Sequence[str]) -> str:
    from evalkit.api.leaderboards import chance_levels
    from evalkit.reporting import overview
    from evalkit.reporting.html import as_html

    rules = policy if len(runs) > 1 else None
    return as_html(overview.overview(list(runs), policy=rules, allow=allow, chances=chance_levels()), room=24_000_000)
