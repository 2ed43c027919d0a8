"""Prompts and targets from the task files themselves, so that `nano` is trained on what it will be asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, StrictUndefined

from tools.nano import arithmetic, code, endings, knowledge, symbolic

__all__ = ["MAKERS", "MINI", "Span", "Template", "few_shot", "template"]

MINI = Path(__file__).parents[2] / "tasks" / "mini"
MAKERS = {
    "knowledge": knowledge.make,
    "endings": endings.make,
    "arithmetic": arithmetic.make,
    "symbolic": symbolic.make,
    "code": code.make,
}
Span = tuple[str, float]
"""Text and what its tokens weigh in the loss."""


@dataclass(frozen=True)
class Template:
    config: dict[str, Any]

    def _render(self, key: str, doc: dict[str, Any]) -> str:
        return str(_compiled(self.config[key]).render(**doc))

    def prompt(self, doc: dict[str, Any]) -> str:
        return self._render("doc_to_text", doc)

    def target(self, doc: dict[str, Any]) -> str:
        """What a right answer looks like, without the delimiter before it."""
        if self.config["output_type"] != "multiple_choice":
            return self._render("doc_to_target", doc)
        choices = self.config["doc_to_choice"]
        listed: Sequence[str] = doc[choices] if isinstance(choices, str) else choices
        return listed[doc[self.config["doc_to_target"]]]

    @property
    def delimiter(self) -> str:
        return str(self.config.get("target_delimiter", " "))

    @property
    def shots(self) -> int:
        return int(self.config["num_fewshot"])


@cache
def _compiled(source: str) -> Any:
    return Environment(undefined=StrictUndefined, keep_trailing_newline=True).from_string(source)


@cache
def template(name: str) -> Template:
    return Template(yaml.safe_load((MINI / f"mini_{name}.yaml").read_text("utf-8")))


def few_shot(name: str, docs: Sequence[dict[str, Any]], asked: float, answered: float) -> list[Span]:
    """Documents one after the other, as a few-shot prompt with its answer is."""
    form = template(name)
    spans: list[Span] = []
    for i, doc in enumerate(docs):
        spans.append((("\n\n" if i else "") + form.prompt(doc), asked))
        spans.append((form.delimiter + form.target(doc), answered))
    return spans
