"""Validates the specs of task files and fills in defaults and document fields."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Any

from evalkit.checks.outcome import REQUIRED, Kind, Param, Params, Spec
from evalkit.errors import ConfigError, nearest
from evalkit.types import RawDocument

__all__ = ["fill", "find"]

_FIELD = "$field"


def find(spec: Any, kinds: Mapping[str, Kind], where: str) -> Kind:
    """The kind that a spec names. Raises ConfigError if there is none."""
    if not isinstance(spec, Mapping):
        raise ConfigError(f"{where}: a mapping with `kind:` is wanted, this is {spec!r:.80}")
    name = spec.get("kind")
    if not isinstance(name, str):
        raise ConfigError(f"{where}: `kind:` is missing; one of {', '.join(kinds)} is wanted")
    if name not in kinds:
        raise ConfigError(f"{where}: no check of kind {name!r}{nearest(name, kinds) or '; one of ' + ', '.join(kinds)}")
    return kinds[name]


def fill(spec: Spec, kind: Kind, document: RawDocument | None, where: str) -> Params:
    """The parameters with defaults and the document's fields filled in. Without a document, its fields are left out."""
    where = f"{where}: {kind.name}"
    for key in spec:
        if key != "kind" and key not in kind.params:
            hint = nearest(str(key), kind.params) or f"; it takes {', '.join(kind.params) or 'none'}"
            raise ConfigError(f"{where}: unknown parameter {key!r}{hint}")
    filled: dict[str, object] = {}
    waiting = False
    for name, param in kind.params.items():
        if name not in spec:
            if param.default is REQUIRED:
                raise ConfigError(f"{where}: {name} is missing")
            filled[name] = param.default
            continue
        value = spec[name]
        if isinstance(value, Mapping) and set(value) == {_FIELD}:
            if document is None:
                waiting = True
                continue
            value = _field(document, value[_FIELD], f"{where}: {name}")
        filled[name] = _checked(_composed(value), param, f"{where}: {name}")
    if not waiting and (problem := kind.problem(filled)):
        raise ConfigError(f"{where}: {problem}")
    return filled


def _field(document: RawDocument, name: Any, where: str) -> Any:
    if name not in document:
        raise ConfigError(f"{where}: the document has no field {name!r}{nearest(str(name), document)}")
    return document[name]


def _composed(value: Any) -> Any:
    """The value with all text in NFC, the form in which `check` puts the answer."""
    if isinstance(value, str):
        return unicodedata.normalize("NFC", value)
    if isinstance(value, Mapping):
        return {_composed(key): _composed(item) for key, item in value.items()}
    return [_composed(item) for item in value] if isinstance(value, list | tuple) else value


def _checked(value: Any, param: Param, where: str) -> Any:
    if value is None and param.default is None:
        return None
    wrong_bool = isinstance(value, bool) and bool not in param.types and object not in param.types
    if wrong_bool or not isinstance(value, param.types):
        wanted = " or ".join(_NAMES.get(t, t.__name__) for t in param.types)
        raise ConfigError(f"{where}: {wanted} is wanted, this is {value!r:.80}")
    if param.choices and value not in param.choices:
        hint = nearest(str(value), param.choices) or f"; one of {', '.join(param.choices)}"
        raise ConfigError(f"{where}: {value!r:.80} is unknown{hint}")
    if problem := param.problem(value):
        raise ConfigError(f"{where}: {problem}")
    return value


_NAMES = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list: "a list",
    dict: "a mapping",
}
