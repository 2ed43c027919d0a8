"""Reads candidate instructions from a response."""

from __future__ import annotations

import re

__all__ = ["candidates", "listed", "whole_tasks"]

_NUMBER = re.compile(r"\n\d+\s?\. ")
_BLANKS = re.compile(r"\s+")


def candidates(text: str, finish: str | None) -> list[str]:
    """The instructions of a response, in order. A response that was cut off counts for nothing."""
    if finish == "length":
        return []
    parts = (_BLANKS.sub(" ", part).strip().capitalize() for part in _NUMBER.split(text))
    return [part for part in parts if part]


_ITEM = re.compile(r"(?:^|\n)\s*(?:[-*]\s+)?(?:\*\*)?\d+\s?[.)](?:\*\*)?\s+")
_MARKS = '*`"\u201c\u201d '


def listed(text: str, finish: str | None) -> list[str]:
    """The items of a numbered list, as chat models write one too. The last item of a cut response is dropped."""
    parts = _ITEM.split(text)
    if finish == "length":
        parts = parts[:-1]
    # A task stands on one line; what follows below it is the model's own comment.
    lines = (part.strip().split("\n", 1)[0] for part in parts)
    cleaned = (_BLANKS.sub(" ", line).strip(_MARKS) for line in lines)
    return [line for line in cleaned if line]


def whole_tasks(text: str, finish: str | None, first: int) -> list[tuple[str, str, str]]:
    """Instruction, input and output of each task of a response in Alpaca's form, whose first has the number `first`.

    The last task of a cut response is dropped, and each that is not in the form.
    """
    parts = re.split("###", f"{first}. Instruction:{text}")
    tasks = []
    for number, part in enumerate(parts, first):
        if number - first == len(parts) - 1 and finish == "length":
            continue
        fields = re.split(rf"{number}\.\s+(?:Instruction|Input|Output):", part)
        if len(fields) == 4:
            instruction, given, output = (field.strip() for field in fields[1:])
            tasks.append((instruction, "" if given.lower() == "<noinput>" else given, output))
    return tasks
