"""`evalkit tasks`: lists tasks, shows what a model would see, and validates task files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalkit.errors import ConfigError, EvalkitError, UsageError
from evalkit.registry.kinds import file_of
from evalkit.registry.needs import check_installed
from evalkit.registry.registry import Registry
from evalkit.types import Arguments, JsonObject, Request, ScoreRequest

if TYPE_CHECKING:
    from evalkit.registry.suite import Suite
    from evalkit.tokens import ChatTemplate, Tokenizer

__all__ = ["Listed", "Shown", "Validated", "list_tasks", "show_task", "validate_path"]


@dataclass(frozen=True, slots=True)
class Listed:
    name: str
    kind: str
    """`task`, `group` or `tag`."""
    source: str
    """`shipped`, `user` or `lm-eval`."""
    num_fewshot: int | None = None
    headline: str | None = None
    chance: float | None = None
    wraps: str | None = None
    description: str = ""
    citation: str = ""
    license: str = ""


@dataclass(frozen=True, slots=True)
class Shown:
    """One document as the model sees it."""

    task: str
    doc_id: int
    num_fewshot: int
    output_type: str
    headline: str
    prompt: str
    """With special tokens and after cutting, if a model was named."""
    continuations: tuple[str, ...]
    """The continuations that are scored after the prompt; empty for generations."""
    target: Any
    generation: Arguments | None
    prompt_hash: str | None
    prompt_tokens: int | None = None
    cut_tokens: int | None = None
    members: tuple[str, ...] = ()
    """Of a group: its tasks. `task` is the first of them."""
    chat_template: JsonObject | None = None
    description: str = ""
    citation: str = ""
    license: str = ""


@dataclass(frozen=True, slots=True)
class Validated:
    path: Path
    tasks: tuple[Shown, ...]
    documents: dict[str, int]
    groups: tuple[str, ...]
    notes: tuple[str, ...]
    faults: tuple[str, ...] = ()
    """One line for each file of a folder that is not valid."""


def list_tasks(include_paths: Sequence[str | Path] = (), *, everything: bool = False) -> list[Listed]:
    """List the shipped benchmarks and the user's tasks; with `everything`, all of lm-eval's names too."""
    check_installed()
    from evalkit.registry.lmeval import BUILTIN_TASKS

    registry = Registry(include_paths)
    manager, files = registry.manager(["*"] if everything else list(registry.cards))
    listed: dict[str, Listed] = {}
    for name, entry in manager.index.items():
        card = registry.cards.get(name)
        path = entry.yaml_path
        of_lm_eval = path is None or path.is_relative_to(BUILTIN_TASKS)
        users = not of_lm_eval and files.is_users(path)
        if not (everything or users or card is not None):
            continue
        config = entry.cfg or {}
        wrapped = of_lm_eval and card is None
        listed[name] = Listed(
            name=name,
            kind=entry.kind.name.lower().removeprefix("py_"),
            source="user" if users else "lm-eval" if wrapped else "shipped",
            num_fewshot=_first(config.get("num_fewshot"), card.num_fewshot if card else None),
            headline=card.headline if card else None,
            chance=card.chance if card else None,
            wraps=card.wraps if card else None,
            description=card.description if card else "",
            citation=card.citation if card else "",
            license=card.license if card else "",
        )
    order = list(registry.cards)
    return sorted(
        listed.values(), key=lambda item: (order.index(item.name) if item.name in order else len(order), item.name)
    )


def show_task(
    registry: Registry,
    name: str,
    *,
    doc_id: int = 0,
    tokenizer: Tokenizer | None = None,
    chat_template: ChatTemplate | None = None,
    num_fewshot: int | None = None,
    system_instruction: str | None = None,
    fewshot_as_multiturn: bool = False,
) -> Shown:
    """Show a task as a model sees it; of a group, its first task."""
    suite = registry.load([name], num_fewshot=num_fewshot)
    members = tuple(leaf for requested in suite.requested for leaf in suite.leaves(requested))
    shown = _shown(suite, members[0], doc_id, tokenizer, chat_template, system_instruction, fewshot_as_multiturn)
    alone = name in suite.tasks or file_of(name) is not None
    return shown if alone and len(members) == 1 else replace(shown, members=members)


def validate_path(path: Path, *, allow_task_code: bool = False, data_dir: Path | None = None) -> Validated:
    """Load every task of a file or folder and render its first document. Raises an error for anything wrong."""
    path = path.expanduser()
    if not path.exists():
        raise ConfigError(f"{path}: no such file or folder")
    if path.is_dir():
        return _validate_folder(path, allow_task_code, data_dir)
    names = _names([path], single=True)
    alone = not any(kind == "group" for _, kind in names)
    registry = Registry(() if alone else (path.parent,), allow_task_code=allow_task_code, data_dir=data_dir)
    return _validated(path, registry, [str(path)] if alone else [name for name, _ in names])


def _validate_folder(folder: Path, allow_task_code: bool, data_dir: Path | None) -> Validated:
    """Validate each file, also after another one failed. If none is valid, the first error is raised."""
    registry = Registry((folder,), allow_task_code=allow_task_code, data_dir=data_dir)
    named, faults = [], []
    for file in sorted(folder.glob("**/*.yaml")):
        try:
            named += _names([file], single=False)
        except EvalkitError as error:
            faults.append(error)
    if not named and not faults:
        raise ConfigError(f"{folder}: no task and no group in its YAML files")
    names = [name for name, _ in named]
    try:
        if not faults:
            return _validated(folder, registry, names)
    except EvalkitError as error:
        if len(names) == 1:
            raise
        first = error
    else:
        first = faults[0]
    held = []
    for name in names:
        try:
            held.append(_validated(folder, registry, [name]))
        except EvalkitError as error:
            faults.append(error)
    if not held:
        raise faults[0] if faults else first
    return Validated(
        folder,
        tuple({shown.task: shown for part in held for shown in part.tasks}.values()),
        {name: size for part in held for name, size in part.documents.items()},
        tuple(dict.fromkeys(name for part in held for name in part.groups)),
        (),
        tuple(dict.fromkeys(str(fault) for fault in faults)),
    )


def _validated(path: Path, registry: Registry, names: Sequence[str]) -> Validated:
    suite = registry.load(names)
    shown = tuple(_shown(suite, leaf, 0, None, None, None, False) for leaf in suite.tasks)
    sizes = {name: task.size for name, task in suite.tasks.items()}
    return Validated(path, shown, sizes, tuple(suite.groups), suite.notes)


def _names(paths: Sequence[Path], *, single: bool) -> list[tuple[str, str]]:
    from evalkit.registry.files import top_level

    names = []
    for path in paths:
        keys = top_level(path)
        kind = "group" if "group" in keys else "task"
        name = keys.get(kind)
        if isinstance(name, str):
            names.append((name, kind))
        elif single:
            raise ConfigError(f"{path}: neither `task: NAME` nor `group: NAME` stands in it")
    return names


def _shown(
    suite: Suite,
    leaf: str,
    doc_id: int,
    tokenizer: Tokenizer | None,
    chat_template: ChatTemplate | None,
    system_instruction: str | None,
    fewshot_as_multiturn: bool,
) -> Shown:
    task = suite.tasks[leaf]
    if not 0 <= doc_id < task.size:
        raise UsageError(f"{leaf} has no document {doc_id}: they are numbered 0 to {task.size - 1}")
    documents = task.build(
        doc_id + 1,
        chat_template=chat_template,
        system_instruction=system_instruction,
        fewshot_as_multiturn=fewshot_as_multiturn,
    )
    document = documents[doc_id]
    if document.error is not None:
        raise ConfigError(f"{leaf}: document {doc_id}: {document.error}")
    prompt, tokens, cut = str(document.requests[0].context), None, None
    continuations = tuple(r.continuation for r in document.requests if r.kind == "score")
    if tokenizer is not None:
        prompt, continuations, tokens, cut = _as_seen(tokenizer, document.requests)
    card = task.card
    return Shown(
        task=leaf,
        doc_id=doc_id,
        num_fewshot=task.num_fewshot,
        output_type=task.output_type,
        headline=task.headline,
        prompt=prompt,
        continuations=continuations,
        target=document.target,
        generation=task.generation,
        prompt_hash=document.prompt_hash,
        prompt_tokens=tokens,
        cut_tokens=cut,
        chat_template=chat_template.description if chat_template is not None else None,
        description=card.description if card else "",
        citation=card.citation if card else "",
        license=card.license if card else "",
    )


def _as_seen(tokenizer: Tokenizer, requests: Sequence[Request]) -> tuple[str, tuple[str, ...], int, int]:
    """The prompt and its continuations, decoded from their tokens, so that blanks are where the split put them."""
    encoded = tokenizer.encode(requests)
    asked = [request for document in encoded for request in document.requests]
    if not asked:
        raise UsageError(f"this model cannot be asked that: {encoded[0].error}")

    def text(ids: Sequence[int]) -> str:
        return tokenizer.decode(ids, skip_special_tokens=False)

    continuations = tuple(text(request.continuation) for request in asked if isinstance(request, ScoreRequest))
    first = asked[0]
    prompt = first.context if isinstance(first, ScoreRequest) else first.prompt
    return text(prompt), continuations, len(prompt), first.cut_tokens


def _first(*values: int | None) -> int | None:
    return next((value for value in values if value is not None), None)
