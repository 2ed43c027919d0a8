"""Extracts Python functions from fences or prose and pairs them with their tests. The sandbox runs them later."""

from __future__ import annotations

import re
import textwrap

from evalkit.checks.fences import blocks
from evalkit.checks.outcome import Complaint, Kind, Param, Params
from evalkit.checks.readings import as_it_is, block_alone, past_thought
from evalkit.types import Program

__all__ = ["KINDS"]

_OPENS = re.compile(r"(?:async\s+def|def|class|import|from|@)\b|@\w")
_GOES_ON = re.compile(r"[ \t]|#|(?:async\s+def|def|class|import|from|if|for|while|try|with|return|assert)\b|@\w|[)\]}]")
_ASSIGNS = re.compile(r"[A-Za-z_]\w*\s*(?::[^=]+)?=[^=]")
_TRIPLE = re.compile(r"\"{3}|'{3}")
_INLINE = re.compile(r"`((?:def|class)\s[^`\n]*)`")
_PYTHON = ("python", "py", "python3", "{.python}", "파이썬", "")


def _programs(answer: str, params: Params) -> tuple[Program | None, Program | None]:
    strict = _program(block_alone(answer, params), params) if answer.strip() else None
    source = _source(answer, params["entry_point"])
    return strict, _program(source, params) if source is not None else None


def _program(source: str, params: Params) -> Program:
    return Program(source, params["tests"], params["entry_point"], params["prelude"])


def _source(answer: str, entry_point: str | None) -> str | None:
    """The last fence that defines the function, else the last Python fence; without fences, the lines of code."""
    answer = past_thought(answer.lstrip("\ufeff"))
    fenced = [textwrap.dedent(block.text) for block in blocks(answer) if block.language in _PYTHON]
    if not fenced:
        inline = _INLINE.search(answer)
        return _from_prose(answer) or _from_prose(textwrap.dedent(answer)) or (inline.group(1) if inline else None)
    if entry_point is None:
        return fenced[-1]
    defines = re.compile(rf"^[ \t]*(?:async\s+)?(?:def|class)\s+{re.escape(entry_point)}\b", re.MULTILINE)
    last = max((place for place, text in enumerate(fenced) if defines.search(text)), default=len(fenced) - 1)
    helpers = [text for text in fenced[:last] if not defines.search(text) and _only_defines(text)]
    return "\n\n".join([*helpers, fenced[last]])


def _only_defines(text: str) -> bool:
    """Whether the code only defines functions and imports modules."""
    return all(not line.strip() or line[0] in " \t#)]}" or _OPENS.match(line) for line in text.splitlines())


def _from_prose(answer: str) -> str | None:
    kept: list[str] = []
    quoted = False
    for line in answer.splitlines():
        if not kept and not _OPENS.match(line):
            continue
        inside, quoted = quoted, quoted != (len(_TRIPLE.findall(line)) % 2 == 1)
        if line.strip() and not inside and not (_GOES_ON.match(line) or _ASSIGNS.match(line)):
            break
        kept.append(line)
    return "\n".join(kept).rstrip() + "\n" if kept else None


def _judge(answer: str, params: Params) -> Complaint:
    return None if answer.strip() else "the answer is empty"


KINDS = (
    Kind(
        "code",
        "Python whose tests pass in the sandbox",
        _judge,
        as_it_is,
        {
            "tests": Param((str,)),
            "entry_point": Param((str,), None),
            "prelude": Param((str,), ""),
            "fence": Param((bool,), False),
        },
        programs=_programs,
    ),
)
