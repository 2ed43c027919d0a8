"""evalkit export"""

from __future__ import annotations

from typing import Any

import click

from evalkit.api.export_definitions import ExportArguments
from evalkit.cli.options import verb

__all__ = ["command"]


@verb("export", ExportArguments)
@click.argument("run", metavar="RUN")
def command(given: dict[str, Any], run: str) -> None:
    """Send a finished run to an experiment tracker or the hub, or write it in another format.

    Keys and this machine's paths are removed first, and nothing is sent to the hub without --push. A run is a path, a
    run-id, MODEL@latest or @baseline.
    """
    import evalkit as ek

    for receipt in ek.export(run, **given):
        click.echo(f"{receipt.exporter}: {receipt.what}")
