"""evalkit watch"""

from __future__ import annotations

from typing import Any

import click

from evalkit.api.watch_definitions import WatchArguments
from evalkit.cli.options import verb

__all__ = ["command"]


@verb("watch", WatchArguments)
@click.argument("directory", metavar="DIR")
def command(given: dict[str, Any], directory: str) -> None:
    """Evaluate each checkpoint that a trainer writes into DIR, once it is whole, the newest first.

    \b
    evalkit watch ./out --tasks gsm8k --limit 200 --baseline base@latest --stop-file ./out/STOP
    evalkit watch ./out --tasks qa.csv --model mistral-7b --once
    """
    import evalkit as ek

    quiet = given.pop("quiet", False)
    raise SystemExit(ek.watch(directory, **given, progress=not quiet).exit_code)
