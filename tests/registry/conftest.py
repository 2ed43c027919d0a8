"""What the tests of the registry share: a sandbox, the probe, a chat template, and runs with the mock engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from evalkit.config import RunConfig
from evalkit.engines import mock
from evalkit.registry import Registry
from evalkit.reporting.run_view import report
from evalkit.runner import Outcome, run
from evalkit.sandbox import Sandbox
from evalkit.tokens import Tokenizer
from evalkit.types import ModelSpec
from tests.helpers.instruct import Heard


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox.start() as started:
        yield started


@pytest.fixture(scope="module")
def suite() -> Any:
    return Registry().load(["instruct"])


@pytest.fixture
def corridor(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Outcome]]:
    """`evalkit run` with the mock engine, whose answers depend on the prompt alone."""
    monkeypatch.setattr("evalkit.runner.finding.choose", lambda *_, **__: mock.SPEC)

    def go(heard: Heard | None = None, **flags: Any) -> list[Outcome]:
        usual = {
            "model": str(tiny_model),
            "tasks": "instruct_conversation_en",
            "output_path": str(tmp_path / "results"),
        }
        return run(RunConfig.build(**{**usual, **flags}), heard or Heard(), report)

    return go


@pytest.fixture(scope="module")
def chat(tiny_chat_model: Path) -> Any:
    return Tokenizer.load(ModelSpec("tiny-chat", str(tiny_chat_model))).chat()
