"""The catalogue of model aliases and facts on each model, with the source of every fact.

The facts are in `catalog.yaml`. A fact that could not be verified is None with a reason; nothing is guessed.
`nano`, the model that ships with evalkit, is an alias like the others.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any, Literal

from evalkit.errors import UnknownModel, nearest

__all__ = [
    "FACTS", "KINDS", "Entry", "Fact", "Kind", "Resolved", "adapter_base", "adapters", "all_entries", "find_adapter",
    "get", "kind", "nano_path", "resolve",
]  # fmt: skip

Kind = Literal["base", "instruct", "chat"]

_FILE = Path(__file__).with_name("catalog.yaml")
KINDS = ("base", "instruct", "chat")
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
# Words in the names of tuned models. They give a hint, never a fact.
_NAME_HINTS: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("instruct", re.compile(r"(^|[-_.])(instruct|it|sft|dpo)([-_.]|$)", re.IGNORECASE)),
    ("chat", re.compile(r"(^|[-_.])(chat|assistant)([-_.]|$)", re.IGNORECASE)),
)


@dataclass(frozen=True, slots=True)
class Fact:
    """A value with its source, or the reason why it is not known."""

    value: Any = None
    source: str | None = None
    """A URL, a page of this project's documentation, or `name` for a hint taken from the model's name."""
    reason: str | None = None
    """Why the value is not known."""
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A model of the catalogue."""

    alias: str
    id: str | None
    """The hub id; None for models that ship with evalkit."""
    also: tuple[str, ...]
    kind: Fact
    parameters: Fact
    context: Fact
    """The context window in tokens."""
    architecture: Fact
    license: Fact
    commercial: Fact
    """True, False or `conditions`."""

    @property
    def source(self) -> str:
        """The hub id or path to load."""
        return self.id or str(nano_path())

    @property
    def names(self) -> Iterator[str]:
        """All names that stand for it, in lower case."""
        yield from (name.lower() for name in dict.fromkeys((self.alias, *self.also)))
        if self.id:
            yield self.id.lower()

    @property
    def facts(self) -> dict[str, Fact]:
        return {name: getattr(self, name) for name in FACTS}


@dataclass(frozen=True, slots=True)
class Resolved:
    """The model that a name on the command line stands for."""

    typed: str
    source: str
    """A hub id or a path."""
    entry: Entry | None = None

    @property
    def alias(self) -> str | None:
        return self.entry.alias if self.entry else None

    @property
    def kind(self) -> Kind | None:
        """The verified kind; the function `kind` also uses hints from names."""
        value: Kind | None = self.entry.kind.value if self.entry else None
        return value


FACTS = tuple(field.name for field in fields(Entry) if field.name not in ("alias", "id", "also"))


def nano_path() -> Path:
    """The folder of the model `nano`, which ships with evalkit."""
    return Path(__file__).parents[1] / "_models" / "nano"


def adapters() -> Mapping[str, Path]:
    """The folders of the LoRA adapters that ship with evalkit, by name."""
    configs = sorted(nano_path().parent.glob("*/adapter_config.json"))
    return {file.parent.name: file.parent for file in configs}


def adapter_base(name: str) -> str:
    """The model that a shipped adapter was trained on."""
    import json

    config = json.loads((adapters()[name] / "adapter_config.json").read_text("utf-8"))
    return str(config["base_model_name_or_path"])


def find_adapter(typed: str) -> str:
    """The path or hub id to load: a folder of that name, a hub id, or a shipped adapter of that name."""
    if Path(typed).exists() or _HUB_ID.fullmatch(typed):
        return typed
    shipped = adapters()
    if typed not in shipped:
        raise UnknownModel(
            f"no adapter {typed!r}: there is no such folder, and none of that name ships with evalkit"
            f"{nearest(typed, shipped)} (--adapter takes a folder, a hub id like org/name, or one of "
            f"{', '.join(sorted(shipped))})"
        )
    return str(shipped[typed])


def all_entries() -> tuple[Entry, ...]:
    """All models of the shipped catalogue."""
    return _shipped()


def get(name: str) -> Entry | None:
    """The entry of an alias, another name or a hub id, in upper or lower case; None if there is none."""
    return _by_name().get(name.strip().lower())


def kind(name: str) -> Fact:
    """Base, instruct or chat: from the catalogue, else a hint from the name, else None with a reason."""
    entry = get(name)
    if entry is not None and entry.kind.value is not None:
        return entry.kind
    for hinted, pattern in _NAME_HINTS:
        if pattern.search(Path(name).name):
            return Fact(hinted, source="name")
    if entry is not None:
        return entry.kind
    return Fact(reason=f"{name} is not in the catalog, and its name says nothing")


def resolve(typed: str) -> Resolved:
    """Resolve an alias, a hub id or a folder. If a folder has the name of a hub id, the folder is used."""
    name = typed.strip()
    entry = get(name)
    if entry is not None and "/" not in name:
        return Resolved(typed, entry.source, entry)
    path = Path(os.path.expanduser(name))  # noqa: PTH111  Path.expanduser raises where there is no such user
    if name and path.is_dir():
        return Resolved(typed, str(path))
    if path.is_file():
        raise UnknownModel(f"--model {typed}: a folder with a checkpoint is wanted, this is a file; type its folder")
    if name.startswith((".", "/", "~")) or name.endswith("/"):
        raise UnknownModel(f"--model {typed}: there is no folder {path}{_nearest_folder(path)}")
    if entry is not None:
        return Resolved(typed, entry.source, entry)
    if _HUB_ID.fullmatch(name):
        return Resolved(typed, name)
    raise UnknownModel(
        f"--model {typed}: no such alias or folder{nearest(name.lower(), _by_name()) or '.'} "
        "Type an alias (`evalkit models` lists them), a hub id like org/name, or a path."
    )


@cache
def _shipped() -> tuple[Entry, ...]:
    from evalkit.models.catalogfile import load

    return load(_FILE)


@cache
def _by_name() -> Mapping[str, Entry]:
    return {name: entry for entry in _shipped() for name in entry.names}


def _nearest_folder(path: Path) -> str:
    try:
        beside = [child.name for child in path.parent.iterdir() if child.is_dir()]
    except OSError:
        return f"; {path.parent} does not exist either"
    return nearest(path.name, beside)
