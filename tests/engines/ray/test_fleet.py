"""A fleet on a real Ray cluster: every request is answered once, whatever happens to its replicas."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from evalkit.engines.ray.cluster import Cluster
from evalkit.engines.ray.engine import FleetEngine
from evalkit.errors import EngineError, UsageError
from evalkit.types import Failed, Scored, Work
from tests.helpers.fleets import KeptCluster, counting_cluster, expected, fleet, items, pids

pytest.importorskip("ray", reason='ray is not installed: pip install "lm-evalkit[ray]"')


@pytest.fixture(scope="module")
def cluster() -> Iterator[KeptCluster]:
    started = counting_cluster(4)
    yield KeptCluster(started)
    started.close()


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
    found = engine.description["replicas"]
    assert isinstance(found, dict)
    return found


def test_two_replicas_answer_everything_once_and_twice_in_a_row(cluster: KeptCluster) -> None:
    engine, lines = fleet(cluster, 2)
    work = items(600)
    assert ask(engine, work) == expected(work)
    assert ask(engine, work) == expected(work)
    assert engine.usage.prompt == 2 * sum(len(item.context) for item in work)  # type: ignore[union-attr]
    found = replicas(engine)
    assert (found["count"], found["lost"], found["sent_again"], lines) == (2, 0, 0, [])
    assert len(found["hosts"]) == 2  # type: ignore[arg-type]
    engine.close()


def test_a_killed_replica_is_replaced_and_nothing_is_lost(cluster: KeptCluster) -> None:
    engine, lines = fleet(cluster, 2)
    work = items(600)
    assert ask(engine, work, once(lambda: kill(pids(engine)[0]), after=100)) == expected(work)
    assert replicas(engine)["lost"] == 1
    assert any("is lost" in line for line in lines)
    engine.close()


def test_all_replicas_killed_at_once_come_back(cluster: KeptCluster) -> None:
    engine, _ = fleet(cluster, 2)
    work = items(600)
    assert ask(engine, work, once(lambda: [kill(pid) for pid in pids(engine)] and None, 100)) == expected(work)
    assert replicas(engine)["lost"] == 2
    engine.close()


def test_a_request_that_ends_its_process_is_failed_and_the_others_are_answered(cluster: KeptCluster) -> None:
    engine, _ = fleet(cluster, 2)
    work = items(120, poison=[37])
    answers = ask(engine, work)
    bad = answers.pop(37)
    assert isinstance(bad, Failed)
    assert "replicas ended" in bad.reason
    assert answers == {id_: answer for id_, answer in expected(work).items() if id_ != 37}
    assert replicas(engine)["lost"] == 3
    engine.close()


def test_a_stopped_process_counts_as_lost_after_the_silence_and_a_short_one_does_not(cluster: KeptCluster) -> None:
    engine, _ = fleet(cluster, 2, silence=4)
    work = items(400)
    stopped: list[int] = []

    def stop() -> None:
        stopped.append(pids(engine)[0])
        kill(stopped[0], signal.SIGSTOP)
        threading.Timer(1.5, kill, (stopped[0], signal.SIGCONT)).start()

    assert ask(engine, work, once(stop, 50)) == expected(work)
    assert replicas(engine)["lost"] == 0

    def stop_for_good() -> None:
        kill(pids(engine)[0], signal.SIGSTOP)

    assert ask(engine, work, once(stop_for_good, 50)) == expected(work)
    assert replicas(engine)["lost"] == 1
    engine.close()


def test_more_replicas_than_places_begin_with_those_that_have_one(cluster: KeptCluster) -> None:
    engine, _ = fleet(cluster, 6, seconds=0.0005)
    work = items(200)
    assert ask(engine, work) == expected(work)
    assert 1 <= replicas(engine)["count"] <= 4  # type: ignore[operator]
    assert replicas(engine)["lost"] == 0
    engine.close()


def test_work_that_has_not_begun_is_left_out_once_no_more_is_wanted(cluster: KeptCluster) -> None:
    engine, _ = fleet(cluster, 2, seconds=0.01)
    work = items(2000)
    asked_to_stop: list[bool] = []
    engine.stopping = lambda: bool(asked_to_stop)
    answers = ask(engine, work, once(lambda: asked_to_stop.append(True), 20))
    assert 20 <= len(answers) < 800
    assert engine.in_flight == 0
    assert ask(engine, items(50)) == {}  # still not wanted
    asked_to_stop.clear()
    assert ask(engine, items(50)) == expected(items(50))
    engine.close()


def test_answers_that_bring_more_work_are_waited_for(cluster: KeptCluster) -> None:
    engine, _ = fleet(cluster, 2)
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
    engine.close()


def test_a_replica_with_other_weights_is_refused_by_name(cluster: KeptCluster) -> None:
    engine, lines = fleet(cluster, 2)
    engine._fingerprint = "0" * 32  # as if the files here were others than those that a new replica reads
    work = items(400)
    with pytest.raises(EngineError, match=r"replica \d+ on host-of-\d+ is refused: m holds other weights there"):
        ask(engine, work, once(lambda: [kill(pid) for pid in pids(engine)] and None, 50))
    assert any("is refused" in line for line in lines) or replicas(engine)["lost"] == 2
    engine.close()


@pytest.mark.parametrize("address", ["ray://10.0.0.1:10001", "http://10.0.0.1"])
def test_a_ray_client_address_is_refused(address: str) -> None:
    with pytest.raises(UsageError, match="--cluster auto"):
        Cluster.running(address, 1)


def test_closing_leaves_no_process(cluster: KeptCluster) -> None:
    engine, _ = fleet(cluster, 2)
    ended = pids(engine)
    engine.close()
    until = time.monotonic() + 10
    while any(_runs(pid) for pid in ended) and time.monotonic() < until:
        time.sleep(0.1)
    assert not any(_runs(pid) for pid in ended)


def _runs(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123
            return file.read().rpartition(b")")[2].split()[0] not in (b"Z", b"X")
    except OSError:
        return False
