"""A time for each checkpoint, and the tasks and documents that are picked for it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import evalkit as ek
from evalkit.api.watch_costs import cost_before
from evalkit.errors import UsageError
from evalkit.results import Run
from evalkit.training.budget import TaskCost, choose, parse_seconds
from tests.helpers.runfolders import TaskRows, write_run


def test_every_task_gets_as_many_documents_as_fit() -> None:
    costs = [TaskCost("a", (1000,), 0.1), TaskCost("group", (40, 60), 0.05)]
    chosen = choose(costs, 50.0, fixed=10.0)
    assert chosen.limit == 350
    assert chosen.documents == {"a": 350, "group": 100}
    assert chosen.seconds <= 50
    assert not chosen.left_out
    everything = choose(costs, 1000.0)
    assert (everything.limit, everything.documents) == (None, {"a": 1000, "group": 100})
    assert "a 1,000 documents (shows a drop of" in everything.text


def test_the_dearest_task_is_left_out_where_a_few_documents_of_each_do_not_fit() -> None:
    costs = [TaskCost("quick", (500,), 0.01), TaskCost("long", (500,), 9.0)]
    chosen = choose(costs, 60.0)
    assert (chosen.tasks, chosen.left_out, chosen.limit) == (("quick",), ("long",), None)
    with pytest.raises(UsageError, match=r"too little: loading takes 50\.0 s"):
        choose(costs, 50.1, fixed=50.0)
    assert (parse_seconds("5m"), parse_seconds("90s"), parse_seconds("12")) == (300, 90, 12)
    for wrong in ("m", "-3s", "nan", "5 minutes"):
        with pytest.raises(UsageError, match="a time is wanted"):
            parse_seconds(wrong)


def test_what_it_costs_is_said_before_or_that_it_is_not_known(tmp_path: Path) -> None:
    timed = {"timing": {"total": 120.0}, "tokens": {"computed": 5}}
    run = Run.open(write_run(tmp_path, "r", {"quiz": TaskRows([1.0, 0.0])}, results=timed))
    assert "not known yet" in cost_before([], None, ["quiz"])
    assert "not known yet" in cost_before([], run, ["other"])
    assert cost_before([], run, ["quiz"]).startswith("about 2.0 min for each checkpoint, as the baseline")
    assert "as the 1 before" in cost_before([run], None, ["quiz"])


def test_a_watch_measures_once_and_keeps_what_it_picked(tmp_path: Path, tiny_model: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "checkpoint-5").symlink_to(tiny_model, target_is_directory=True)
    asked = {"tasks": "mini_knowledge", "output_path": tmp_path / "results", "once": True, "every": 0.05}
    with pytest.raises(UsageError, match="drop one of them"):
        ek.watch(out, **asked, budget="1h", limit=5)
    [found] = ek.watch(out, **asked, budget="1h").evaluated
    kept = json.loads((tmp_path / "results" / "watch-out.budget.json").read_text())
    assert kept["choice"]["limit"] is None
    assert kept["choice"]["documents"] == {"mini_knowledge": found.run.entry("mini_knowledge").n}
