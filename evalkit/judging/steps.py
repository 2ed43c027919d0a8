"""Evaluation steps drafted by a model, for a person to read, mend and commit."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from evalkit.errors import JudgeError
from evalkit.judging.calls import Asker, Asking, Replies
from evalkit.judging.prompts import steps_messages
from evalkit.judging.rubric import Dimension, Rubric
from evalkit.types import Failed, Generated, Sampling

__all__ = ["as_yaml", "draft_steps", "read_steps"]

_ITEM = re.compile(r"(?:\d+\s*[.):]|[-*•])\s*(?=\S)")
_LONGEST = 1 << 16
"""Characters of a reply in which steps are looked for."""


def read_steps(text: str) -> list[str]:
    """The items of a numbered or dashed list, without markup."""
    lines = map(str.strip, text[:_LONGEST].split("\n"))
    items = [line[item.end() :] for line in lines if (item := _ITEM.match(line))]
    return [re.sub(r"[*_`]{1,2}", "", item).strip() for item in items]


def draft_steps(
    rubric: Rubric, dimensions: Sequence[Dimension], asker: Asker, max_tokens: int = 700
) -> dict[str, list[str]]:
    drafted = dict(asker.run(_draft(rubric, dimension, max_tokens) for dimension in dimensions))
    return {dimension.name: drafted[dimension.name] for dimension in dimensions}


def _draft(rubric: Rubric, dimension: Dimension, max_tokens: int) -> Asking[tuple[str, list[str]]]:
    identity = {"steps_for": dimension.name, "criteria": dimension.criteria, "labels": dict(dimension.scale.labels)}
    (reply,) = yield Replies(identity, lambda: steps_messages(rubric, dimension), Sampling(max_tokens))
    if isinstance(reply, Failed):
        raise JudgeError(f"no steps for {dimension.name}: {reply.reason}")
    text = reply.text if isinstance(reply, Generated) else ""
    steps = read_steps(text)
    if not steps:
        raise JudgeError(f"no steps for {dimension.name}: the model wrote no list ({' '.join(text.split())[:120]!r})")
    return dimension.name, steps


def as_yaml(drafted: Mapping[str, Sequence[str]]) -> str:
    """What goes under `dimensions:` of a rubric."""
    import yaml

    body = {name: {"steps": list(steps)} for name, steps in drafted.items()}
    return yaml.safe_dump({"dimensions": body}, sort_keys=False, allow_unicode=True, width=110)
