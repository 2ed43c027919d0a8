"""Renders lm-eval's templates in a sandbox, each compiled once."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

import lm_eval.utils

from evalkit.registry.templates import Templates
from evalkit.types import RawDocument

__all__ = ["render", "rendering"]

_templates = Templates(lm_eval.utils.env)
_current: ContextVar[Templates | None] = ContextVar("templates", default=None)
_render_anew = lm_eval.utils.apply_template


def _apply_template(template: str, doc: RawDocument) -> str:
    """Render a template. Outside of `rendering` lm-eval's own function does it, so other code is not affected."""
    templates = _current.get()
    if templates is None:
        return str(_render_anew(template, doc))
    return templates.render(template, doc)


lm_eval.utils.apply_template = _apply_template


@contextlib.contextmanager
def rendering() -> Iterator[None]:
    """Render templates in a sandbox, each compiled once. All of lm-eval's templates work in it."""
    token = _current.set(_templates)
    try:
        yield
    finally:
        _current.reset(token)


def render(template: str, doc: RawDocument) -> str:
    """A template of evalkit's own keys over a document."""
    return _templates.render(template, doc)
