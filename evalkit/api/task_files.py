"""What there is to do with tasks beside running them: list, show, validate, begin one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from evalkit.arguments import split_list
from evalkit.config import RunConfig
from evalkit.models.found import find_model
from evalkit.registry import Registry, browse
from evalkit.registry.browse import Listed, Shown, Validated
from evalkit.registry.kinds import FileOptions
from evalkit.registry.writing import write_task_file
from evalkit.tokens import Tokenizer

__all__ = ["begin_task", "list_tasks", "show_task", "validate_tasks"]


def list_tasks(include_path: Sequence[str] = (), *, everything: bool = False) -> list[Listed]:
    """The shipped benchmarks and those below `include_path`; `everything`: lm-eval's too."""
    return browse.list_tasks(split_list(include_path), everything=everything)


def show_task(
    task: str,
    *,
    input: str | None = None,
    target: str | None = None,
    score: str | None = None,
    model: str | None = None,
    doc: int = 0,
    num_fewshot: int | None = None,
    apply_chat_template: str | None = None,
    system_instruction: str | None = None,
    include_path: Sequence[str] = (),
    allow_task_code: bool = False,
    data_dir: Path | None = None,
) -> Shown:
    """One document of a task as a model sees it; with `model`, cut and tokenised as for that model."""
    config = RunConfig.build(model=model or "nano", tasks=task, apply_chat_template=apply_chat_template)
    tokenizer = Tokenizer.load(find_model(model).spec) if model else None
    chat = tokenizer.chat(config.apply_chat_template) if tokenizer and config.apply_chat_template else None
    registry = Registry(
        split_list(include_path),
        allow_task_code=allow_task_code,
        data_dir=data_dir,
        file_options=FileOptions(input, target, score),
    )
    return browse.show_task(
        registry,
        task,
        doc_id=doc,
        tokenizer=tokenizer,
        chat_template=chat,
        num_fewshot=num_fewshot,
        system_instruction=system_instruction,
        fewshot_as_multiturn=config.fewshot_as_multiturn,
    )


def validate_tasks(path: Path, *, allow_task_code: bool = False, data_dir: Path | None = None) -> Validated:
    """Load the tasks of a YAML file or folder, and render a document of each."""
    return browse.validate_path(path, allow_task_code=allow_task_code, data_dir=data_dir)


def begin_task(
    table: Path,
    *,
    input: str | None = None,
    target: str | None = None,
    score: str | None = None,
    output: Path | None = None,
) -> Path:
    """Write the task file that a table of questions and answers stands for; returns its path."""
    return write_task_file(table.expanduser(), FileOptions(input, target, score), output)
