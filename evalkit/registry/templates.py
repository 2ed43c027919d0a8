"""The Jinja environment in which every prompt template is rendered, lm-eval's own ones too."""

from __future__ import annotations

import datetime
import decimal
import functools
import re
import types
from typing import Any

from jinja2.exceptions import UndefinedError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from evalkit.errors import ConfigError, nearest
from evalkit.tokens.bounded import TooManySteps, is_linear, with_most_steps
from evalkit.tokens.growth import Bounded, TooMuchText, before_call, with_most_text

__all__ = ["TemplateNeverEnds", "Templates"]

_PLAIN = (str, bytes, int, float, complex, list, tuple, dict, set, frozenset, range, type(None))
_TEXT_METHODS = frozenset(name for name in dir(str) if not name.startswith(("_", "format")))
"""Functions that are safe with any arguments. They skip Jinja's slower checks."""
_ALSO_PLAIN = (datetime.date, datetime.time, datetime.timedelta, decimal.Decimal)


_MOST_STEPS = 2_000_000
"""Template lines for one text, which take a second or two."""
_MOST_TEXT = 1 << 26
"""Characters that a template may make on its way to one text."""


class TemplateNeverEnds(ConfigError):
    """A template makes too much text, or takes too many steps."""


class _Sandbox(Bounded, ImmutableSandboxedEnvironment):  # type: ignore[misc]
    """Jinja's sandbox in which only methods of plain values and Jinja's own functions can be called.

    A document may hold other objects: an image has `save(path)`.
    """

    def getattr(self, obj: Any, attribute: str) -> Any:
        if type(obj) is str and attribute in _TEXT_METHODS:
            return getattr(obj, attribute)
        return super().getattr(obj, attribute)

    def call(__self, __context: Any, __obj: Any, *args: Any, **kwargs: Any) -> Any:
        if type(__obj) is types.BuiltinMethodType and type(__obj.__self__) is str and __obj.__name__ in _TEXT_METHODS:
            before_call(__obj, args, kwargs)
            return __self.charged(__obj(*args, **kwargs))
        return super().call(__context, __obj, *args, **kwargs)

    def is_safe_callable(self, obj: Any) -> bool:
        if not super().is_safe_callable(obj):
            return False
        owner = getattr(obj, "__self__", None)
        if owner is None or isinstance(owner, types.ModuleType):
            return any(obj is known for known in self.globals.values()) or _is_of_jinja(obj)
        return isinstance(owner, (*_PLAIN, *_ALSO_PLAIN)) or _is_of_jinja(owner)


def _is_of_jinja(value: Any) -> bool:
    return type(value).__module__.partition(".")[0] in ("jinja2", "markupsafe") or (
        isinstance(value, types.FunctionType) and value.__globals__.get("__name__") == "jinja2.sandbox"
    )


class Templates:
    """Templates, each compiled once. lm-eval compiles a template again for every document."""

    def __init__(self, like: Any) -> None:
        """`like`: lm-eval's environment, whose filters and settings are kept."""
        environment = _Sandbox(
            loader=like.loader, undefined=like.undefined, keep_trailing_newline=like.keep_trailing_newline
        )
        environment.filters.update(like.filters)
        environment.bound()
        self.compiled = functools.lru_cache(maxsize=4096)(environment.from_string)
        self._may_run_long = functools.lru_cache(maxsize=4096)(lambda text: "{%" in text and not is_linear(text))

    def render(self, template: str, values: Any) -> str:
        """Makes a field that the document lacks an error, which lists the document's fields."""
        try:
            return with_most_text(_MOST_TEXT, lambda: self._rendered(template, values))
        except (TooMuchText, TooManySteps, MemoryError, OverflowError, RecursionError) as error:
            shown = " ".join(template.split())[:60]
            raise TemplateNeverEnds(f"the template {shown!r} takes too many steps or makes too much text") from error
        except UndefinedError as error:
            asked = re.match(r"'(\w+)' is undefined", str(error.message))
            if asked is None:
                raise
            fields = ", ".join(str(name) for name in list(values)[:20])
            hint = nearest(asked.group(1), map(str, values), 1)
            raise UndefinedError(f"{error.message}: the document has {fields}{hint}") from error

    def _rendered(self, template: str, values: Any) -> str:
        compiled = self.compiled(template)
        if self._may_run_long(template):
            return with_most_steps(_MOST_STEPS, lambda: str(compiled.render(**values)))
        return str(compiled.render(**values))
