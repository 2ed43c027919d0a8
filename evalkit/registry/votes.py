"""What an answer says, normalised as its metric compares answers: the votes of maj@K."""

from __future__ import annotations

import re
import string
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Ballot", "boxed"]

_BOX = re.compile(r"\\boxed\s*\{")


@dataclass(frozen=True, slots=True)
class Ballot:
    """How a task reads votes: as lm-eval's exact_match reads a prediction, with the task's own settings."""

    ignore: tuple[str, ...] = ()
    """Regular expressions whose matches are removed."""
    ignore_case: bool = False
    ignore_punctuation: bool = False
    ignore_numbers: bool = False
    whole: bool = False
    """The task reads the final answer out of the whole text itself: the vote is the content of its last box."""

    @classmethod
    def of(cls, task: Any, metric: str) -> Ballot:
        """The ballot of one metric of lm-eval's task."""
        given = getattr(task, "_metric_fn_kwargs", None)
        settings = given.get(metric) if isinstance(given, Mapping) else None
        settings = settings if isinstance(settings, Mapping) else {}
        return cls(
            ignore=tuple(str(pattern) for pattern in settings.get("regexes_to_ignore") or ()),
            ignore_case=bool(settings.get("ignore_case")),
            ignore_punctuation=bool(settings.get("ignore_punctuation")),
            ignore_numbers=bool(settings.get("ignore_numbers")),
            whole=callable(getattr(getattr(task, "config", None), "process_results", None)),
        )

    def vote(self, answer: str) -> str | None:
        """None: nothing is left of it."""
        text = (boxed(answer) or answer) if self.whole else answer
        for pattern in self.ignore:
            text = re.sub(pattern, "", text)
        if self.ignore_case:
            text = text.lower()
        if self.ignore_punctuation:
            text = text.translate(str.maketrans("", "", string.punctuation))
        if self.ignore_numbers:
            text = text.translate(str.maketrans("", "", string.digits))
        return text.strip() or None


def boxed(text: str) -> str | None:
    r"""The content of the last \boxed{…}, without blanks; None where there is none or it never ends."""
    starts = [match.end() for match in _BOX.finditer(text)]
    if not starts:
        return None
    depth, at = 1, starts[-1]
    while at < len(text) and depth:
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        at += 1
    return None if depth else "".join(text[starts[-1] : at - 1].split())
