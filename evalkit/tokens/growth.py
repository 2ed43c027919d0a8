"""Renders Jinja templates that are not trusted with a limit on what they make, so that none fills the memory.

Every text, list and mapping that a template makes is counted at its size written out, before it is made where the size
can be told. What a template only reads is not counted.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from contextvars import ContextVar
from typing import Any, TypeVar

from jinja2 import nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.utils import Namespace

__all__ = ["Bounded", "TooMuchText", "before_call", "with_most_text"]

T = TypeVar("T")
_left: ContextVar[list[int] | None] = ContextVar("left", default=None)
"""How many characters and items the template that is being rendered may still make."""
_MOST_NUMBER = 1_000_000
"""The largest width, count or indent."""
_SLOW = frozenset(("pprint", "striptags", "sum", "title", "urlize", "wordcount", "wordwrap", "xmlattr"))
"""Filters that are slow on long texts and lists."""
_SIZED = frozenset(("batch", "center", "indent", "round", "slice", "tojson", "truncate", "wordwrap"))
"""Filters that take a size."""
_SIZED_METHODS = frozenset(("center", "expandtabs", "ljust", "rjust", "to_bytes", "zfill"))
_PLAIN = (str, bytes, int, float, type(None), list, tuple, dict, set, frozenset, Namespace)
_OF_ANY = 8
"""What a value counts that is neither text nor a container, inside a container."""
_WIDTH = re.compile(r"\d{7,}")
_CONTAINERS = (list, tuple, dict, set, frozenset, Namespace)
_PERCENT = re.compile(r"%(?:\([^)]*\))?[-#0 +]*(\d*)(?:\.(\d+))?")
_BRACES = re.compile(r"\{[^{}:]*(?::[^{}\d]*0?(\d*)[^{}\d]*(\d*)[^{}]*)?")
"""A place in a format, with its width and its precision."""
_MOST_OPAQUE = 10
"""Places in a format with a value of which nobody can tell how long its parts are."""


_TOO_MUCH = "the template makes too much text"


class TooMuchText(Exception):
    """The template makes more text than allowed."""


def with_most_text(most: int, function: Callable[[], T]) -> T:
    """Return the result of `function`. Raises TooMuchText if its templates make more than `most` characters."""
    token = _left.set([most])
    try:
        return function()
    finally:
        _left.reset(token)


def _charge(size: int) -> None:
    left = _left.get()
    if left is None:
        return
    left[0] -= size
    if left[0] < 0:
        raise TooMuchText(_TOO_MUCH)


def _charged(value: T) -> T:
    _charge(_weight(value))
    return value


def _weight(value: Any) -> int:
    """Characters and items of a value as if what it contains several times were written out each time."""
    if isinstance(value, (str, bytes)):
        return len(value)
    if isinstance(value, int):
        return value.bit_length() // 8
    return _written_out(value, {}) if isinstance(value, _CONTAINERS) else 0


def _written_out(value: Any, sizes: dict[int, int]) -> int:
    if isinstance(value, (str, bytes)):
        return len(value)
    if not isinstance(value, _CONTAINERS):
        return _OF_ANY
    size = sizes.get(id(value))
    if size is None:
        if isinstance(value, Namespace):
            value = object.__getattribute__(value, "_Namespace__attrs")
        items = [*value.keys(), *value.values()] if isinstance(value, dict) else value
        size = sizes[id(value)] = len(items) + sum(_written_out(item, sizes) for item in items)
    return size


# ── before something is made ─────────────────────────────────────────────────


def _before_operator(operator: str, left: Any, right: Any) -> None:
    if operator == "%":
        if isinstance(left, (str, bytes)):
            _check_format(str(left), right if isinstance(right, tuple) else (right,), _PERCENT)
        return
    if operator == "+":
        if isinstance(left, (str, bytes, list, tuple)):
            _charge(_weight(left) + _weight(right))
        return
    numbers = [value for value in (left, right) if isinstance(value, int)]
    if operator == "*" and len(numbers) == 1:
        other = right if numbers[0] is left else left
        if isinstance(other, (str, bytes, list, tuple)):
            _charge((_weight(other) + 1) * max(numbers[0], 0))
    elif len(numbers) == 2:
        bits = [abs(value).bit_length() for value in (left, right)]
        _charge(bits[0] * max(right, 0) // 8 if operator == "**" and bits[0] > 1 else sum(bits) // 8)


def _check_format(text: str, values: Collection[Any], place: re.Pattern[str]) -> None:
    """`%1000000000d` and `{:1000000000}`, also where the width is a value, or where many places add up."""
    if _WIDTH.search(text):
        raise TooMuchText("the template asks for a very long text")
    if "*" in text or re.search(r"\{[^{}]*\{", text):
        for value in values:
            _check_number(value)
            if isinstance(value, str) and _WIDTH.search(value):
                raise TooMuchText("the template asks for a very long text")
    places = place.findall(text)
    if len(places) > _MOST_OPAQUE and not all(isinstance(value, _PLAIN) for value in values):
        raise TooMuchText("the template asks for many parts of a value")
    longest = max((_weight(value) for value in values), default=0)
    if "*" in text or re.search(r"\{[^{}]*\{", text):
        longest += max((abs(value) for value in values if isinstance(value, int)), default=0)
    _charge(sum(longest + sum(int(number or 0) for number in numbers) for numbers in places))


def _check_number(value: Any) -> None:
    if isinstance(value, int) and abs(value) > _MOST_NUMBER:
        raise TooMuchText("the template asks for a very long text")


def before_call(function: Any, arguments: tuple[Any, ...], named: Mapping[str, Any]) -> None:
    """Count what a call would make, where that can be told from its arguments."""
    function = getattr(function, "__wrapped__", function)  # str.format, which Jinja wraps
    name = getattr(function, "__name__", "")
    if isinstance(name, str):
        _before_method(getattr(function, "__self__", None), name, arguments, named)
        if name == "generate_lorem_ipsum":
            for value in (*arguments, *named.values()):
                _charge(1000 * value if isinstance(value, int) else 0)


def _before_method(owner: Any, name: str, arguments: tuple[Any, ...], named: Mapping[str, Any]) -> None:
    if isinstance(owner, int) and not isinstance(owner, bool):
        for value in (*arguments, *named.values()):
            _check_number(value)
    if not isinstance(owner, (str, bytes)):
        return
    if name in _SIZED_METHODS:
        for value in (*arguments, *named.values()):
            _check_number(value)
            if name == "expandtabs" and isinstance(value, int):
                _charge(len(owner) * value)
    elif name == "replace" and len(arguments) >= 2:
        _before_replace(owner, *arguments[:2])
    elif name == "join" and arguments:
        items = arguments[0] if isinstance(arguments[0], (list, tuple, str, dict)) else ()
        _charge(len(owner) * len(items) + _weight(items))
    elif name == "translate" and arguments and isinstance(arguments[0], Mapping):
        _charge(len(owner) * max((_weight(value) for value in arguments[0].values()), default=0))
    elif name in ("format", "format_map"):
        _check_format(str(owner), (*arguments, *named.values()), _BRACES)


def _before_replace(text: Any, old: Any, new: Any) -> None:
    if all(isinstance(value, (str, bytes)) for value in (text, old, new)):
        _charge(len(text) + (text.count(old) if type(text) is type(old) else 0) * len(new))


# ── the environment ──────────────────────────────────────────────────────────


class _Generator(CodeGenerator):
    """Adds a count to what the compiled template makes without calling anything."""

    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:
        self.write("environment.concat(map(environment.written, (")
        for part in node.nodes:
            self.visit(part, frame)
            self.write(", ")
        self.write(")))")

    def _count(self, visit: Callable[[Any, Frame], None], node: Any, frame: Frame) -> None:
        self.write("environment.charged(")
        visit(node, frame)
        self.write(")")

    def visit_Getitem(self, node: nodes.Getitem, frame: Frame) -> None:
        if isinstance(node.arg, nodes.Slice):
            self._count(super().visit_Getitem, node, frame)
        else:
            super().visit_Getitem(node, frame)

    def visit_List(self, node: nodes.List, frame: Frame) -> None:
        self._count(super().visit_List, node, frame)

    def visit_Dict(self, node: nodes.Dict, frame: Frame) -> None:
        self._count(super().visit_Dict, node, frame)

    def visit_Tuple(self, node: nodes.Tuple, frame: Frame) -> None:
        if node.ctx == "load":
            self._count(super().visit_Tuple, node, frame)
        else:
            super().visit_Tuple(node, frame)


def _concat(parts: Iterable[str]) -> str:
    left = _left.get()
    if left is None:
        return "".join(parts)
    made = []
    for part in parts:  # what _charge does: a call for each part took twice as long
        left[0] -= len(part) + 1
        if left[0] < 0:
            raise TooMuchText(_TOO_MUCH)
        made.append(part)
    return "".join(made)


class Bounded:
    """A part of a sandboxed Jinja environment's class, which goes before Jinja's own: counts what templates make."""

    intercepted_binops = frozenset(("*", "**", "%", "+"))
    code_generator_class = _Generator
    concat = staticmethod(_concat)
    charged = staticmethod(_charged)
    filters: dict[str, Callable[..., Any]]

    def bound(self) -> None:
        """Count what the filters make. To be called when all of them are there."""
        self.filters.update({name: _counting(name, function) for name, function in self.filters.items()})

    @staticmethod
    def written(value: Any) -> str:
        return str(_charged(value))

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        _before_operator(operator, left, right)
        return super().call_binop(context, operator, left, right)  # type: ignore[misc]

    def call(__self, __context: Any, __obj: Any, *args: Any, **kwargs: Any) -> Any:
        before_call(__obj, args, kwargs)
        return _charged(super().call(__context, __obj, *args, **kwargs))  # type: ignore[misc]


def _counting(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    place = 1 if getattr(function, "jinja_pass_arg", None) is not None else 0

    @functools.wraps(function)
    def filtered(*arguments: Any, **named: Any) -> Any:
        given = arguments[place + 1 :]
        value = arguments[place] if len(arguments) > place else None
        if name in _SIZED:
            for size in (*given, *named.values()):
                _check_number(size)
                if name in ("indent", "tojson"):
                    lines = value.count("\n") + 1 if isinstance(value, str) else _weight(value)
                    _charge(lines * (len(size) if isinstance(size, str) else abs(size or 0)))
        if name in _SLOW and _weight(value) > _MOST_NUMBER:
            raise TooMuchText("the template works on a very long text")
        if name == "replace" and len(given) >= 2:
            _before_replace(str(value), str(given[0]), str(given[1]))
        elif name == "format":
            _check_format(str(value), (*given, *named.values()), _PERCENT)
        elif name == "join":
            items = value if isinstance(value, (list, tuple, str, dict)) else list(value or ())
            arguments = (*arguments[:place], items, *given)
            separators = [text for text in (*given, *named.values()) if isinstance(text, str)]
            _charge(_weight(items) + max(map(len, separators), default=0) * len(items))
        return _charged(function(*arguments, **named))

    return filtered
