"""How a verb's arguments are defined: once, as fields from which both its flags and its keyword arguments follow.

    @arguments
    class GateArguments:
        policy: Annotated[Any, Flag("What is tolerated.", metavar="gate.yaml")] = None

A field's name is the keyword argument and, with dashes, the flag. Its type checks the value, typed in Python or as the
text of a flag, so that both give the same message.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeAlias, TypeVar, dataclass_transform, get_args, get_type_hints

import pydantic.dataclasses
from pydantic import AfterValidator, BeforeValidator, ConfigDict, ValidationError

from evalkit.errors import UsageError, nearest

__all__ = [
    "Argument",
    "Flag",
    "Folder",
    "Names",
    "arguments",
    "checked",
    "definition",
    "flag_name",
    "from_call",
    "of_call",
    "split_list",
]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Flag:
    """What a field is as a flag; its name, type and default are the field's own."""

    help: str | Callable[[], str]
    """A function where it names what is installed: it is called when help is shown."""
    metavar: str | None = None
    short: tuple[str, ...] = ()
    many: bool = False
    """It may be typed several times."""
    switch: bool = False
    """It takes no value."""
    alone: str | None = None
    """The value that the flag has when it is typed without one."""
    choices: tuple[str, ...] = ()
    default: str | None = None
    """The default as help shows it, where the field's own would say less."""
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a verb, as its field defines it."""

    name: str
    flag: Flag
    default: Any
    required: bool = False

    @property
    def help(self) -> str:
        text = self.flag.help if isinstance(self.flag.help, str) else self.flag.help()
        note = "required" if self.required else self.shown_default and f"default: {self.shown_default}"
        return text + (f"  [{note}]" if note else "")

    @property
    def shown_default(self) -> str | None:
        if self.flag.default is not None:
            return self.flag.default
        return None if self.default in (None, (), False) or isinstance(self.default, Mapping) else str(self.default)


@dataclass_transform(frozen_default=True, kw_only_default=True)
def arguments(cls: type[T]) -> type[T]:
    """A frozen record whose fields pydantic checks. Its checks are built when a record is first made, not at import."""
    config = ConfigDict(
        arbitrary_types_allowed=True,
        coerce_numbers_to_str=True,
        defer_build=True,
        extra="forbid",
        protected_namespaces=(),
    )
    made: type[T] = pydantic.dataclasses.dataclass(frozen=True, kw_only=True, config=config)(cls)  # type: ignore[assignment]
    return made


Given: TypeAlias = "dict[str, Any]"
"""Arguments as a caller gave them, by name: nothing is checked yet."""


def definition(cls: type[Any]) -> tuple[Argument, ...]:
    """The arguments that a record of `@arguments` defines, in order."""
    hints = get_type_hints(cls, include_extras=True)
    return tuple(
        Argument(field.name, flag, *_default(field))
        for field in dataclasses.fields(cls)
        if (flag := _flag(hints[field.name])) is not None
    )


def checked(cls: type[T], given: Given) -> T:
    """The record of what was given; what is None has its default. Whatever is wrong is named by its flag."""
    names = [field.name for field in dataclasses.fields(cls)]  # type: ignore[arg-type]
    for name in given:
        if name not in names:
            raise UsageError(f"{flag_name(name)}: no such argument{nearest(name, names)}")
    try:
        return cls(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        raise UsageError(_explained(error.errors(include_url=False)[0])) from None


def of_call(cls: type[Any], local: Given) -> Given:
    """The arguments of `cls` that a function was called with. `local`: its `locals()`, taken in its first line."""
    return {field.name: local[field.name] for field in dataclasses.fields(cls) if field.name in local}


def from_call(cls: type[T], local: Given) -> T:
    """The record of the arguments that a function was called with."""
    return checked(cls, of_call(cls, local))


def flag_name(name: str) -> str:
    """`num_fewshot` as it is typed: --num-fewshot. `import_` is --import."""
    return f"--{name.rstrip('_').replace('_', '-')}"


def split_list(value: Any) -> tuple[str, ...]:
    """`a,b`, several of them, or a list: the names in order, repeats dropped."""
    parts = [value] if isinstance(value, str | Path) else list(value or ())
    names = [name.strip() for part in parts for name in str(part).split(",")]
    return tuple(dict.fromkeys(name for name in names if name))


def _folder(path: Path) -> Path:
    if path.exists() and not path.is_dir():
        raise ValueError("this is a file; a folder is wanted")
    return path


Names = Annotated[tuple[str, ...], BeforeValidator(split_list)]
Folder = Annotated[Path, AfterValidator(_folder)]

_WANTED = {
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_parsing": "a number",
    "float_type": "a number",
    "finite_number": "a number that is finite",
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "path_type": "a path",
    "string_type": "text",
}


def _explained(error: Any) -> str:
    """A line for what pydantic found first."""
    kind, context = error["type"], error.get("ctx") or {}
    name = str(error["loc"][0]) if error["loc"] else ""
    value = str(error["input"])
    asked = f"{flag_name(name)} {value if len(value) <= 60 else value[:57] + '…'}"
    match kind:
        case "missing" | "missing_keyword_only_argument":
            return f"{flag_name(name)} is missing"
        case "greater_than_equal":
            return f"{asked}: must be {context['ge']:g} or more"
        case "greater_than":
            return f"{asked}: must be above {context['gt']:g}"
        case "value_error":
            return f"{asked}: {context['error']}"
        case _ if kind in _WANTED:
            return f"{asked}: {_WANTED[kind]} is wanted"
        case _:
            return f"{asked}: {error['msg'][0].lower()}{error['msg'][1:]}"


def _flag(hint: Any) -> Flag | None:
    return next((part for part in _metadata(hint) if isinstance(part, Flag)), None)


def _metadata(hint: Any) -> Iterator[Any]:
    yield from getattr(hint, "__metadata__", ())
    for inner in get_args(hint):
        if hasattr(inner, "__metadata__"):
            yield from inner.__metadata__


def _default(field: Any) -> tuple[Any, bool]:
    """The default, and whether there is none."""
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory(), False
    if field.default is not dataclasses.MISSING:
        return field.default, False
    return None, True
