"""Prompts that several models share."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from evalkit.runner.materials import Materials


def test_each_chat_template_is_built_from_tasks_of_its_own() -> None:
    """Tasks draw their examples anew with each document: a second build of the same tasks would have others."""
    materials = Materials()
    made: list[object] = []

    def load() -> Any:
        made.append(object())
        return made[-1]

    def build(suite: Any) -> Any:
        return {"from": suite}

    assert materials.suite(load) is made[0]
    templates: list[Any] = [None, SimpleNamespace(identity="a"), None, SimpleNamespace(identity="a")]
    suites = [materials.documents(chat, load, build) for chat in templates]
    assert [suite is made[0] for suite, _ in suites] == [True, False, True, False]
    assert all(documents["from"] is suite for suite, documents in suites)  # type: ignore[comparison-overlap]
    assert (materials.built, len(made)) == (2, 2)
