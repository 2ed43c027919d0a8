"""Loads the tasks behind names: shipped benchmarks, any task, group, tag or glob of lm-eval, the user's own files."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalkit.errors import CouldNotDo, EvalkitError, UnknownTask, UsageError, nearest
from evalkit.registry.cards import Card, card_of, load_cards, shipped_folder
from evalkit.registry.data import DataSource, quiet
from evalkit.registry.kinds import (
    NO_OPTIONS,
    FileOptions,
    config_of,
    file_of,
    meant_by,
    spell_out,
    takes_options,
    task_name,
)
from evalkit.registry.needs import check_installed
from evalkit.types import Arguments

if TYPE_CHECKING:
    from evalkit.registry.lmeval import Manager
    from evalkit.registry.suite import Suite
    from evalkit.registry.task import Task
    from evalkit.registry.taskindex import Listing

__all__ = ["Registry"]

_NAMED = 10
"""The number of broken rows that are reported by line."""


class Registry:
    """Loads tasks by name. lm_eval is imported when `load` is called, not before."""

    def __init__(
        self,
        include_paths: Sequence[str | Path] = (),
        allow_task_code: bool = False,
        data_dir: str | Path | None = None,
        file_options: FileOptions = NO_OPTIONS,
    ) -> None:
        """`file_options`: how files of questions and answers are read (`--input`, `--target`, `--score`)."""
        check_installed()
        self.include_paths = tuple(Path(path).expanduser() for path in include_paths)
        self.allow_task_code = allow_task_code
        self.data = DataSource(Path(data_dir).expanduser() if data_dir else None)
        self.file_options = file_options
        self.shipped = shipped_folder()
        self.cards = load_cards(self.shipped)

    def load(
        self,
        names: Sequence[str],
        *,
        num_fewshot: int | None = None,
        gen_kwargs: Arguments | None = None,
        seeds: Any = None,
        repeats: int | None = None,
    ) -> Suite:
        """Build the tasks behind `names`. `seeds` has `random`, `numpy` and `fewshot`; lm-eval's defaults without."""
        if not names:
            raise UsageError("no task was named")
        spelled_files = spell_out(names)
        if self.file_options != NO_OPTIONS and not any(takes_options(name) for name in spelled_files):
            raise UsageError("--input, --target and --score are for files of questions, as --tasks qa.csv")
        _refuse_same_names(spelled_files)
        manager, files = self.manager(spelled_files)  # refuses unknown names before lm_eval is imported

        from evalkit.registry.dice import Dice
        from evalkit.registry.lmeval import rendering
        from evalkit.registry.suite import Suite
        from evalkit.registry.task import Task

        spelled, requested = _spell_out(spelled_files, manager)
        dice = Dice(getattr(seeds, "random", 0), getattr(seeds, "numpy", 1234))
        try:
            with dice.held(), quiet(), rendering():
                loaded = manager.load(spelled)
        except EvalkitError:
            raise
        except Exception as error:
            message = " ".join(str(error).split())[:240]
            raise CouldNotDo(f"{', '.join(names)} cannot be loaded: {type(error).__name__}: {message}") from error
        tasks: dict[str, Task] = {}
        for name, made in loaded["tasks"].items():
            source = manager.factory.sources.get(name)
            card = self._card(name, source, made)
            _refuse_what_cannot_run(name, made)
            _configure(made, card, num_fewshot, gen_kwargs, repeats, getattr(seeds, "fewshot", 1234))
            code, checks = _code_spec(made, source, name), _check_spec(made, source, name)
            scorer = _scorer(made, source, name)
            reading = _reading_spec(made, card, source, name)
            tasks[name] = Task(
                made, name, card=card, dice=dice, code=code, checks=checks, scorer=scorer, reading=reading
            )
        groups = {name: self._group(group, tasks) for name, group in loaded.get("groups", {}).items()}
        notes = [f"{error}; the file is left out" for error in files.broken.values()]
        notes += [
            *manager.factory.left_out,
            *manager.notes,
            *(note for task in tasks.values() for note in _left_out(task)),
        ]
        return Suite(tuple(names), tuple(requested), tasks, groups, tuple(notes))

    # ── which files ──────────────────────────────────────────────────────────

    def manager(self, names: Sequence[str]) -> tuple[Manager, Any]:
        """A manager of lm-eval's, shipped and the user's tasks. A name that none of them has is refused."""
        self.refuse_unknown(names)
        from evalkit.registry.files import UserFiles
        from evalkit.registry.lmeval import Factory, Manager

        named = [path.parent for name in names if _is_file(name) and (path := Path(name).expanduser())]
        readable = [*self.include_paths, *named, *([self.data.data_dir] if self.data.data_dir else [])]
        files = UserFiles(self.shipped, self.allow_task_code, tuple(readable))
        for folder in self.include_paths:
            files.vet_folder(folder)
        for name in names:
            if _is_file(name):
                files.vet(Path(name))
            elif files.broken and (wrong := files.broken_with(name)) is not None:
                raise wrong
        own = {name: config_of(name, self.file_options) for name in names if file_of(name) is not None}
        builtin = self._builtin(names)
        manager = Manager(builtin, self.shipped, self.include_paths, Factory(self.data, files), own, files.broken)
        for name in names:
            if name not in manager.index and not _is_glob(name) and not _is_file(name):
                raise _unknown(name, sorted(manager.index))
            if _is_glob(name) and not fnmatch.filter(manager.index, name):
                raise UnknownTask(f"no task matches {name!r} (evalkit tasks list shows what there is)")
        return manager, files

    def _builtin(self, names: Sequence[str]) -> Mapping[str, Listing]:
        """lm-eval's index: only the folders of shipped benchmarks if these suffice, otherwise all."""
        from evalkit.registry.taskindex import builtin_index

        if self.include_paths or not all(name in self.cards or file_of(name) is not None for name in names):
            return builtin_index()
        cards = [self.cards[name] for name in names if name in self.cards]
        if any(card.elsewhere for card in cards):
            return builtin_index()
        folders = {folder for card in cards for folder in (card.folder, *card.folders) if folder is not None}
        return builtin_index(folders)

    def refuse_unknown(self, names: Sequence[str]) -> None:
        """Refuse a name that is in no task file, before lm_eval is imported."""
        from evalkit.registry.spotting import spot

        asked = [name for name in names if name not in self.cards and name.isascii() and file_of(name) is None]
        asked = [name for name in asked if not _is_glob(name) and not _is_file(name)]
        if not asked or not all(folder.is_dir() for folder in self.include_paths):
            return
        builtin = self._builtin(asked)
        if not builtin:  # lm_eval is missing: importing it gives the better message
            return
        spotted = [spot(folder, frozenset(asked)) for folder in (self.shipped, *self.include_paths)]
        for name in asked:
            if name not in builtin and not any(name in folder.mentioned for folder in spotted):
                raise _unknown(
                    name, sorted({*self.cards, *builtin, *(own for folder in spotted for own in folder.defined)})
                )

    def _card(self, name: str, source: Path | None, made: Any) -> Card | None:
        if name in self.cards:
            return self.cards[name]
        if source is not None:
            from evalkit.registry.lmeval import BUILTIN_TASKS

            for card in self.cards.values():
                if not card.folder or not card.members or not fnmatch.fnmatchcase(name, card.members):
                    continue
                if source.resolve().is_relative_to(BUILTIN_TASKS / card.folder):
                    return card
        metadata = made.get_config("metadata") if hasattr(made, "get_config") else None
        return card_of(name, metadata or {}, source)

    def _group(self, group: Any, tasks: Mapping[str, Task]) -> Any:
        from evalkit.registry.suite import Group

        leaves = tuple(task.config.task for task in group.get_all_tasks())
        card = self.cards.get(group.name)
        headline = card.headline if card is not None else None
        if headline is None and group.aggregate_metric_list and leaves:
            metric = group.aggregate_metric_list[0]
            of_metric = [key for key in tasks[leaves[0]].metrics if key.partition(",")[0] == metric.metric]
            wanted = [f"{metric.metric},{name}" for name in metric.filter_list or ()]
            headline = next(iter([*wanted, *of_metric]), None)
        return Group(
            name=group.name,
            alias=group.alias or group.name,
            members=tuple(group.child_names),
            tasks=leaves,
            version=group.version,
            headline=headline,
            chance=card.chance if card is not None else None,
            macro=card.macro if card is not None else None,
            sized=card.sized if card is not None else None,
            _group=group,
        )


