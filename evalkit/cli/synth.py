"""evalkit synth"""

from __future__ import annotations

import click

from evalkit.api.data_definitions import SynthReplayArguments
from evalkit.arguments import Given
from evalkit.cli.options import VerbGroup, to_stdout, verb

__all__ = ["command"]


@click.group("synth", cls=VerbGroup, context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """New evaluation sets from a few seeds, by the pipeline of Self-Instruct."""


@verb("replay", SynthReplayArguments, group=command)
@click.argument("folder", metavar="DIR")
def replay(given: Given, folder: str) -> None:
    """Make a recorded run again from its kept answers; nobody is called."""
    import evalkit as ek

    again = ek.synth_replay(folder, **given)
    if not to_stdout(given):
        click.echo(repr(again))
