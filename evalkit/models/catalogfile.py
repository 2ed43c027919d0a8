"""Reads a catalogue file and checks it. Every error names the entry and what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, InstanceOf

from evalkit.errors import ConfigError, nearest
from evalkit.models.catalog import FACTS, KINDS, Entry, Fact
from evalkit.validation import Strict, parse, refuse
from evalkit.yamlfile import safe_reader

__all__ = ["load"]

_FORMS = "[value, source], [value, source, note] or {reason: …}"


def load(path: Path) -> tuple[Entry, ...]:
    """The entries of a catalogue file, or ConfigError."""
    import yaml

    try:
        content = yaml.load(path.read_bytes(), Loader=safe_reader())
    except (OSError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: cannot be read as YAML ({' '.join(str(error).split())})") from None
    if not isinstance(content, Mapping) or set(content) != {"sources", "models"}:
        raise ConfigError(f"{path}: `sources` (a table) and `models` (a list) are wanted at the top")
    file = parse(_File, content, str(path))
    entries = tuple(_entry(path, model, file.sources) for model in file.models)
    taken: dict[str, str] = {}
    for entry in entries:
        for name in entry.names:
            if name in taken:
                raise ConfigError(f"{path}: {entry.alias}: {name!r} is taken by {taken[name]}")
            taken[name] = entry.alias
    return entries


def _entry(path: Path, content: Any, sources: Mapping[str, str]) -> Entry:
    alias = content.get("alias") if isinstance(content, Mapping) else None
    if not isinstance(alias, str):
        raise ConfigError(f"{path}: a model without an alias: {content!r}")
    form = parse(_Model, content, f"{path}: {alias}")
    facts = {name: _sourced(f"{path}: {alias}: {name}", getattr(form, name), sources) for name in FACTS}
    return Entry(alias=alias, id=form.id, also=form.also, **facts)


def _sourced(where: str, fact: Fact, sources: Mapping[str, str]) -> Fact:
    """The fact with its source as the table spells it out."""
    if fact.source is None:
        return fact
    if fact.source not in sources:
        raise ConfigError(f"{where}: the source {fact.source!r} is not in the table{nearest(fact.source, sources)}")
    return replace(fact, source=sources[fact.source])


def _fact(content: Any) -> Fact:
    if isinstance(content, Mapping) and set(content) == {"reason"} and isinstance(content["reason"], str):
        return Fact(reason=content["reason"])
    if not isinstance(content, list) or len(content) not in (2, 3) or content[0] is None:
        refuse(f"is {content!r}; {_FORMS} is wanted")
    value, source, *note = content
    return Fact(value, str(source), note=note[0] if note else None)


def _one_of(*values: Any) -> AfterValidator:
    def check(fact: Fact) -> Fact:
        if fact.value is not None and fact.value not in values:
            refuse(f"is {fact.value!r}; it is one of {', '.join(str(value).lower() for value in values)}")
        return fact

    return AfterValidator(check)


def _count(fact: Fact) -> Fact:
    value = fact.value
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value <= 0):
        refuse(f"is {value!r}; a positive whole number is wanted")
    return fact


_Fact = Annotated[InstanceOf[Fact], BeforeValidator(_fact)]


class _Model(Strict):
    alias: str
    id: str | None
    also: tuple[str, ...] = ()
    kind: Annotated[_Fact, _one_of(*KINDS)]
    parameters: Annotated[_Fact, AfterValidator(_count)]
    context: Annotated[_Fact, AfterValidator(_count)]
    architecture: _Fact
    license: _Fact
    commercial: Annotated[_Fact, _one_of(True, False, "conditions")]


class _File(Strict):
    sources: Mapping[str, str]
    models: list[Any]
