"""A run called from a program of the user's: no output, no exit, no signal handler left behind."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evalkit.config import RunConfig
from evalkit.engines.spec import EngineSettings, find_spec
from evalkit.errors import UsageError
from evalkit.reporting.run_view import report
from evalkit.runner import LoadedModel, Outcome, run
from tests.helpers.listening import Heard
from tests.helpers.runfolders import results_of


def test_nothing_is_printed_and_signals_are_as_before(
    corridor: Callable[..., list[Outcome]], capfd: pytest.CaptureFixture[str]
) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    first, second = corridor(limit=3, name="first"), corridor(limit=3, name="second")
    assert results_of(first[0])["tasks"] == results_of(second[0])["tasks"]
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
    assert capfd.readouterr().out == ""


def test_a_run_works_in_a_thread_beside_a_running_event_loop(tiny_model: Path, tmp_path: Path) -> None:
    asked = {"model": str(tiny_model), "tasks": "mini_knowledge", "limit": 3, "engine": "hf", "device": "cpu"}
    config = RunConfig.build(**asked, output_path=str(tmp_path))
    ticks = 0

    async def beside() -> list[Outcome]:
        nonlocal ticks
        task = asyncio.create_task(asyncio.to_thread(run, config, Heard(), report))
        while not task.done():
            ticks += 1
            await asyncio.sleep(0.01)
        return task.result()

    (outcome,) = asyncio.run(beside())
    assert outcome.exit_code == 0
    assert ticks > 1


def test_a_run_works_within_a_running_event_loop(corridor: Callable[..., list[Outcome]]) -> None:
    async def within() -> list[Outcome]:
        return corridor(limit=3)

    (outcome,) = asyncio.run(within())
    assert outcome.exit_code == 0


def test_two_runs_at_once_in_two_threads(corridor: Callable[..., list[Outcome]]) -> None:
    ended: dict[str, list[Outcome]] = {}
    threads = [
        threading.Thread(target=lambda name=name: ended.update({name: corridor(limit=10, name=name)}))  # type: ignore[misc]
        for name in ("one", "two")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results_of(ended["one"][0])["tasks"] == results_of(ended["two"][0])["tasks"]


def test_a_model_in_memory_is_asked_again_and_again_and_left_open(tiny_model: Path, tmp_path: Path) -> None:
    spec = find_spec("hf")
    model = spec.find_model(str(tiny_model), {}, False)
    tokenizer = spec.load_tokenizer(model)
    engine = spec.start(model.spec, tokenizer, (), EngineSettings(device="cpu"))
    loaded = LoadedModel(spec, model, tokenizer, engine)

    def go(name: str, **asked: Any) -> Outcome:
        flags = {"model": "mine", "tasks": "mini_knowledge", "limit": 3, "output_path": tmp_path, "name": name}
        [outcome] = run(RunConfig.build(**{**flags, **asked}), Heard(), report, loaded=loaded)
        return outcome

    first, second = go("first", fresh=True), go("second", fresh=True)
    assert results_of(first)["tasks"] == results_of(second)["tasks"]
    assert results_of(first)["tokens"]["prompt"] == results_of(second)["tokens"]["prompt"] > 0
    assert first.path.parent.name == "mine"
    with pytest.raises(UsageError, match="--adapter"):
        go("third", adapter="x=somewhere")
    engine.close()
