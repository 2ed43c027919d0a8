"""Two replicas of the real vLLM on a CPU: their answers against a single engine's, and what happens when one ends.

    python bench/fleet_vllm.py

It loads vLLM six times, so it takes minutes, and is no part of the tests. It ends with exit 1 where an answer differs
or a process is left.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))


def main() -> None:
    os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")
    from evalkit.engines.ray.cluster import Cluster
    from evalkit.engines.ray.engine import FleetEngine
    from evalkit.engines.ray.replica import Setup
    from evalkit.engines.spec import EngineSettings, find_spec, start
    from evalkit.types import ModelSpec, Scored
    from tests.helpers.checkpoints import make_checkpoint

    with tempfile.TemporaryDirectory(prefix="ekv", dir="/tmp") as folder:
        model = ModelSpec(
            "tiny",
            str(make_checkpoint(Path(folder) / "tiny")),
            dtype="float32",
            args={"max_model_len": 512, "enforce_eager": True},
        )
        work = make_work()
        spec = find_spec("vllm")
        alone = start(spec, model, None, (), EngineSettings())
        expected = {answer.id: answer for answer in alone.run(iter(work))}
        alone.close()
        print(f"alone: {len(expected)} answers", flush=True)

        fleet = FleetEngine.start(Cluster.local(2, 0), Setup("vllm", model, (), EngineSettings()), 2, print)
        wrong = 0
        try:
            for what, act in (
                ("undisturbed", lambda: None),
                ("SIGKILL of a vLLM process inside a replica", lambda: kill_core(fleet)),
                ("SIGKILL of a replica around a live vLLM", lambda: kill_actor(fleet)),
            ):
                until = time.monotonic() + 120
                while sum(member.joined for member in fleet._members) < 2 and time.monotonic() < until:
                    for _ in fleet._collect(1.0):
                        pass
                    fleet._refill()
                answers = ask(fleet, work, act)
                worst = max(
                    abs(answers[id_].logprob - one.logprob)
                    for id_, one in expected.items()
                    if isinstance(one, Scored) and id_ in answers
                )
                same = answers.keys() == expected.keys() and all(
                    answers[id_] == one for id_, one in expected.items() if not isinstance(one, Scored)
                )
                wrong += not same or worst > 1e-4
                print(f"{what}: {len(answers)} answers, same {same}, largest difference {worst:.1e}", flush=True)
                print(f"  {fleet.description['replicas']}", flush=True)
        finally:
            below = [pid for member in fleet._members if member.loaded for pid in children(member.loaded.pid)]
            fleet.close()
        time.sleep(2)
        _left.extend(pid for pid in below if alive(pid))
        print(f"processes left 2 s after closing: {_left}")
    raise SystemExit(1 if wrong or _left else 0)


def make_work() -> list[Any]:
    from evalkit.types import Generate, Sampling, Score

    rng = random.Random(0)
    made: list[Any] = []
    for group in range(6):
        prefix = [rng.randrange(3, 1000) for _ in range(150)]
        for number in range(30):
            context = array("i", [*prefix, *(rng.randrange(3, 1000) for _ in range(10))])
            first = 100 * group + 2 * number
            if number % 6 == 0:
                made.append(Generate((first,), context, Sampling(8), (0,)))
            else:
                made.append(Score((first, first + 1), context, (array("i", [5]), array("i", [7, 9]))))
    return made


def ask(fleet: Any, work: list[Any], act: Callable[[], None]) -> dict[int, Any]:
    answers: dict[int, Any] = {}
    acted = False
    for answer in fleet.run(iter(work)):
        assert answer.id not in answers
        answers[answer.id] = answer
        if not acted and len(answers) >= 40:
            acted = True
            act()
    return answers


def children(pid: int) -> list[int]:
    """The living processes below this one."""
    listed = subprocess.run(["ps", "-eo", "pid,ppid,stat"], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in listed.splitlines()[1:]]
    below, found = {pid}, list[int]()
    while below:
        below = {int(row[0]) for row in rows if int(row[1]) in below and "Z" not in row[2]}
        found += below
    return found


def engine_of(pid: int) -> int:
    """The vLLM process of a replica: the one that holds the most memory."""
    return max(children(pid), key=lambda child: int(Path(f"/proc/{child}/statm").read_text().split()[1]))


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def kill_core(fleet: Any) -> None:
    member = next(member for member in fleet._members if member.joined)
    os.kill(engine_of(member.loaded.pid), signal.SIGKILL)


def kill_actor(fleet: Any) -> None:
    member = next(member for member in fleet._members if member.joined)
    below = children(member.loaded.pid)
    os.kill(member.loaded.pid, signal.SIGKILL)
    time.sleep(2)
    left = [pid for pid in below if alive(pid)]
    _left.extend(left)
    print(f"  processes below the killed replica: {len(below)}, left after 2 s: {left}", flush=True)


_left: list[int] = []


if __name__ == "__main__":
    main()
