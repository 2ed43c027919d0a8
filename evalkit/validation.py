"""Content from outside (JSON, YAML) to typed, frozen records, and one line about whatever is wrong with it.

Record   what a program wrote: unknown keys are kept
Strict   what a person writes: an unknown key is an error that names the nearest known one
parse    content to a record, or an error with the place, the value and what belongs there
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NoReturn, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from evalkit.errors import ConfigError, EvalkitError, nearest

__all__ = ["Record", "Strict", "describe", "parse", "refuse", "shown"]

_WANTED = {
    "bool": "true or false",
    "dict": "an object",
    "float": "a number",
    "int": "a whole number",
    "list": "a list",
    "mapping": "an object",
    "model": "an object",
    "string": "text",
    "tuple": "a list",
}
_OURS = "said"
_LONGEST_SHOWN = 80


class Record(BaseModel):
    """Frozen. Keys that another version of the program wrote are kept and written again."""

    model_config = ConfigDict(frozen=True, extra="allow", populate_by_name=True, protected_namespaces=())

    def states(self, name: str) -> bool:
        """Whether the content has this entry, be it null."""
        return name in self.model_fields_set

    def as_json(self) -> dict[str, Any]:
        """As a file holds it: the entries that were given and no others."""
        return self.model_dump(by_alias=True, exclude_unset=True)


class Strict(BaseModel):
    """Frozen. Only the keys of its fields are known."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    @model_validator(mode="before")
    @classmethod
    def _check_keys(cls, content: Any) -> Any:
        known = [field.alias or name for name, field in cls.model_fields.items()]
        if isinstance(content, cls):
            return content
        if not isinstance(content, Mapping):
            refuse(f"is {describe(content)}; it takes the keys {', '.join(known)}")
        for key in content:
            if key not in known:
                hint = nearest(key if isinstance(key, str) else "", known, n=1) or f"; known are {', '.join(known)}"
                refuse(f"unknown key {shown(key)}{hint}")
        return content


R = TypeVar("R", bound=BaseModel)


def refuse(message: str) -> NoReturn:
    """Raise inside a validator. The place of the value is put before the message: write `is 3; it is …`."""
    raise PydanticCustomError(_OURS, "{message}", {"message": message})


def describe(value: Any) -> str:
    """A value that is not of the kind wanted, in words."""
    names: dict[type, str] = {
        dict: "an object",
        list: "a list",
        str: "text",
        bool: "true or false",
        type(None): "empty",
    }
    return f"{names.get(type(value), 'a number')} ({shown(value)})"


def shown(value: Any) -> str:
    """A value for a message, cut where it is long. Python writes no number of more than 4,300 digits."""
    try:
        text = repr(value)
    except ValueError:
        return "too large"
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"


def parse(model: type[R], content: Any, where: str, error: type[EvalkitError] = ConfigError) -> R:
    """The content as a record, or an error of one line that begins with `where`."""
    try:
        return model.model_validate(content)
    except ValidationError as wrong:
        raise error(_line(where, wrong.errors(include_url=False)[0])) from None


def _line(where: str, wrong: ErrorDetails) -> str:
    path = ".".join(str(part) for part in wrong["loc"])
    place = f"{where}: `{path}`" if path else where
    if wrong["type"] == _OURS:
        # A key is unknown in a place, a value is something: tasks.t: unknown key 'x', and tasks.t is 5.
        place = place if len(wrong["loc"]) < 2 else f"{where}: {path}"
        return f"{place}{'' if wrong['msg'].startswith('is ') else ':'} {wrong['msg']}"
    if wrong["type"] == "missing":
        return f"{place} is missing"
    wanted = _WANTED.get(wrong["type"].split("_")[0])
    return f"{place} is {_short(wrong['input'])}, " + (f"not {wanted}" if wanted else wrong["msg"].lower())


def _short(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)[:60]
