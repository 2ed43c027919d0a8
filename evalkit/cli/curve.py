"""evalkit curve"""

from __future__ import annotations

import click

from evalkit.api.curve_definitions import CurveArguments
from evalkit.arguments import Given
from evalkit.cli.options import to_stdout, verb

__all__ = ["command"]


@verb("curve", CurveArguments)
@click.argument("runs", nargs=-1, metavar="[RUN…]")
def command(given: Given, runs: tuple[str, ...]) -> None:
    """Figures along a training run: the best checkpoint, whether the last is worse, and since when.

    A run is a path, a run-id, MODEL@latest or @baseline. Folders of checkpoints ('out/checkpoint-*') are evaluated on
    --tasks first: adapters of one base in one pass, full ones with prompts that are tokenised once.
    Where a run stands on the axis is read from --points, its model's revision, its names or trainer_state.json.
    """
    import evalkit as ek
    from evalkit.reporting.tables import note

    quiet = given.pop("quiet", False)
    drawn = ek.curve(runs, **given, progress=not quiet)
    if to_stdout(given):
        for text in drawn.notes:
            note(text)
    else:
        drawn.show()
