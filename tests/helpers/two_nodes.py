"""A cluster of two nodes, each in a network namespace of its own, joined by one cable that can be cut.

`TwoNodes` needs root and `ip`. As a program, this file is the driver: it runs on the first node, and prints what each
experiment gave.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PORT = 6379
HEAD = f"10.99.0.1:{PORT}"
RAY = [sys.executable, "-m", "ray.scripts.scripts", "start", "--disable-usage-stats", "--num-cpus", "1", "--block"]


def why_not() -> str | None:
    """Why network namespaces cannot be made here; None where they can."""
    if os.geteuid() != 0:
        return "making network namespaces needs root"
    if shutil.which("ip") is None:
        return "making network namespaces needs the program ip (iproute2)"
    name = f"ekprobe{os.getpid()}"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True)
    if made.returncode:
        return f"network namespaces cannot be made here: {made.stderr.strip()}"
    subprocess.run(["ip", "netns", "del", name], check=False)
    return None


class TwoNodes:
    """Two namespaces with a node of one Ray cluster in each."""

    def __init__(self) -> None:
        self.names = [f"ek{os.getpid()}{letter}" for letter in "ab"]
        self._folder = tempfile.mkdtemp(prefix="ek", dir="/tmp")
        self._nodes: list[subprocess.Popen[bytes]] = []
        self._env = {**os.environ, "RAY_TMPDIR": self._folder, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        self._env["RAY_AUTH_MODE"] = "disabled"

    def __enter__(self) -> TwoNodes:
        first, second = self.names
        for name in self.names:
            _ip("netns", "add", name)
        _ip("link", "add", "cable-a", "netns", first, "type", "veth", "peer", "name", "cable-b", "netns", second)
        for name, end, number in ((first, "cable-a", 1), (second, "cable-b", 2)):
            _ip("-n", name, "addr", "add", f"10.99.0.{number}/24", "dev", end)
            _ip("-n", name, "link", "set", "lo", "up")
            _ip("-n", name, "link", "set", end, "up")
            _ip("-n", name, "route", "add", "default", "via", f"10.99.0.{3 - number}")
        self._start(
            first, "--head", "--port", str(PORT), "--node-ip-address", "10.99.0.1", "--include-dashboard", "false"
        )
        self._wait_for_head()
        self._start(second, "--address", HEAD, "--node-ip-address", "10.99.0.2")
        return self

    def __exit__(self, *_: object) -> None:
        for name in self.names:
            for pid in self.pids(name):
                os.kill(pid, signal.SIGKILL)
        for node in self._nodes:
            node.wait()
        for name in self.names:
            subprocess.run(["ip", "netns", "del", name], check=False)
        shutil.rmtree(self._folder, ignore_errors=True)

    def pids(self, name: str) -> list[int]:
        listed = subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True, check=False).stdout
        return [int(pid) for pid in listed.split()]

    def _wait_for_head(self) -> None:
        """Wait until the head has written its address down, which it does once others can join it."""
        until = time.monotonic() + 120
        while not (Path(self._folder) / "ray" / "ray_current_cluster").exists():
            assert time.monotonic() < until
            time.sleep(0.1)

    def renew(self) -> None:
        """End the second node, and start it anew."""
        for pid in self.pids(self.names[1]):
            os.kill(pid, signal.SIGKILL)
        self._nodes.pop().wait()
        self._start(self.names[1], "--address", HEAD, "--node-ip-address", "10.99.0.2")

    def drive(self, *experiments: str) -> Iterator[Mapping[str, Any]]:
        """Run the driver on the first node; what these experiments gave, one after the other."""
        command = ["ip", "netns", "exec", self.names[0], sys.executable, "-m", "tests.helpers.two_nodes"]
        command += [self.names[1], *experiments]
        driver = subprocess.Popen(command, cwd=ROOT, env=self._env, stdout=subprocess.PIPE, text=True)
        assert driver.stdout is not None
        for line in driver.stdout:
            if line.startswith("{"):
                yield json.loads(line)
        assert driver.wait() == 0

    def _start(self, name: str, *options: str) -> None:
        # Each node sees a folder of its own, as on another machine.
        mounted = f'mount -t tmpfs tmpfs {self._folder} && exec "$@"'
        inside = ["sh", "-c", mounted, "sh"] if self._nodes else []
        command = ["ip", "netns", "exec", name, *inside, *RAY, *options]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self._nodes.append(subprocess.Popen(command, env=self._env, **quiet))  # type: ignore[call-overload]


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


# ── the driver ───────────────────────────────────────────────────────────────


def _cable(state: str) -> None:
    _ip("link", "set", "cable-a", state)


def _blink() -> None:
    _cable("down")
    threading.Timer(8, _cable, ("up",)).start()


_killed: set[str] = set()
"""Ids of nodes whose raylet was killed: the cluster may count them for a while."""


def _kill_raylet(second: str) -> None:
    import ray

    _killed.update(node["NodeID"] for node in ray.nodes() if node["NodeManagerAddress"] == "10.99.0.2")
    listed = subprocess.run(["ip", "netns", "pids", second], capture_output=True, text=True, check=True).stdout
    for pid in listed.split():
        if Path(f"/proc/{pid}/comm").read_text().strip() == "raylet":
            os.kill(int(pid), signal.SIGKILL)


@contextmanager
def _fleet(silence: float, seconds: float) -> Iterator[Any]:
    from evalkit.engines.ray.cluster import Cluster
    from tests.helpers.fleets import CountingReplica, fleet

    until = time.monotonic() + 60
    cluster = Cluster.running(HEAD, 1)
    cluster.gpus_each = 0
    cluster.replica = CountingReplica
    while sum(node["Alive"] and node["NodeID"] not in _killed for node in cluster._ray.nodes()) < 2:
        assert time.monotonic() < until
        time.sleep(0.2)
    engine, lines = fleet(cluster, 2, silence=silence, seconds=seconds)
    try:
        yield engine, lines
    finally:
        engine.close()


def _when_both(engine: Any, work: list[Any]) -> Iterator[Any]:
    """The work, kept back until both replicas have joined: else a fast first one answers everything alone."""
    until = time.monotonic() + 120
    while engine._most < 2 and time.monotonic() < until:
        yield None
    yield from work


def _ask(what: str, act: Callable[[], None], *, silence: float = 30.0, seconds: float = 0.01, count: int = 600) -> None:
    from evalkit.errors import EngineError
    from tests.helpers.fleets import expected, items

    began = time.monotonic()
    with _fleet(silence, seconds) as (engine, lines):
        work = items(count)
        got: dict[int, object] = {}
        twice = 0
        problem = ""
        acted = False
        try:
            for answer in engine.run(_when_both(engine, work)):
                twice += answer.id in got
                got[answer.id] = answer
                if not acted and len(got) >= 100 and engine._most == 2:
                    acted = True
                    act()
        except EngineError as error:
            problem = str(error)
        told = {
            "what": what,
            "equal": got == expected(work),
            "twice": twice,
            "acted": acted,
            "problem": problem,
            "replicas": engine.description["replicas"],
            "lines": lines,
            "seconds": time.monotonic() - began,
        }
    print(json.dumps(told), flush=True)


def _describe() -> None:
    """What `evalkit doctor` says of this cluster, of none, and of one that does not answer."""
    from evalkit.engines.ray import nearby

    lines = {"running": nearby.describe()}
    folder = os.environ["RAY_TMPDIR"]
    os.environ |= {"RAY_TMPDIR": "/nowhere"}
    lines["none"] = nearby.describe()
    os.environ |= {"RAY_ADDRESS": "10.99.0.1:1"}
    nearby._PATIENCE = 5.0
    lines["silent"] = nearby.describe()
    os.environ.pop("RAY_ADDRESS")
    os.environ |= {"RAY_TMPDIR": folder}
    print(json.dumps({"what": "doctor", **lines}), flush=True)


def main() -> None:
    second, *experiments = sys.argv[1:]
    for what in experiments:
        if what == "doctor":
            _describe()
        elif what == "blink":
            _ask(what, _blink, seconds=0.05, count=360)
        elif what == "cut":
            _ask(what, lambda: _cable("down"), silence=6)
        elif what == "raylet":
            _ask(what, lambda: _kill_raylet(second), silence=6)


if __name__ == "__main__":
    main()
