"""Writes docs/cli.md from the command line itself. `make docs` runs it; a test fails when the file is out of date."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from evalkit.cli import VERBS, cli

TARGET = Path(__file__).resolve().parents[1] / "docs" / "cli.md"

HEAD = """# Verbs and flags

Written from the code by `make docs`. Flags may be typed with `-` or `_`; each is also a variable `EVALKIT_<FLAG>`
(`--data-dir` is `EVALKIT_DATA_DIR`). A flag beats its variable, and that the keys of `--config FILE.yaml`.

| exit | means |
|---|---|
| 0 | done; the gate passed |
| 1 | the gate found a regression |
| 2 | what was asked for is wrong or can't be found; runs that can't be compared |
| 3 | the gate cannot tell |
| 4 | asked rightly, could not be done |
| 130 | interrupted; the same command resumes |
"""


def cli_markdown() -> str:
    root = click.Context(cli, info_name="evalkit")
    parts = [HEAD]
    for name in VERBS:
        command = cli.get_command(root, name)
        assert command is not None
        parts += _describe(command, root, f"evalkit {name}", 2)
    return "\n".join(parts).rstrip() + "\n"


def _describe(command: click.Command, parent: click.Context, title: str, level: int) -> Iterator[str]:
    context = click.Context(command, info_name=command.name, parent=parent)
    yield f"{'#' * level} {title}\n"
    if command.help:
        yield f"{command.help.replace(chr(8), '').strip().splitlines()[0]}\n"
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from _describe(inner, context, f"{title} {name}", level + 1)
        return
    usage = " ".join(command.collect_usage_pieces(context))
    yield f"    {title} {usage}\n"
    rows = [
        _row(option, context) for option in command.params if isinstance(option, click.Option) and not option.hidden
    ]
    yield "\n".join(["| flag | what it does |", "|---|---|", *rows]) + "\n"


def _row(option: click.Option, context: click.Context) -> str:
    record = option.get_help_record(context)
    assert record is not None
    flag, text = (part.replace("|", "\\|") for part in record)
    return f"| `{flag}` | {' '.join(text.split())} |"


if __name__ == "__main__":
    TARGET.write_text(cli_markdown(), encoding="utf-8")
    print(f"wrote {TARGET.name}")
