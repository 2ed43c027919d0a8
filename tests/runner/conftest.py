"""The pipeline on the mock engine: canned answers, everything else real."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evalkit.config import RunConfig
from evalkit.engines import mock
from evalkit.reporting.progress import Progress
from evalkit.reporting.run_view import report
from evalkit.results import Run
from evalkit.runner import Outcome, run
from tests.helpers.listening import Heard
from tests.helpers.resuming import asked, evalkit, only_run


@pytest.fixture
def corridor(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Outcome]]:
    """`evalkit run` with the mock engine; its options go in as model_args."""
    monkeypatch.setattr("evalkit.runner.finding.choose", lambda *_, **__: mock.SPEC)

    def go(heard: Progress | None = None, **asked: Any) -> list[Outcome]:
        flags = {"model": str(tiny_model), "tasks": "mini_knowledge,mini_arithmetic", "limit": 30}
        config = RunConfig.build(**{**flags, "output_path": str(tmp_path / "results"), **asked})
        return run(config, heard or Heard(), report)

    return go


@pytest.fixture(scope="session")
def uninterrupted(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    out = tmp_path_factory.mktemp("uninterrupted")
    done = evalkit(asked(tiny_model, out))
    assert done.returncode == 0, done.stderr
    return only_run(out)
