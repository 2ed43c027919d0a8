"""The hash of a task's configuration changes with what is measured, and not with a word in evalkit's code."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from evalkit.registry.identity import identity_of
from evalkit.registry.kinds import alpaca


def config_hash(function: Callable[..., Any], **metadata: Any) -> str:
    task = SimpleNamespace(dump_config=lambda: {"process_results": function, "metadata": dict(metadata)})
    identity = identity_of(
        task,
        [],
        version=1.0,
        num_fewshot=0,
        output_type="generate_until",
        repeats=1,
        generation=None,
        broken_rows=[],
    )
    return identity["config_hash"]


def test_words_of_evalkits_own_functions_do_not_part_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    own = next(
        value for value in vars(alpaca).values() if inspect.isfunction(value) and value.__module__ == alpaca.__name__
    )
    before = config_hash(own)
    monkeypatch.setattr(inspect, "getsource", lambda value: "def other(): ...")
    assert config_hash(own) == before


def test_another_function_of_a_task_file_is_another_configuration() -> None:
    def right(doc: Any, results: Any) -> float:
        return 1.0

    def wrong(doc: Any, results: Any) -> float:
        return 0.0

    assert config_hash(right) != config_hash(wrong)


def test_canonical_programs_are_no_part_of_what_is_measured() -> None:
    sandbox = {"language": "python", "tests": "test"}
    assert config_hash(len, sandbox=sandbox) == config_hash(len, sandbox={**sandbox, "canonical": "{{solution}}"})
    assert config_hash(len, sandbox=sandbox) != config_hash(len, sandbox={**sandbox, "tests": "other"})
