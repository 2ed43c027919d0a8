"""Runs a checkpoint's chat template with a limit on its steps: nested loops could run practically forever."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any, TypeVar

__all__ = ["TooManySteps", "is_linear", "with_most_steps"]

T = TypeVar("T")

_TEMPLATE = "<template>"
"""The file name that Jinja gives to the code of a template from a string."""


class TooManySteps(Exception):
    """The template took more steps than allowed."""


def is_linear(template: str) -> bool:
    """Whether a template's steps grow only linearly with the messages: no nested or computed loops, no macros.

    Such a template needs no limit. In doubt, the answer is False.
    """
    from jinja2 import Environment, TemplateError, nodes

    try:
        tree = Environment(extensions=["jinja2.ext.loopcontrols"]).parse(template)
    except (TemplateError, RecursionError):
        return False
    if any(tree.find_all((nodes.Macro, nodes.CallBlock, nodes.Include, nodes.Extends))):
        return False
    for loop in tree.find_all(nodes.For):
        inner = [part for body in (*loop.body, *loop.else_) for part in (body, *body.find_all(nodes.For))]
        computed = [loop.iter, *loop.iter.find_all(nodes.Node)]
        if (
            loop.recursive
            or any(isinstance(part, nodes.For) for part in inner)
            or any(isinstance(part, nodes.Call | nodes.BinExpr | nodes.Concat | nodes.Filter) for part in computed)
        ):
            return False
    return True


def with_most_steps(most: int, function: Callable[[], T]) -> T:
    """Return the result of `function`. Raises TooManySteps if its templates take more than `most` steps.

    A step is a line of a template; functions that a template calls are not traced. A tracer that is active already
    (a debugger, coverage) is restored afterwards.
    """
    steps = 0

    def count(frame: FrameType, event: str, arg: Any) -> Any:
        nonlocal steps
        steps += 1
        if steps > most:
            raise TooManySteps
        return count

    def trace(frame: FrameType, event: str, arg: Any) -> Any:
        return count if frame.f_code.co_filename == _TEMPLATE else None

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        return function()
    finally:
        sys.settrace(before)
