"""evalkit gate"""

from __future__ import annotations

import click

from evalkit.api.definitions import GateArguments
from evalkit.arguments import Given
from evalkit.cli.options import to_stdout, verb

__all__ = ["command"]


@verb("gate", GateArguments)
@click.argument("runs", nargs=-1, metavar="BASELINE CANDIDATE")
def command(given: Given, runs: tuple[str, ...]) -> None:
    """Say whether a candidate is worse than its baseline: pass (0), regression (1) or cannot tell (3).

    A run is a path, a run-id, MODEL@latest or @baseline. With one run, the baseline is @baseline.
    """
    import evalkit as ek

    if len(runs) > 2:
        raise click.UsageError("two runs are judged: evalkit gate BASELINE CANDIDATE (or CANDIDATE, against @baseline)")
    result = ek.gate(*runs, **given)
    if isinstance(result, ek.Run):
        click.echo(f"@baseline is now {result.model} {result.run_id} ({result.path})")
        return
    if not to_stdout(given):
        result.show()
    raise SystemExit(result.exit_code)
