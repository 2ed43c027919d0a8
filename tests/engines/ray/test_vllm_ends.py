"""The real vLLM in replicas: its process is killed inside an actor, then an actor is killed around it."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from evalkit.engines.ray.cluster import Cluster
from evalkit.engines.ray.engine import FleetEngine, _Member
from evalkit.engines.ray.replica import Setup
from evalkit.engines.spec import EngineSettings
from evalkit.types import Answer, ModelSpec, Scored, Work
from tests.helpers.processes import children, wait_until_ended
from tests.helpers.vllm_work import LENGTH, mixed_work, needs_vllm

pytest.importorskip("ray", reason='ray is not installed: pip install "lm-evalkit[ray]"')
pytestmark = [pytest.mark.vllm, needs_vllm, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def lines() -> list[str]:
    """What the fleet tells the user."""
    return []


@pytest.fixture(scope="module")
def fleet(tiny_model: Path, lines: list[str]) -> Iterator[FleetEngine]:
    with pytest.MonkeyPatch.context() as patch:
        # Read where vLLM starts: in actors, which have the environment of their cluster.
        patch.setenv("VLLM_CPU_KVCACHE_SPACE", "1")
        # A busy machine may need longer for an actor to start.
        patch.setattr("evalkit.engines.ray.engine._ALONE", 600.0)
        args = {"max_model_len": LENGTH, "enforce_eager": True}
        model = ModelSpec("tiny", str(tiny_model), dtype="float32", args=args)
        engine = FleetEngine.start(Cluster.local(2, 0), Setup("vllm", model, (), EngineSettings()), 2, lines.append)
        yield engine
        started = [pid for member in engine._members if member.loaded for pid in children(member.loaded.pid)]
        engine.close()
        assert wait_until_ended(started) == []


@pytest.fixture(scope="module")
def expected(fleet: FleetEngine) -> dict[int, Answer]:
    """The answers when nothing happens."""
    return ask(fleet, lambda: None)


def ask(fleet: FleetEngine, act: Callable[[], None]) -> dict[int, Answer]:
    """The answers to the work. After the 40th, `act` is called."""
    work: list[Work] = mixed_work(random.Random(0))
    answers: dict[int, Answer] = {}
    for answer in fleet.run(iter(work)):
        assert answer.id not in answers
        answers[answer.id] = answer
        if len(answers) == 40:
            act()
    assert answers.keys() == {id_ for item in work for id_ in item.ids}
    return answers


def same(answers: dict[int, Answer], expected: dict[int, Answer]) -> None:
    for id_, answer in answers.items():
        wanted = expected[id_]
        if isinstance(wanted, Scored):
            assert isinstance(answer, Scored)
            assert answer.logprob == pytest.approx(wanted.logprob, abs=1e-4)
        else:
            assert answer == wanted


def at_work(fleet: FleetEngine) -> _Member:
    """The replica with the most requests to answer."""
    return max(
        (member for member in fleet._members if member.joined), key=lambda member: fleet._dealer.in_flight(member.name)
    )


def test_a_killed_vllm_process_inside_an_actor_is_replaced_and_every_request_is_answered_once(
    fleet: FleetEngine, expected: dict[int, Answer], lines: list[str]
) -> None:
    def kill() -> None:
        actor = at_work(fleet).loaded
        assert actor is not None
        workers = [pid for pid in children(actor.pid) if "vllm.worker" in Path(f"/proc/{pid}/cmdline").read_text()]
        os.kill(workers[0], signal.SIGKILL)

    same(ask(fleet, kill), expected)
    assert fleet.lost == 1
    assert any("is lost (the engine died mid-run" in line and "signal 9" in line for line in lines)
    assert not any("does not fit" in line for line in lines), "nothing says that memory was short"


def test_a_killed_actor_leaves_no_vllm_process_after_two_seconds_and_every_request_is_answered_once(
    fleet: FleetEngine, expected: dict[int, Answer]
) -> None:
    lost = fleet.lost
    orphans: list[int] = []

    def kill() -> None:
        actor = at_work(fleet).loaded
        assert actor is not None
        below = children(actor.pid)
        assert below, "vLLM has a process of its own"
        # The replacement of the first test is enough: another would load for nothing.
        fleet._wanted = 1
        os.kill(actor.pid, signal.SIGKILL)
        orphans.extend(wait_until_ended(below, seconds=2))

    same(ask(fleet, kill), expected)
    assert orphans == []
    assert fleet.lost == lost + 1
