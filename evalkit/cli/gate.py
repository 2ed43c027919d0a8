"""evalkit gate"""

from __future__ import annotations

from pathlib import Path

import click

from evalkit.cli.options import Verb, debug_option, file_option, output_path_option, write_to

__all__ = ["command"]


@click.command("gate", cls=Verb)
@click.argument("runs", nargs=-1, metavar="BASELINE CANDIDATE")
@output_path_option
@click.option(
    "--policy",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="gate.yaml",
    help="What is tolerated; without one, every shared task may drop by 0.01.",
)
@click.option("--noise", metavar="RUN", help="A second run of the baseline: its flip rate is the noise floor.")
@click.option("--allow", multiple=True, metavar="KIND", help="A difference that is meant: version, prompts, shots …")
@click.option("--bless", metavar="RUN", help="Make RUN the baseline (@baseline), and judge nothing.")
@file_option("json", "the verdict and all figures")
@file_option("junit", "the verdict as JUnit XML")
@file_option("markdown", "the verdict, fit for a pull-request comment")
@debug_option
def command(
    runs: tuple[str, ...],
    output_path: Path,
    policy: Path | None,
    noise: str | None,
    allow: tuple[str, ...],
    bless: str | None,
    json: str | None,
    junit: str | None,
    markdown: str | None,
) -> None:
    """Say whether a candidate is worse than its baseline: pass (0), regression (1) or cannot tell (3).

    A run is a path, a run-id, MODEL@latest or @baseline. With one run, the baseline is @baseline.
    """
    from evalkit.cli.runs import find_run
    from evalkit.config import split_list
    from evalkit.gating import gate
    from evalkit.policy import Policy
    from evalkit.reporting.gate_view import as_json, as_junit, as_markdown, show

    if bless is not None:
        if runs:
            raise click.UsageError("--bless RUN stands alone: it names the baseline and judges nothing")
        _bless(bless, output_path)
        return
    if len(runs) not in (1, 2):
        raise click.UsageError("two runs are judged: evalkit gate BASELINE CANDIDATE (or CANDIDATE, against @baseline)")
    baseline, candidate = runs if len(runs) == 2 else ("@baseline", runs[0])
    rules = Policy() if policy is None else Policy.load(policy)
    result = gate(
        find_run(baseline, output_path),
        find_run(candidate, output_path),
        rules,
        noise=None if noise is None else find_run(noise, output_path),
        allow=split_list(allow),
    )
    write_to(json, as_json(result))
    write_to(junit, as_junit(result))
    write_to(markdown, as_markdown(result))
    if "-" not in (json, junit, markdown):
        show(result)
    raise SystemExit(result.exit_code)


def _bless(ref: str, root: Path) -> None:
    from evalkit.cli.runs import find_run
    from evalkit.comparison import usable, whole
    from evalkit.results import bless

    run = find_run(ref, root)
    usable(run)
    whole(run)
    run.scores()  # a baseline that can't be read is found now, not by the first gate
    click.echo(f"@baseline is now {run.label} {run.run_id} ({bless(run, root)})")
