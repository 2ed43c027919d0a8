"""Options that several verbs share, and the command class that gives every flag its EVALKIT_ variable."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from evalkit.errors import OutputError

__all__ = ["EngineOption", "Verb", "VerbGroup", "debug_option", "file_option", "output_path_option", "verb", "write_to"]

F = TypeVar("F", bound=Callable[..., Any])


def _dashes(token: str) -> str:
    return token.replace("_", "-")


class Verb(click.Command):
    """Flags may be typed with `-` or `_`, and each can be set as EVALKIT_<FLAG>."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        settings = kwargs.setdefault("context_settings", {})
        settings.setdefault("token_normalize_func", _dashes)
        settings.setdefault("help_option_names", ["-h", "--help"])
        settings.setdefault("max_content_width", 110)
        super().__init__(*args, **kwargs)
        for param in self.params:
            if isinstance(param, click.Option) and param.envvar is None and param.name:
                param.envvar = f"EVALKIT_{param.name.upper()}"


class VerbGroup(click.Group):
    command_class = Verb


class EngineOption(click.Option):
    """An option whose help names engines. `help` is a function: the engines are looked for only when it is shown."""

    def __init__(self, *args: Any, help: Callable[[], str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._help = help

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        self.help = self._help()
        return super().get_help_record(ctx)


def verb(**kwargs: Any) -> Callable[[Callable[..., Any]], click.Command]:
    return click.command(cls=Verb, **kwargs)


def output_path_option(function: F) -> F:
    return click.option(
        "--output-path",
        type=click.Path(path_type=Path, file_okay=False),
        default=Path("results"),
        show_default=True,
        help="The folder that holds the runs.",
    )(function)


def debug_option(function: F) -> F:
    return click.option(
        "--debug", is_flag=True, expose_value=False, help="Show where an error came from (a stack trace)."
    )(function)


def file_option(kind: str, what: str) -> Callable[[F], F]:
    """`--json FILE` and its siblings: a path, or - for stdout."""
    return click.option(f"--{kind}", metavar="FILE", help=f"Write {what} here; - is stdout.")


def write_to(target: str | None, text: str) -> None:
    """Write a whole file or nothing: a reader never sees half of it."""
    if target is None:
        return
    if target == "-":
        click.echo(text, nl=not text.endswith("\n"))
        return
    path = Path(target)
    partial = path.with_name(path.name + ".partial")
    try:
        partial.write_text(text, encoding="utf-8", newline="")
        partial.replace(path)
    except OSError as error:
        raise OutputError(
            f"{target}: cannot be written ({error.strerror}); give another path, or - for stdout"
        ) from None
