"""evalkit tasks list | show | validate | init"""

from __future__ import annotations

import json as json_library
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import click

from evalkit.cli.options import VerbGroup, debug_option, file_option, question_options, write_to
from evalkit.errors import ConfigError
from evalkit.reporting.tables import Cell, Column, Table, draw, note, open_console, quote, room, say

__all__ = ["command"]

_include_path = click.option(
    "--include-path", multiple=True, metavar="DIR", help="A folder of your own tasks in lm-eval's YAML."
)
_allow_task_code = click.option(
    "--allow-task-code", is_flag=True, help="Let task files in that folder run their own Python."
)
_data_dir = click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="An offline mirror of the data sets.",
)


_COLUMNS = (
    Column("task"),
    Column("kind", drop=2),
    Column("from", drop=1),
    Column("shots", "figure", drop=5),
    Column("headline", drop=4),
    Column("chance", "figure", drop=3),
    Column("what it is", "prose", least=40),
)


_ROOM_FOR_PROSE = 150
_MANY = 5
"""So many tasks that differ in the language alone share a row."""

T = TypeVar("T")


@click.group("tasks", cls=VerbGroup)
def command() -> None:
    """List, show, validate and begin tasks."""


@command.command("list")
@_include_path
@click.option("--all", "everything", is_flag=True, help="lm-eval's own tasks, groups and tags too.")
@file_option("json", "the list")
@debug_option
def list_command(include_path: tuple[str, ...], everything: bool, json: str | None) -> None:
    """The shipped benchmarks and your own."""
    from evalkit.api.task_files import list_tasks

    tasks = list_tasks(include_path, everything=everything)
    write_to(json, json_library.dumps([asdict(item) for item in tasks], indent=2, ensure_ascii=False))
    if json == "-":
        return
    rows = [
        (
            Cell(name, "bold"),
            item.kind,
            item.source,
            "" if item.num_fewshot is None else str(item.num_fewshot),
            item.headline or "",
            "" if item.chance is None else f"{item.chance:g}",
            item.description.split(". ")[0].rstrip("."),
        )
        for name, item in _families([(item.name, item) for item in tasks])
    ]
    console = open_console()
    # With little room a description takes several lines: the names are then easier to find without.
    shown = len(_COLUMNS) if room(console) >= _ROOM_FOR_PROSE else len(_COLUMNS) - 1
    draw(console, Table(_COLUMNS[:shown], [row[:shown] for row in rows]))
    if shown < len(_COLUMNS):
        say(console, "evalkit tasks show TASK says what it is; so does this list in a wider terminal.", "dim")
    if not everything:
        say(console, "Most other lm-eval tasks work too; --all lists them.", "dim")


def _families(tasks: list[tuple[str, T]]) -> list[tuple[str, T]]:
    """One row for a task in many languages, under the glob that names them all: xquad_*."""
    stems = Counter(_stem(name) for name, _ in tasks)
    rows: dict[str, tuple[str, T]] = {}
    for name, item in tasks:
        shown = f"{_stem(name)}*" if stems[_stem(name)] >= _MANY else name
        rows.setdefault(shown, (shown, item))
    return list(rows.values())


def _stem(name: str) -> str:
    """The name without the language that it ends in; the name itself where it ends in none."""
    stem, underline, language = name.rpartition("_")
    return f"{stem}_" if underline and len(language) == 2 and language.isalpha() else name