def _unknown(name: str, known: Iterable[str]) -> UnknownTask:
    hint = meant_by(name) or nearest(name, known)
    return UnknownTask(f"unknown task {name!r}{hint} (evalkit tasks list shows what there is)")


def _refuse_same_names(names: Iterable[str]) -> None:
    """Two files whose tasks would have the same name."""
    files: dict[str, str] = {}
    for name in (name for name in names if file_of(name) is not None):
        called = task_name(name)
        if called in files:
            raise UsageError(f"{files[called]} and {name} would both be called {called}: rename one of the two files")
        files[called] = name


def _is_glob(name: str) -> bool:
    return any(sign in name for sign in "*?[")


def _is_file(name: str) -> bool:
    return name.endswith((".yaml", ".yml")) and Path(name).is_file()


def _spell_out(names: Iterable[str], manager: Manager) -> tuple[list[str], list[str]]:
    """The names to load with lm-eval, and the tasks and groups that were requested."""
    from evalkit.registry.lmeval import Kind

    spelled: list[str] = []
    for name in names:
        spelled += manager.match_tasks([name]) if _is_glob(name) and name not in manager.index else [name]
    spelled = list(dict.fromkeys(spelled))
    requested: list[str] = []
    for name in spelled:
        entry = manager.index.get(name)
        if entry is not None and entry.kind is Kind.TAG:
            requested += sorted(entry.tags)
        elif entry is None:
            requested.append(manager.name_in_file(name))
        elif file_of(name) is not None:
            requested.append(task_name(name))
        else:
            requested.append(name)
    return spelled, list(dict.fromkeys(requested))


