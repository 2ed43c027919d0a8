"""evalkit synth"""

from __future__ import annotations

import click

from evalkit.api.synth_definitions import (
    SynthExportArguments,
    SynthNewArguments,
    SynthReplayArguments,
    SynthShowArguments,
)
from evalkit.arguments import Given
from evalkit.cli.options import VerbGroup, to_stdout, verb

__all__ = ["command"]


@click.group("synth", cls=VerbGroup, context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """New evaluation sets from a few seeds, by the pipeline of Self-Instruct."""


@verb("new", SynthNewArguments, group=command)
def new(given: Given) -> None:
    """Let a model write new tasks from seeds of your own."""
    import evalkit as ek

    quiet = bool(given.pop("quiet", False))
    made = ek.synth_new(**given, progress=not quiet)
    if to_stdout(given):
        return
    if given.get("dry_run"):
        made.show()  # type: ignore[union-attr]
    else:
        click.echo(repr(made))


@verb("replay", SynthReplayArguments, group=command)
@click.argument("folder", metavar="DIR")
def replay(given: Given, folder: str) -> None:
    """Make a recorded run again from its kept answers; no model is called."""
    import evalkit as ek

    again = ek.synth_replay(folder, **given)
    if not to_stdout(given):
        click.echo(repr(again))


@verb("show", SynthShowArguments, group=command)
@click.argument("folder", metavar="DIR")
def show(given: Given, folder: str) -> None:
    """Show what a pool holds: funnel, nearest neighbours, classification share, cost."""
    import evalkit as ek

    view = ek.synth_show(folder, **given)
    if not to_stdout(given):
        click.echo(repr(view))


@verb("export", SynthExportArguments, group=command)
@click.argument("folder", metavar="DIR")
def export(given: Given, folder: str) -> None:
    """Write a pool in another format; held-out tasks are in no format for training."""
    import evalkit as ek

    for path in ek.synth_export(folder, **given):
        click.echo(str(path))