@command.command("show")
@click.argument("task")
@question_options
@click.option("--model", "-m", metavar="MODEL", help="Render and tokenise as for this model.")
@click.option("--doc", default=0, show_default=True, metavar="N", help="Which document.")
@click.option("--num-fewshot", "-f", type=click.IntRange(min=0), metavar="N", help="Examples in the prompt.")
@click.option("--apply-chat-template", is_flag=False, flag_value="true", metavar="[NAME]", help="The model's template.")
@click.option("--system-instruction", metavar="TEXT", help="A system prompt.")
@_include_path
@_allow_task_code
@_data_dir
@file_option("json", "all of it")
@debug_option
def show_command(
    task: str,
    input: str | None,
    target: str | None,
    score: str | None,
    model: str | None,
    doc: int,
    num_fewshot: int | None,
    apply_chat_template: str | None,
    system_instruction: str | None,
    include_path: tuple[str, ...],
    allow_task_code: bool,
    data_dir: Path | None,
    json: str | None,
) -> None:
    """One document of TASK: the prompt as the model sees it, what is scored, the target."""
    from evalkit.api.task_files import show_task

    if apply_chat_template and not model:
        raise click.UsageError("--apply-chat-template needs --model: whose template?")
    shown = show_task(
        task,
        input=input,
        target=target,
        score=score,
        model=model,
        doc=doc,
        num_fewshot=num_fewshot,
        apply_chat_template=apply_chat_template,
        system_instruction=system_instruction,
        include_path=include_path,
        allow_task_code=allow_task_code,
        data_dir=data_dir,
    )
    write_to(json, json_library.dumps(asdict(shown), indent=2, ensure_ascii=False, default=str))
    if json != "-":
        if shown.members:
            say(
                open_console(),
                f"{task} stands for {len(shown.members)} tasks. This is the first; to see another,"
                f" type evalkit tasks show {shown.members[-1]}",
                "dim",
            )
        _show(shown)


@command.command("validate")
@click.argument("path", type=click.Path(path_type=Path))
@_allow_task_code
@_data_dir
@debug_option
def validate_command(path: Path, allow_task_code: bool, data_dir: Path | None) -> None:
    """Load the tasks of a YAML file or folder for real, and render a document of each."""
    from evalkit.api.task_files import validate_tasks

    checked = validate_tasks(path, allow_task_code=allow_task_code, data_dir=data_dir)
    for text in checked.notes:
        note(text)
    console = open_console()
    for shown in checked.tasks:
        say(
            console,
            f"{shown.task}: {checked.documents[shown.task]} documents, {shown.num_fewshot} shots, {shown.headline}",
        )
        quote(console, shown.prompt, indent=4)
    for fault in checked.faults:
        note(fault, "fault")
    groups = f", groups {', '.join(checked.groups)}" if checked.groups else ""
    say(
        console,
        f"{checked.path}: {len(checked.tasks)} {'task holds' if len(checked.tasks) == 1 else 'tasks hold'}{groups}",
    )
    if checked.faults:
        count = len(checked.faults)
        raise ConfigError(f"{checked.path}: {count} {'fault' if count == 1 else 'faults'}, named above")


@command.command("init")
@click.argument("table", metavar="FILE.csv", type=click.Path(path_type=Path))
@question_options
@click.option("--output", metavar="FILE.yaml", type=click.Path(path_type=Path), help="By default beside the table.")
@debug_option
def init_command(table: Path, input: str | None, target: str | None, score: str | None, output: Path | None) -> None:
    """Write the task file that a table of questions and answers stands for, with a comment for each key."""
    from evalkit.api.task_files import begin_task

    path = begin_task(table, input=input, target=target, score=score, output=output)
    click.echo(f"{path} is written; try: evalkit tasks validate {path}")


def _show(shown: Any) -> None:
    console = open_console()
    say(console, f"{shown.task}, document {shown.doc_id}, {shown.num_fewshot} shots", "bold")
    facts = [shown.output_type, shown.headline]
    if shown.prompt_tokens is not None:
        facts.append(f"{shown.prompt_tokens} tokens")
    if shown.cut_tokens:
        facts.append(f"{shown.cut_tokens} cut")
    say(console, " · ".join(facts))
    say(console, "prompt", "dim")
    quote(console, shown.prompt, indent=4)
    if shown.continuations:
        say(console, "continuations", "dim")
        for text in shown.continuations:
            quote(console, repr(text), indent=4)
    if shown.generation:
        say(console, "generation", "dim")
        quote(console, json_library.dumps(shown.generation, ensure_ascii=False), indent=4)
    say(console, "target", "dim")
    quote(console, str(shown.target), indent=4)
    for name in ("citation", "license"):
        if text := getattr(shown, name):
            say(console, f"{name}: {text}", "dim")
