"""A cluster and the network: two nodes whose cable fails, and a local cluster that keeps to the loopback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.two_nodes import TwoNodes, why_not

pytest.importorskip("ray", reason='ray is not installed: pip install "lm-evalkit[ray]"')

ROOT = Path(__file__).resolve().parents[3]
REASON = why_not()
pytestmark = pytest.mark.skipif(REASON is not None, reason=REASON or "")

LOCAL = """
import json, pathlib, subprocess
from tests.helpers.fleets import counting_cluster, expected, fleet, items

def sent():
    lines = pathlib.Path("/proc/net/dev").read_text().splitlines()
    return next(int(line.split()[10]) for line in lines if line.strip().startswith("way-out"))

def listening():
    texts = [pathlib.Path(f"/proc/net/{name}").read_text() for name in ("tcp", "tcp6")]
    lines = [line for text in texts for line in text.splitlines()[1:]]
    return sorted({line.split()[1].rpartition(":")[0] for line in lines if line.split()[3] == "0A"})

before = sent()
engine, _ = fleet(counting_cluster(2), 2)
work = items(200)
equal = {answer.id: answer for answer in engine.run(iter(work))} == expected(work)
heard = listening()
engine.close()
print(json.dumps({"equal": equal, "listening": heard, "sent": sent() - before}))
"""
LOOPBACK = {"0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000"}


@pytest.fixture(scope="module")
def told() -> Iterator[Mapping[str, Mapping[str, Any]]]:
    results: dict[str, Mapping[str, Any]] = {}
    with TwoNodes() as nodes:
        for result in nodes.drive("raylet", "blink", "doctor", "cut"):
            results[result["what"]] = result
            if result["what"] == "raylet":
                nodes.renew()  # the driver waits for the new node
        yield results


@pytest.mark.parametrize(("what", "lost"), [("blink", {0}), ("cut", {1}), ("raylet", {1, 2})])
def test_two_nodes_answer_as_one_whatever_happens_to_the_second(
    told: Mapping[str, Mapping[str, Any]], what: str, lost: set[int]
) -> None:
    result = told[what]
    assert result["acted"]
    assert result["problem"] == ""
    assert result["equal"], result
    assert result["twice"] == 0
    assert result["replicas"]["lost"] in lost, result["lines"]


def test_doctor_shows_the_cluster(told: Mapping[str, Mapping[str, Any]]) -> None:
    lines = told["doctor"]
    assert "cluster at 10.99.0.1:6379: 2 nodes, 2 CPUs, 0 GPUs" in lines["running"]
    assert "no cluster runs here" in lines["none"]
    assert "should run at 10.99.0.1:1, and does not answer" in lines["silent"]


def test_a_local_cluster_listens_on_the_loopback_alone_and_sends_nothing_elsewhere() -> None:
    name = f"ek{os.getpid()}lo"
    within = ["ip", "netns", "exec", name]
    try:
        for command in (
            ["netns", "add", name],
            ["-n", name, "link", "set", "lo", "up"],
            ["-n", name, "link", "add", "way-out", "type", "veth", "peer", "name", "way-in"],
            ["-n", name, "link", "set", "way-out", "addrgenmode", "none", "up"],
            ["-n", name, "link", "set", "way-in", "addrgenmode", "none", "up"],
            ["-n", name, "addr", "add", "192.0.2.1/24", "dev", "way-out"],
            ["-n", name, "route", "add", "default", "via", "192.0.2.2"],
        ):
            subprocess.run(["ip", *command], check=True, capture_output=True)
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        ran = subprocess.run(
            [*within, sys.executable, "-c", LOCAL],
            env=environment,
            cwd=ROOT,
            text=True,
            capture_output=True,
            timeout=200,
        )
    finally:
        subprocess.run(["ip", "netns", "del", name], check=False)
    assert ran.returncode == 0, ran.stderr
    result = json.loads(ran.stdout.splitlines()[-1])
    assert result["equal"]
    assert result["listening"]
    assert set(result["listening"]) <= LOOPBACK
    assert result["sent"] == 0
