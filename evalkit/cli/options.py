"""Makes a verb's flags from the definition of its arguments, each also an EVALKIT_ variable."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from evalkit.api.output import write_to
from evalkit.arguments import Argument, Given, definition, flag_name

__all__ = [
    "EngineOption",
    "Verb",
    "VerbGroup",
    "debug_option",
    "file_option",
    "journal_option",
    "output_path_option",
    "question_options",
    "to_stdout",
    "verb",
    "write_to",
]

F = TypeVar("F", bound=Callable[..., Any])


def _dashes(token: str) -> str:
    return token.replace("_", "-")


class Verb(click.Command):
    """Flags may be typed with `-` or `_`, and each can be set as EVALKIT_<FLAG>."""

    elsewhere: Mapping[str, str] = {}
    """For a flag that another verb has: what to do instead. Added to the refusal."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        settings = kwargs.setdefault("context_settings", {})
        settings.setdefault("token_normalize_func", _dashes)
        settings.setdefault("help_option_names", ["-h", "--help"])
        settings.setdefault("max_content_width", 110)
        super().__init__(*args, **kwargs)
        for param in self.params:
            if isinstance(param, click.Option) and param.envvar is None and param.name:
                param.envvar = variable_of(param.name)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            if instead := self.elsewhere.get(_dashes(error.option_name)):
                message = f"{error.message.rstrip('.')}: {instead}"
                raise click.NoSuchOption(error.option_name, message, ctx=error.ctx) from None
            raise

    def invoke(self, ctx: click.Context) -> Any:
        from evalkit.cli.variables import refuse_misspelt

        refuse_misspelt(ctx)
        return super().invoke(ctx)


class VerbGroup(click.Group):
    command_class = Verb


class EngineOption(click.Option):
    """An option whose help names engines. `help` is a function, so that they are looked for only when it is shown."""

    def __init__(self, *args: Any, help: Callable[[], str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._help = help

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        self.help = self._help()
        return super().get_help_record(ctx)


def variable_of(name: str) -> str:
    """The environment variable of a flag: EVALKIT_DATA_DIR for --data-dir."""
    return f"EVALKIT_{name.rstrip('_').upper()}"


def verb(
    name: str, asks: type[Any], *, group: click.Group | None = None, without: Collection[str] = ()
) -> Callable[[Callable[..., None]], Verb]:
    """A verb whose flags are the arguments that `asks` defines.

    The decorated function gets what was typed or set by a variable as one mapping, then its positional arguments. A
    flag that was left out is not in the mapping, so that defaults stand in one place.
    """

    def decorate(function: Callable[..., None]) -> Verb:
        defined = [argument for argument in definition(asks) if argument.name not in without]
        names = {argument.name for argument in defined}

        @click.pass_context
        def callback(ctx: click.Context, /, **params: Any) -> None:
            given = {
                key: value
                for key, value in params.items()
                if key in names and ctx.get_parameter_source(key) is not ParameterSource.DEFAULT
            }
            function(given, **{key: value for key, value in params.items() if key not in names})

        positional = list(reversed(getattr(function, "__click_params__", [])))
        command = Verb(
            name,
            callback=callback,
            params=[*positional, *map(_option, defined), _debug()],
            help=inspect.cleandoc(function.__doc__ or ""),
        )
        if group is not None:
            group.add_command(command)
        return command

    return decorate


def to_stdout(given: Given) -> bool:
    """Whether a result goes to stdout, which then holds nothing else."""
    return any(given.get(kind) == "-" for kind in ("json", "csv", "junit", "markdown", "html"))


def _option(argument: Argument) -> click.Option:
    """A flag takes any text: the argument's definition checks it, with the same words as for a keyword argument."""
    flag = argument.flag
    settings: dict[str, Any] = {"help": flag.help, "hidden": flag.hidden}
    if isinstance(flag.help, str):
        settings["help"] = argument.help
    else:
        settings |= {"cls": EngineOption, "help": lambda: argument.help}
    if flag.switch:
        settings["is_flag"] = True
    else:
        settings |= {"metavar": flag.metavar, "multiple": flag.many, "type": click.UNPROCESSED}
        if flag.alone is not None:
            settings |= {"is_flag": False, "flag_value": flag.alone}
    kind = settings.pop("cls", click.Option)
    made: click.Option = kind([*flag.short, flag_name(argument.name), argument.name], **settings)
    return made


def _debug() -> click.Option:
    text = "Show where an error came from (a stack trace)."
    return click.Option(["--debug"], is_flag=True, expose_value=False, help=text)


# ── for verbs without a public function ──────────────────────────────────────


def output_path_option(function: F) -> F:
    return click.option(
        "--output-path",
        type=click.Path(path_type=Path, file_okay=False),
        default=Path("results"),
        show_default=True,
        help="The folder that holds the runs.",
    )(function)


def journal_option(function: F) -> F:
    return click.option(
        "--journal",
        type=click.Path(path_type=Path, file_okay=False),
        metavar="DIR",
        help="Where answers are kept; by default .journal under --output-path.",
    )(function)


def debug_option(function: F) -> F:
    return click.option(
        "--debug", is_flag=True, expose_value=False, help="Show where an error came from (a stack trace)."
    )(function)


def file_option(kind: str, what: str) -> Callable[[F], F]:
    """`--json FILE` and its siblings: a path, or - for stdout."""
    return click.option(f"--{kind}", metavar="FILE", help=f"Write {what} here; - is stdout.")


def question_options(function: F) -> F:
    """--input, --target and --score: how a file of questions and answers is read (`--tasks qa.csv`)."""
    for option in reversed(
        [
            click.option("--input", metavar="NAME", help="Of --tasks qa.csv: the column of the questions."),
            click.option("--target", metavar="NAME", help="Of --tasks qa.csv: the column of the answers."),
            click.option(
                "--score",
                metavar="HOW",
                help="Of --tasks qa.csv: exact, contains, choice, numeric, regex or judge.",
            ),
        ]
    ):
        function = option(function)
    return function
