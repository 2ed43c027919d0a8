"""Two replicas of the transformers engine on a real Ray cluster give the rows of a single engine on six benchmarks."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import evalkit as ek
from evalkit.engines.ray.dealing import Dealer
from evalkit.engines.ray.engine import FleetEngine
from tests.helpers.fleet_rows import SIX, TOLERANCE, differences, evaluate, journal_keys
from tests.helpers.fleets import pids, wait_for_all

pytest.importorskip("ray", reason='ray is not installed: pip install "lm-evalkit[ray]"')


class Kept:
    """A fleet that a second run uses again: closing it waits until the module's tests are done."""

    def __init__(self, fleet: FleetEngine) -> None:
        self.fleet = fleet
        self.kill_after: int | None = None
        """After so many answers of the next run, the first replica is killed."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self.fleet, name)

    def wait(self) -> Kept:
        wait_for_all(self.fleet)
        return self

    def run(self, work: Any) -> Iterator[Any]:
        for count, answer in enumerate(self.fleet.run(work)):
            yield answer
            if count == self.kill_after:
                self.kill_after = None
                os.kill(pids(self.fleet)[0], signal.SIGKILL)

    def close(self) -> None:
        pass


@pytest.fixture(scope="module")
def keep() -> Iterator[list[Kept]]:
    """The fleet that runs of this module use. The first run starts it."""
    from evalkit.engines.ray import spec

    kept: list[Kept] = []
    begin = spec._begin

    def begin_once(*asked: Any) -> Any:
        if not kept:
            kept.append(Kept(begin(*asked)))  # type: ignore[arg-type]
        return kept[0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spec, "_begin", begin_once)
        yield kept
    for made in kept:
        made.fleet.close()


@pytest.fixture(scope="module")
def alone(tiny_model: Path, hub: Path, tmp_path_factory: pytest.TempPathFactory) -> ek.Run:
    out = tmp_path_factory.mktemp("rows")
    return evaluate(tiny_model, hub, out, "alone", engine="hf", device="cpu")


@pytest.fixture
def together(alone: ek.Run, tiny_model: Path, hub: Path, keep: list[Kept], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs the six benchmarks with two replicas: the run, and how many answers each replica gave."""
    counts: Counter[str] = Counter()
    answered = Dealer.answered

    def count(self: Dealer, name: str, id_: int) -> bool:
        counted = answered(self, name, id_)
        counts[name] += counted
        return counted

    monkeypatch.setattr(Dealer, "answered", count)

    def run(name: str, **more: Any) -> tuple[ek.Run, Counter[str]]:
        out = alone.path.parent.parent
        counts.clear()
        return evaluate(tiny_model, hub, out, name, engine="hf", device="cpu", replicas=2, **more), counts

    return run


def test_six_benchmarks_on_two_replicas_have_a_single_engines_rows(alone: ek.Run, together: Any) -> None:
    run, counts = together("together")
    assert len(counts) == 2, "both replicas gave answers"
    assert min(counts.values()) > 20
    count, problems, largest = differences(alone.path, run.path)
    assert count >= 20 * len(SIX)
    assert problems == []
    assert largest <= TOLERANCE
    out = alone.path.parent.parent
    keys = journal_keys(out / "together")
    assert len(keys) == len(set(keys)) == sum(counts.values())
    assert sorted(keys) == sorted(journal_keys(out / "alone"))
    manifest, results = read(run)
    assert manifest["engine"]["name"] == "hf"
    assert "replicas" not in manifest["engine"]
    assert manifest["replicas"].keys() == {"count", "hosts", "lost", "sent_again", "split_groups"}
    assert (manifest["replicas"]["count"], manifest["replicas"]["lost"]) == (2, 0)
    assert "replicas" not in read(alone)[0]
    assert results["tokens"]["prompt"] == read(alone)[1]["tokens"]["prompt"]


def test_tokens_are_null_with_a_reason_after_a_replica_was_lost(alone: ek.Run, together: Any, keep: list[Kept]) -> None:
    keep[0].kill_after = 150
    run, _ = together("lossy")
    manifest, results = read(run)
    assert manifest["replicas"]["lost"] == 1
    assert results["status"] == "limited"
    for name in ("prompt", "computed", "cached"):
        assert results["tokens"][name]["value"] is None
        assert "1 replicas were lost" in results["tokens"][name]["reason"]
    _, problems, largest = differences(alone.path, run.path)
    assert problems == []
    assert largest <= TOLERANCE


def read(run: ek.Run) -> tuple[dict[str, Any], dict[str, Any]]:
    manifest, results = (json.loads((run.path / name).read_text()) for name in ("manifest.json", "results.json"))
    return manifest, results
