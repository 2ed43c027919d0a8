"""A fleet on a real Ray cluster: every request is answered once, whatever happens to its replicas."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator

import pytest

from evalkit.engines.ray.engine import FleetEngine, _Member
from evalkit.engines.ray.replica import Setup
from evalkit.engines.spec import EngineSettings
from evalkit.errors import EngineError
from evalkit.types import Failed, ModelSpec, Scored, Work
from tests.helpers.fleets import KeptCluster, counting_cluster, expected, fleet, items, pids, wait_for_all
from tests.helpers.processes import wait_until_ended

pytest.importorskip("ray", reason='ray is not installed: pip install "lm-evalkit[ray]"')


@pytest.fixture(scope="module")
def cluster() -> Iterator[KeptCluster]:
    started = counting_cluster(4)
    yield KeptCluster(started)
    started.close()


@pytest.fixture(scope="module")
def pair(cluster: KeptCluster) -> Iterator[tuple[FleetEngine, list[str]]]:
    """A fleet of two that most tests share, and the lines that it tells the user."""
    engine, lines = fleet(cluster, 2)
    yield engine, lines
    engine.close()


@pytest.fixture
def lines(pair: tuple[FleetEngine, list[str]]) -> list[str]:
    pair[1].clear()
    return pair[1]


@pytest.fixture
def engine(pair: tuple[FleetEngine, list[str]], lines: list[str]) -> FleetEngine:
    """The shared fleet with two replicas at work, whatever the last test did to them."""
    wait_for_all(pair[0])
    lines.clear()
    return pair[0]


def once(action: Callable[[], None], after: int) -> Callable[[int], None]:
    """Call `action` when so many answers have come."""
    done = []

    def when(count: int) -> None:
        if count >= after and not done:
            done.append(True)
            action()

    return when


def ask(engine: FleetEngine, work: list[Work], when: Callable[[int], None] = lambda count: None) -> dict[int, object]:
    """The answers by id. Fails where one comes twice."""
    answers: dict[int, object] = {}
    for answer in engine.run(iter(work)):
        assert answer.id not in answers
        answers[answer.id] = answer
        when(len(answers))
    return answers


def kill(pid: int, number: int = signal.SIGKILL) -> None:
    os.kill(pid, number)


def replicas(engine: FleetEngine) -> dict[str, object]:
    record = engine.description["replicas"]
    assert isinstance(record, dict)
    return record


def test_two_replicas_answer_everything_once_and_twice_in_a_row(engine: FleetEngine, lines: list[str]) -> None:
    work = items(600)
    before, prompt = replicas(engine), engine.usage.prompt
    assert ask(engine, work) == expected(work)
    assert ask(engine, work) == expected(work)
    assert engine.usage.prompt - prompt == 2 * sum(len(item.context) for item in work)  # type: ignore[union-attr]
    now = replicas(engine)
    assert (now["count"], now["lost"], now["sent_again"], lines) == (2, before["lost"], before["sent_again"], [])
    assert len(now["hosts"]) >= 2  # type: ignore[arg-type]


def test_a_killed_replica_is_replaced_and_nothing_is_lost(
    engine: FleetEngine, lines: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    work = items(600)
    before = engine.lost
    assert ask(engine, work, once(lambda: kill(pids(engine)[0]), after=100)) == expected(work)
    assert engine.lost == before + 1
    assert any("is lost" in line for line in lines)
    assert "replicas were lost" in (engine.usage.unknown or "")
    assert capfd.readouterr().out == "", "Ray says nothing where results may be printed"


def test_all_replicas_killed_at_once_come_back(engine: FleetEngine) -> None:
    work = items(600)
    before = engine.lost
    assert ask(engine, work, once(lambda: [kill(pid) for pid in pids(engine)] and None, 100)) == expected(work)
    assert engine.lost == before + 2


def test_a_request_that_ends_its_process_is_failed_and_the_others_are_answered(engine: FleetEngine) -> None:
    work = items(120, poison=[37])
    before = engine.lost
    answers = ask(engine, work)
    bad = answers.pop(37)
    assert isinstance(bad, Failed)
    assert "replicas ended" in bad.reason
    assert answers == {id_: answer for id_, answer in expected(work).items() if id_ != 37}
    assert engine.lost == before + 3


def test_an_answer_that_an_engine_loses_is_not_waited_for(engine: FleetEngine, lines: list[str]) -> None:
    """The engine does not say that it rests, as few plug-ins do."""
    work = items(120, lost=[5, 37])
    there = {id_: answer for id_, answer in expected(work).items() if id_ not in (5, 37)}
    before = engine.lost
    assert ask(engine, work) == there
    assert sum(int(line.split()[-4]) for line in lines if "ended without" in line) == 2

    def until_it_rests() -> Iterator[Work | None]:
        yield from work
        while not engine.resting:
            yield None

    assert {answer.id: answer for answer in engine.run(until_it_rests())} == there
    assert engine.lost == before


def test_a_stopped_process_counts_as_lost_after_the_silence_and_a_short_one_does_not(
    engine: FleetEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_silence", 4)
    work = items(400)
    before = engine.lost
    stopped: list[int] = []

    def stop() -> None:
        stopped.append(pids(engine)[0])
        kill(stopped[0], signal.SIGSTOP)
        threading.Timer(1.5, kill, (stopped[0], signal.SIGCONT)).start()

    assert ask(engine, work, once(stop, 50)) == expected(work)
    assert engine.lost == before

    def stop_for_good() -> None:
        kill(pids(engine)[0], signal.SIGSTOP)

    assert ask(engine, work, once(stop_for_good, 50)) == expected(work)
    assert engine.lost == before + 1


def test_work_that_has_not_begun_is_left_out_once_no_more_is_wanted(
    engine: FleetEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = items(2000)
    asked_to_stop: list[bool] = []
    monkeypatch.setattr(engine, "stopping", lambda: bool(asked_to_stop))
    answers = ask(engine, work, once(lambda: asked_to_stop.append(True), 20))
    assert 20 <= len(answers) < 800
    assert engine.in_flight == 0
    assert ask(engine, items(50)) == {}  # still not wanted
    asked_to_stop.clear()
    assert ask(engine, items(50)) == expected(items(50))


def test_answers_that_bring_more_work_are_waited_for(engine: FleetEngine) -> None:
    work = items(100)
    got: list[Scored] = []

    def as_it_comes() -> Iterator[Work | None]:
        for item in work:
            yield item
            while len(got) < item.ids[0]:  # the next one is known once all before it are answered
                yield None

    for answer in engine.run(as_it_comes()):
        assert isinstance(answer, Scored)
        got.append(answer)
    assert {answer.id: answer for answer in got} == expected(work)


def test_a_replica_with_other_weights_is_refused_by_name(cluster: KeptCluster) -> None:
    engine, lines = fleet(cluster, 2)
    engine._fingerprint = "0" * 32  # as if the files here were others than those that a new replica reads
    work = items(400)
    with pytest.raises(EngineError, match=r"replica \d+ on host-of-\d+ is refused: m holds other weights there"):
        ask(engine, work, once(lambda: [kill(pid) for pid in pids(engine)] and None, 50))
    assert any("is refused" in line for line in lines) or replicas(engine)["lost"] == 2
    engine.close()


def test_a_fleet_without_replicas_waits_as_long_as_one_loads(
    cluster: KeptCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A large model takes minutes to load. What loads answers calls; what has no place on the cluster is silent."""
    now = 1000.0
    monkeypatch.setattr("evalkit.engines.ray.engine.time.monotonic", lambda: now)
    engine = FleetEngine(cluster, Setup("counting", ModelSpec("m", "m"), (), EngineSettings()), 1, print)
    with pytest.raises(EngineError, match="no replica has joined"):
        engine._check_not_alone()
    engine._members.append(_Member("replica 1", None, last_heard=now))
    for _ in range(10):
        now += 100
        engine._members[0].last_heard = now
        engine._check_not_alone()
    now += 119
    engine._check_not_alone()
    engine.lost, now = 1, now + 2
    with pytest.raises(EngineError, match=r"all replicas are lost \(1\)"):
        engine._check_not_alone()


def test_more_replicas_than_places_begin_with_those_that_have_one_and_closing_leaves_no_process(
    cluster: KeptCluster, pair: tuple[FleetEngine, list[str]]
) -> None:
    pair[0].close()
    engine, _ = fleet(cluster, 6, seconds=0.0005)
    work = items(200)
    assert ask(engine, work) == expected(work)
    assert 1 <= replicas(engine)["count"] <= 4  # type: ignore[operator]
    assert replicas(engine)["lost"] == 0
    ended = pids(engine)
    engine.close()
    assert wait_until_ended(ended) == []
