"""The command line: one thin file per verb. Parse, call, show; no logic."""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any, NoReturn

import click

from evalkit import __version__
from evalkit.errors import EvalkitError, Interrupted, nearest

__all__ = ["cli", "main"]

VERBS = {
    "run": "Evaluate a model and keep the figures.",
    "score": "Score recorded answers again, without a model.",
    "compare": "Say what differs between runs, pair by pair.",
    "gate": "Pass, regression or cannot tell: a verdict for CI.",
    "plan": "How many documents and answers find a drop of a stated size.",
    "curve": "Figures along a training run: the best checkpoint, and whether the last is worse.",
    "watch": "Evaluate each checkpoint that a trainer writes, once it is whole.",
    "merge": "Join the runs of all shards into one.",
    "leaderboard": "All runs as one table.",
    "report": "One page for some runs, to open in a browser.",
    "export": "Send a run to an experiment tracker or the hub, or write it in another format.",
    "judge": "Judge answers with a model, and hold the judge against people.",
    "rate": "How often answers refuse, insult …: raw, and corrected by people's labels.",
    "arena": "Rate models from their games against each other.",
    "overlap": "Find rows of one file in another, or benchmarks in training data.",
    "synth": "New evaluation sets from a few seeds.",
    "tasks": "List, show and validate tasks.",
    "models": "The model aliases and what is known of each.",
    "data": "Make and check an offline mirror of the benchmarks.",
    "cache": "Size of the kept answers, and how to drop some.",
    "doctor": "What works on this machine.",
}


class Verbs(click.Group):
    """Loads a verb's module when the verb is typed, so that --help costs nothing."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        module = importlib.import_module(f"evalkit.cli.{cmd_name}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            raise click.UsageError(f"no such verb {args[0]!r}{nearest(args[0], VERBS)}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="evalkit")
def cli() -> None:
    """Is this model better or worse, on what, and how sure are you?"""


def main(argv: list[str] | None = None) -> None:
    """Run a verb, and turn whatever goes wrong into one line and an exit code."""
    args = sys.argv[1:] if argv is None else argv
    debug = "--debug" in args or os.environ.get("EVALKIT_DEBUG", "").lower() in ("1", "true")
    try:
        with _terminated_like_interrupted():
            code = cli.main(args, prog_name="evalkit", standalone_mode=False)
    except Exception as error:
        if debug:
            raise
        code = _explain(error)
    except KeyboardInterrupt:
        if debug:
            raise
        code = _explain(Interrupted("interrupted; the same command goes on where it stopped"))
    if code == Interrupted.exit_code:
        _leave_at_once(code)
    sys.exit(code if isinstance(code, int) else 0)


@contextlib.contextmanager
def _terminated_like_interrupted() -> Iterator[None]:
    """SIGTERM does what Ctrl-C does, unless another handler is installed already."""
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _leave_at_once(code: int) -> NoReturn:
    """All is written by now, and unloading torch can take longer than a scheduler waits."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _explain(error: BaseException) -> int:
    from evalkit.reporting.messages import cleaned

    if isinstance(error, click.exceptions.NoArgsIsHelpError) and error.ctx is not None:
        click.echo(error.ctx.get_help())
        return 0
    message, code = _line(error)
    if message:
        _complain(f"evalkit: {cleaned(message)}")
    return code


def _complain(line: str) -> None:
    """To stderr; where that is closed or full, the exit code alone must say it."""
    try:
        click.echo(line, err=True)
        sys.stderr.flush()
    except (OSError, ValueError, AttributeError):
        sys.stderr = open(os.devnull, "w")  # noqa: PTH123, SIM115  nothing may be flushed to the broken one


def _line(error: BaseException) -> tuple[str, int]:
    match error:
        case EvalkitError():
            return str(error), error.exit_code
        case click.Abort():
            return "interrupted", Interrupted.exit_code
        case click.exceptions.Exit():
            return "", error.exit_code
        case click.ClickException():
            ctx: Any = getattr(error, "ctx", None)
            return f"{error.format_message()} ({ctx.command_path if ctx else 'evalkit'} --help)", 2
        case BrokenPipeError():
            sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115  the reader is gone; nothing may be flushed to it
            return "", 0
        case MemoryError():
            return "out of memory: try a smaller --batch-size or fewer tasks at once; what had finished is kept", 4
        case OSError():
            where = f" ({error.filename})" if error.filename else ""
            return f"{error.strerror or error}{where}; what had finished is kept", 4
        case _:
            return f"unexpected {type(error).__name__}: {error}; --debug shows where it came from", 4
