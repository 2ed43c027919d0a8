"""Makes transformers render a chat template with a limit on the text that it makes."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, TypeVar

from evalkit.tokens.growth import Bounded, with_most_text

__all__ = ["render_counted"]

T = TypeVar("T")
_counting: ContextVar[bool] = ContextVar("counting", default=False)


def render_counted(most: int, function: Callable[[], T]) -> T:
    """Return the result of `function`. Raises TooMuchText if its chat templates make more than `most` characters."""
    _prepare()
    token = _counting.set(True)
    try:
        return with_most_text(most, function)
    finally:
        _counting.reset(token)


@functools.lru_cache(maxsize=1)
def _prepare() -> None:
    """Let transformers compile templates in an environment that counts, where this module renders them."""
    from transformers.utils import chat_template_utils

    theirs = getattr(chat_template_utils, "_compile_jinja_template", None)
    if theirs is None:
        return
    from_string = functools.lru_cache(maxsize=64)(_environment(theirs("").environment).from_string)

    def compiled(template: str) -> Any:
        return from_string(template) if _counting.get() else theirs(template)

    chat_template_utils._compile_jinja_template = compiled


def _environment(theirs: Any) -> Any:
    """An environment with everything that transformers gives to its own."""
    counting = type("_Counting", (Bounded, type(theirs)), {})
    made = counting(
        trim_blocks=theirs.trim_blocks,
        lstrip_blocks=theirs.lstrip_blocks,
        keep_trailing_newline=theirs.keep_trailing_newline,
        undefined=theirs.undefined,
        extensions=[type(extension) for extension in theirs.extensions.values()],
    )
    made.filters.update(theirs.filters)
    made.tests.update(theirs.tests)
    made.globals.update(theirs.globals)
    made.bound()
    return made
