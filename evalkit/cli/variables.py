"""Finds misspelt EVALKIT_ variables, which would otherwise change nothing and say nothing."""

from __future__ import annotations

import difflib
import importlib
import os
from collections.abc import Iterator

import click

from evalkit.errors import UsageError

__all__ = ["refuse_misspelt"]

_PREFIX = "EVALKIT_"
_NEAR = 0.75
"""How alike a name must be to one of ours to be taken for a slip. Others belong to somebody else."""


def refuse_misspelt(ctx: click.Context) -> None:
    """An error for a variable that is nearly, and not quite, one of a flag."""
    set_here = [name for name in os.environ if name.startswith(_PREFIX)]
    own = {variable for param in ctx.command.params for variable in _variables(param)}
    if not set(set_here) - own:
        return
    known = {"EVALKIT_DEBUG", *_all_variables()}
    for name in sorted(set(set_here) - known):
        bare = name.removeprefix(_PREFIX)
        near = difflib.get_close_matches(
            bare, [variable.removeprefix(_PREFIX) for variable in known], n=1, cutoff=_NEAR
        )
        if near:
            raise UsageError(f"the variable {name} is not one of evalkit's; did you mean {_PREFIX}{near[0]}?")


def _all_variables() -> Iterator[str]:
    from evalkit.cli import VERBS

    for verb in VERBS:
        yield from _of_command(importlib.import_module(f"evalkit.cli.{verb}").command)


def _of_command(command: click.Command) -> Iterator[str]:
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            yield from _of_command(inner)
    for param in command.params:
        yield from _variables(param)


def _variables(param: click.Parameter) -> list[str]:
    if param.envvar is None:
        return []
    return [param.envvar] if isinstance(param.envvar, str) else list(param.envvar)
