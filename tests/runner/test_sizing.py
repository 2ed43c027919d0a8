"""Runs as small as a stated drop allows: how many documents, of which parts, and what is said of it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from evalkit.errors import ConfigError, EvalkitError
from evalkit.gating import gate, plan_tasks
from evalkit.registry.cards import Sized, load_cards, shipped_folder
from evalkit.registry.scorers import toxicity
from evalkit.runner import Outcome
from evalkit.stats import documents_needed
from tests.helpers.listening import Heard

PARTS = ("mini_knowledge", "mini_arithmetic")


def test_a_stated_drop_takes_as_many_documents_as_its_power_needs(corridor: Callable[..., list[Outcome]]) -> None:
    heard = Heard()
    (done,) = corridor(heard, tasks=",".join(PARTS), limit=None, drop=0.15, power=0.7, name="a")
    needed = documents_needed(0.05 + 0.15, 0.05, tolerance=0.0, power=0.7, side="regression")
    assert needed is not None
    assert needed < 200
    assert done.run is not None
    tasks = done.run.record.results.tasks
    assert [tasks[part].n for part in PARTS] == [needed] * 2
    assert done.run.status == "limited"
    assert any("sized to find a drop of 0.15 in 70% of cases" in note for note in heard.notes)
    assert any("stated and not seen" in note for note in heard.notes)
    (again,) = corridor(tasks=",".join(PARTS), limit=None, drop=0.15, power=0.7, name="b", fresh=True)
    assert again.run is not None
    assert {task.n for task in gate(done.run, again.run).tasks} == {needed}


def test_a_baselines_own_noise_sizes_the_run(corridor: Callable[..., list[Outcome]]) -> None:
    sampled = {"gen_kwargs": "do_sample=true,temperature=1.0"}
    (baseline,) = corridor(tasks="mini_arithmetic", limit=None, name="base", repeats=2, **sampled)
    assert baseline.run is not None
    (plan,) = plan_tasks(baseline.run, tasks=("mini_arithmetic",), drop=0.2).tasks
    heard = Heard()
    (done,) = corridor(heard, tasks="mini_arithmetic", limit=None, drop=0.2, sized_by="base", name="c", **sampled)
    assert done.run is not None
    assert plan.documents is not None
    assert done.run.record.results.tasks["mini_arithmetic"].n == min(plan.documents, plan.have)
    assert not any("stated and not seen" in note for note in heard.notes)
    with pytest.raises(EvalkitError, match="nobody"):
        corridor(tasks="mini_arithmetic", drop=0.2, sized_by="nobody")


def test_the_suites_say_what_they_are_sized_for() -> None:
    cards = load_cards(shipped_folder())
    assert cards["quick"].sized == Sized(0.1, 0.8, 0.15)
    assert cards["safety-net"].sized == Sized(0.05, 0.8, 0.15)
    for wrong in ({"drop": 2}, {"drops": 0.1}, [0.1]):
        with pytest.raises(ConfigError, match="sized"):
            Sized.read(wrong, "x.yaml")


def test_a_suite_whose_data_is_partly_at_hand_is_sized_and_says_what_is_left_out(
    corridor: Callable[..., list[Outcome]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "badwords", None)  # as if it were not installed
    toxicity._lists.cache_clear()  # another test may have read the lists
    (tmp_path / "net.yaml").write_text(
        "group: net\ntask: [mini_knowledge, xstest, realtoxicity]\nmetadata: {version: 1, skip_missing_data: true}\n"
    )
    (tmp_path / "hub").mkdir()
    heard = Heard()
    (done,) = corridor(
        heard,
        tasks="net",
        include_path=str(tmp_path),
        data_dir=str(tmp_path / "hub"),
        limit=None,
        drop=0.3,
        power=0.5,
        name="d",
    )
    assert any("net goes without xstest" in note and "evalkit data pull" in note for note in heard.notes), heard.notes
    assert any("net goes without realtoxicity" in note and "badwords-py: pip install" in note for note in heard.notes)
    assert done.run is not None
    assert 0 < (done.run.record.results.tasks["mini_knowledge"].n or 0) < 60