def _left_out(task: Any) -> list[str]:
    """Notes on rows: those that could not be read, one line for each of the first, and those that repeat a question."""
    broken, path = task.broken_rows, file_of(task.name) or task.data_name
    lines = [f"{path}:{number}: {why}; the row is left out" for number, why in broken[:_NAMED]]
    if more := broken[_NAMED:]:
        numbers = ", ".join(str(number) for number, _ in more[:20]) + (" …" if len(more) > 20 else "")
        lines.append(f"{path}: {len(more)} more rows are left out, on lines {numbers}")
    if repeated := task.repeated_rows:
        numbers = ", ".join(map(str, repeated[:20])) + (" …" if len(repeated) > 20 else "")
        lines.append(f"{path}: {len(repeated)} rows ask what an earlier one asks, on lines {numbers}; each counts")
    return lines


def _refuse_what_cannot_run(name: str, made: Any) -> None:
    if getattr(made, "MULTIMODAL", False):
        raise CouldNotDo(f"task {name} shows images or audio to the model, which evalkit cannot do")
    if getattr(made, "UNSAFE_CODE", False):
        from evalkit.registry.lmeval import runs_code_here

        raise CouldNotDo(runs_code_here(name))


def _configure(
    made: Any,
    card: Card | None,
    num_fewshot: int | None,
    gen_kwargs: Arguments | None,
    repeats: int | None,
    fewshot_seed: int,
) -> None:
    """Set the shots by lm-eval's rules: fixed 0 shots stay; otherwise the requested number counts, or the usual one."""
    fixed = made.get_config("num_fewshot")
    if fixed != 0:
        if num_fewshot is not None:
            made.set_config(key="num_fewshot", value=num_fewshot)
        elif fixed is None:
            usual = card.num_fewshot if card is not None else None
            made.set_config(key="num_fewshot", value=usual or 0)
    if made.get_config("output_type") == "generate_until":
        if gen_kwargs:
            made.set_config(key="generation_kwargs", value=dict(gen_kwargs), update=True)
        if repeats is not None:
            made.declared_repeats = made.get_config("repeats")
            made.set_config(key="repeats", value=repeats)
    made.set_fewshot_seed(seed=fewshot_seed)


def _code_spec(made: Any, source: Path | None, name: str) -> Any:
    from evalkit.registry.code import CodeSpec

    spec = (made.get_config("metadata") or {}).get("sandbox")
    return CodeSpec.read(spec, str(source or name)) if spec is not None else None


def _reading_spec(made: Any, card: Card | None, source: Path | None, name: str) -> Any:
    from evalkit.registry.reading import Reading

    settings = (made.get_config("metadata") or {}).get("reading") or (card.reading if card is not None else None)
    return None if settings is None else Reading.read(settings, str(source or name))


def _check_spec(made: Any, source: Path | None, name: str) -> Any:
    from evalkit.registry.checking import CheckSpec

    settings = (made.get_config("metadata") or {}).get("checks")
    if settings is None:
        return None
    spec = CheckSpec.read(settings, str(source or name))
    spec.validate(made.task_docs, str(source or name))
    return spec


def _scorer(made: Any, source: Path | None, name: str) -> Any:
    from evalkit.registry.scorers import scorer_named

    scorer = (made.get_config("metadata") or {}).get("scorer")
    return scorer_named(scorer, str(source or name)) if scorer is not None else None
