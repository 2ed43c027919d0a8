"""What --replicas and --cluster ask for, and which replicas belong together. Nothing here starts Ray."""

from __future__ import annotations

import dataclasses
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from evalkit.config import RunConfig
from evalkit.engines.ray.cluster import Cluster, visible_gpus
from evalkit.engines.ray.engine import FleetEngine
from evalkit.engines.ray.replica import Loaded, Setup
from evalkit.engines.ray.spec import SPEC, _check_cores, _count, gpus_each, open_cluster
from evalkit.engines.spec import EngineSettings, find_spec
from evalkit.errors import EngineError, UsageError
from evalkit.types import ModelSpec


@pytest.mark.parametrize(
    ("asked", "gpus", "each", "count"),
    [("auto", 8, 1, 8), ("auto", 8, 2, 4), ("auto", 7, 2, 3), (3, 8, 2, 3), (2, 0, 1, 2)],
)
def test_replicas_are_counted_by_groups_of_gpus(asked: int | str, gpus: int, each: int, count: int) -> None:
    assert _count(asked, gpus, each, "this machine") == count


@pytest.mark.parametrize(
    ("asked", "gpus", "each", "says"),
    [
        ("auto", 0, 1, "this machine has no GPU; say how many: --replicas 2"),
        ("auto", 2, 4, "has 2 GPUs and a replica needs 4"),
        (5, 8, 2, "5 of 2 GPUs each need 10, and this machine has 8; --replicas 4 fits"),
    ],
)
def test_replicas_that_cannot_be_had_are_refused(asked: int | str, gpus: int, each: int, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        _count(asked, gpus, each, "this machine")


def test_a_replica_has_tensor_times_pipeline_gpus() -> None:
    assert gpus_each({}) == 1
    assert gpus_each({"tensor_parallel_size": 4, "pipeline_parallel_size": "2"}) == 8
    for odd in ("x", 0, -1, 1.5, "", True, None):
        with pytest.raises(UsageError, match=f"--model-args tensor_parallel_size={odd}: a number of GPUs, 1 or more"):
            gpus_each({"tensor_parallel_size": odd})


@pytest.mark.parametrize(("named", "count"), [("0,1,5", 3), ("", 0), ("-1", 0), ("GPU-1a, GPU-2b", 2)])
def test_gpus_of_this_process_are_those_that_cuda_shows_it(
    monkeypatch: pytest.MonkeyPatch, named: str, count: int
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
    assert visible_gpus() == count


@pytest.mark.parametrize("typed", ["0", "-1", "two", "1.5"])
def test_an_odd_number_of_replicas_is_refused(typed: str) -> None:
    with pytest.raises(UsageError, match="--replicas"):
        RunConfig.build(model="m", tasks="mini", replicas=typed)


@pytest.mark.parametrize("typed", ["ray://10.0.0.1:10001", "http://10.0.0.1"])
def test_a_ray_client_address_is_refused(typed: str) -> None:
    with pytest.raises(UsageError, match="--cluster auto"):
        RunConfig.build(model="m", tasks="mini", cluster=typed)


@pytest.mark.parametrize("typed", ["", "local", "host", "host:", ":1", "a b:1", "h:0", "h:65536", "h:６３７９"])
def test_an_odd_address_of_a_cluster_is_refused(typed: str) -> None:
    with pytest.raises(UsageError, match=r"--cluster .*: auto, or HOST:PORT of the head of a Ray cluster"):
        RunConfig.build(model="m", tasks="mini", cluster=typed)
    assert RunConfig.build(model="m", tasks="mini", cluster=" [::1]:6379 ").cluster == "[::1]:6379"
    assert RunConfig.build(model="m", tasks="mini", cluster="AUTO").cluster == "auto"


UNANSWERED = """
import os, sys
from evalkit.engines.ray import cluster
from evalkit.errors import UsageError

cluster._ANSWER = 1.0
silent, closed = sys.argv[1:]
for address in (silent, "auto"):
    before = dict(os.environ)
    try:
        cluster.Cluster.running(address, 1)
    except UsageError as error:
        print(error, dict(os.environ) == before)
    os.environ["RAY_ADDRESS"] = closed
sys.stdout.flush()
os._exit(0)
"""


def test_a_cluster_that_does_not_answer_is_not_waited_for() -> None:
    """Ray would wait for ever: for a port where nobody listens, and for one whose listener says nothing."""
    pytest.importorskip("ray", reason='ray is not installed: pip install "lm-evalkit[ray]"')
    with socket.create_server(("127.0.0.1", 0)) as silent, socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        addresses = [f"127.0.0.1:{each.getsockname()[1]}" for each in (silent, closed)]
        # In a process of its own: one that has used Ray must not be forked, as other tests do.
        ran = subprocess.run(
            [sys.executable, "-c", UNANSWERED, *addresses], capture_output=True, text=True, timeout=200
        )
    assert ran.stdout.splitlines() == [
        f"--cluster {addresses[0]}: no Ray cluster answers there (asking the head: no answer within 1 s) True",
        f"--cluster auto, which is {addresses[1]}: no Ray cluster answers there (Connection refused) True",
    ]


def test_far_more_replicas_than_cores_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    _check_cores(16)
    with pytest.raises(UsageError, match=r"--replicas 1000: they run on the CPU, .* 4 cores; --replicas 4 is as fast"):
        open_cluster({}, EngineSettings(replicas=1000, device="cpu"))


def test_an_engine_with_a_server_has_no_replicas() -> None:
    assert SPEC.wrap is not None
    with pytest.raises(UsageError, match="max_concurrency"):
        SPEC.wrap(find_spec("openai"))


def test_a_cluster_that_does_not_start_leaves_no_folder_and_no_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    folders: list[Path] = []

    def connect(options: dict[str, Any]) -> None:
        folders.append(Path(options["_temp_dir"]))
        raise EngineError("Ray could not be started")

    monkeypatch.setattr("evalkit.engines.ray.cluster._connect", connect)
    before = dict(os.environ)
    with pytest.raises(EngineError, match="could not be started"):
        Cluster.local(2, 0)
    assert len(folders) == 1
    assert not folders[0].exists()
    assert dict(os.environ) == before


FIRST: dict[str, Any] = {
    "name": "hf",
    "dtype": "float32",
    "quantization": None,
    "max_length": 2048,
    "versions": {"torch": "2"},
    "scoring_path": "fast",
}


@pytest.mark.parametrize(
    ("key", "value"),
    [("dtype", "bfloat16"), ("versions", {"torch": "3"}), ("scoring_path", "plain"), ("max_length", 1024)],
)
def test_a_replica_whose_answers_would_differ_does_not_belong_to_the_others(key: str, value: object) -> None:
    fleet = FleetEngine(None, Setup("hf", ModelSpec("m", "m"), (), EngineSettings()), 2, print)  # type: ignore[arg-type]
    loaded = Loaded("host", 1, None, FIRST)
    assert fleet._differs(loaded) is None
    fleet._description = dict(FIRST)
    assert fleet._differs(dataclasses.replace(loaded, description={**FIRST, "device": "another"})) is None
    reason = fleet._differs(dataclasses.replace(loaded, description={**FIRST, key: value}))
    assert reason == f"its {key} is {value}, that of the first replica {FIRST[key]}"
