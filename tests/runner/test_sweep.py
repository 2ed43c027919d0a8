"""A sweep: one process for each model, prompts made once, and what goes wrong with one model leaves the others."""

from __future__ import annotations

import dataclasses
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from evalkit.config import RunConfig
from evalkit.engines import mock
from evalkit.engines.base import Engine
from evalkit.engines.spec import EngineSettings
from evalkit.errors import UnknownModel
from evalkit.reporting.run_view import report
from evalkit.runner.sweep import Sweep, can_sweep
from evalkit.runner.writing import Outcome
from evalkit.types import Adapter, ModelSpec
from tests.helpers.checkpoints import make_checkpoint
from tests.helpers.listening import Heard


class Places:
    """Places whose engines are mock engines in the forked process."""

    def __init__(self, count: int, engine: Callable[[ModelSpec], Engine]) -> None:
        self._count = count
        self._engine = engine
        self.events: list[str] = []
        self.closed = False

    def count(self) -> int:
        return self._count

    def load(self, model: ModelSpec, adapters: Sequence[Adapter], settings: Any) -> str:
        self.events.append(f"load {Path(model.source).name}")
        return model.source

    def start(self, model: ModelSpec, adapters: Sequence[Adapter], settings: Any, first: str | None) -> Engine:
        assert first == model.source
        return self._engine(model)

    def drop(self, first: str) -> None:
        self.events.append(f"drop {Path(first).name}")

    def detach(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("sweep")
    return [str(make_checkpoint(folder / f"step-{number}", seed=number)) for number in range(4)]


@pytest.fixture
def swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[list[Outcome], Sweep, Places, Heard]]:
    def go(
        models: Sequence[str], slots: int = 2, engine: Callable[[ModelSpec], Engine] = mock.load, **asked: Any
    ) -> tuple[list[Outcome], Sweep, Places, Heard]:
        places = Places(slots, engine)

        def open_seats(args: Any, settings: EngineSettings) -> Places:
            return places

        spec = dataclasses.replace(mock.SPEC, open_seats=open_seats)
        monkeypatch.setattr("evalkit.runner.finding.choose", lambda *_, **__: spec)
        flags = {"tasks": "mini_knowledge", "limit": 20, "replicas": slots, "output_path": str(tmp_path / "results")}
        config = RunConfig.build(model=",".join(models), **{**flags, **asked})
        heard = Heard()
        sweep = Sweep(config, "s", heard, report, None)
        return sweep.run(), sweep, places, heard

    return go


def test_prompts_are_made_once_and_each_model_has_its_run(swept: Any, models: list[str]) -> None:
    outcomes, sweep, places, heard = swept(models, name="s")
    assert [outcome.run.run_id for outcome in outcomes] == [f"s+step-{number}" for number in range(4)]
    assert {outcome.run.status for outcome in outcomes} == {"limited"}
    assert (sweep.materials.built, sweep.materials.tokenised) == (1, 1)
    assert places.events[:2] == ["load step-0", "load step-1"]
    assert [event for event in places.events if event.startswith("load")] == [f"load step-{n}" for n in range(4)]
    assert places.closed
    assert sum(heard.done.values()) == 80
    again, _, places, heard = swept(models, name="s")
    assert [outcome.run.path for outcome in again] == [outcome.run.path for outcome in outcomes]
    assert any("nothing to do" in note for note in heard.notes)


def test_a_model_of_another_tokenizer_is_tokenised_by_itself(swept: Any, models: list[str], tmp_path: Path) -> None:
    other = str(make_checkpoint(tmp_path / "other", vocab=700))
    outcomes, sweep, _, _ = swept([*models[:2], other])
    assert all(outcome.exit_code == 0 for outcome in outcomes)
    assert (sweep.materials.built, sweep.materials.tokenised) == (1, 2)


def test_a_run_whose_process_is_killed_leaves_the_others(swept: Any, models: list[str]) -> None:
    def engine(model: ModelSpec) -> Engine:
        if model.source == models[1]:
            os.kill(os.getpid(), signal.SIGKILL)
        return mock.load(model)

    outcomes, _, places, _ = swept(models[:3], engine=engine)
    assert [outcome.exit_code for outcome in outcomes] == [0, 4, 0]
    assert "SIGKILL" in outcomes[1].problem
    assert places.closed


def test_a_mistyped_model_is_told_at_once_if_it_would_begin_now_and_at_its_turn_else(
    swept: Any, models: list[str]
) -> None:
    with pytest.raises(UnknownModel):
        swept([models[0], "no/such/folder"])
    outcomes, *_ = swept([*models[:2], "./no-such-folder"])
    assert [outcome.exit_code for outcome in outcomes] == [0, 0, 2]
    assert "no-such-folder" in outcomes[2].problem


def test_models_run_one_after_the_other_in_a_process_that_has_used_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forking such a process hung: Ray's threads do not exist in the fork, and their locks stay held."""
    pytest.importorskip("ray", reason='ray is not installed: pip install "lm-evalkit[ray]"')
    config = RunConfig.build(model="a,b", tasks="mini", engine="hf", replicas=2)
    assert not can_sweep(config)
    monkeypatch.delitem(sys.modules, "ray")
    assert can_sweep(config)


def test_an_interrupt_reaches_every_run_and_the_same_command_goes_on(swept: Any, models: list[str]) -> None:
    parent = os.getpid()

    class Interrupting(mock.MockEngine):
        def run(self, work: Any) -> Any:
            for number, answer in enumerate(super().run(work)):
                if number == 3:
                    os.kill(parent, signal.SIGINT)
                yield answer

    outcomes, *_ = swept(models[:3], slots=1, engine=lambda model: Interrupting(delay=0.05), name="s")
    assert [outcome.exit_code for outcome in outcomes] == [130]
    outcomes, *_ = swept(models[:3], slots=1, name="s")
    assert [outcome.exit_code for outcome in outcomes] == [0, 0, 0]
