"""A time for each checkpoint, and the tasks and documents that are picked for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import evalkit as ek
from evalkit.api.watch_costs import cost_before
from evalkit.errors import UsageError
from evalkit.hardware import hardware
from evalkit.results import Run
from evalkit.training.budget import TaskCost, choose, parse_seconds
from evalkit.training.pace import Discordance, discordance_of, pace_of
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


def test_earlier_runs_say_what_a_task_takes_and_how_much_changes(tmp_path: Path) -> None:
    """Of one task alone, on this machine, with the same examples, by answers of its own; else nothing is said."""
    here = dict(hardware())
    seconds = {"inference": 9.0, "scoring": 1.0, "total": 14.0}
    timed = {"timing": {**seconds, "own_share": 1.0}, "tokens": {"computed": 5}}

    def run(name: str, wrong: int, *, results: Any = timed, tasks: Any = None, machine: Any = here) -> Run:
        rows = {"quiz": TaskRows(1.0 * (np.arange(100) >= wrong), settings={"num_fewshot": 2}), **(tasks or {})}
        return Run.open(write_run(tmp_path, name, rows, results=results, manifest={"hardware": machine}))

    first, second = run("first", 0), run("second", 19)
    pace = pace_of("quiz", {"quiz": 2}, [second, first], here)
    assert pace is not None
    assert (pace.seconds, pace.fixed, pace.run_id) == (0.1, 4.0, "second")
    assert pace_of("quiz", {"quiz": 5}, [first], here) is None
    others = [
        run("both", 0, tasks={"other": TaskRows([1.0])}),
        run("elsewhere", 0, machine={**here, "cores": 4096}),
        run("journal", 0, results={**timed, "tokens": {"computed": 0}}),
        run("resumed", 0, results={**timed, "timing": {**seconds, "own_share": 0.1}}),
        run("older", 0, results={**timed, "timing": seconds}),
    ]
    assert pace_of("quiz", {"quiz": 2}, others, here) is None
    mostly = run("mostly", 0, results={**timed, "timing": {**seconds, "own_share": 0.8}})
    pace = pace_of("quiz", {"quiz": 2}, [*others, mostly], here)
    assert pace is not None
    assert (pace.seconds, pace.run_id) == (10.0 / 80, "mostly")
    seen = discordance_of("quiz", [second, first])
    assert seen is not None
    assert (seen.share, seen.documents, seen.between) == (20 / 102, 100, ("first", "second"))
    assert discordance_of("quiz", [second]) is None
    assert discordance_of("other", [second, first]) is None


def test_the_line_says_what_the_choice_rests_on() -> None:
    changed = Discordance(0.02, 400, ("out-checkpoint-1", "out-checkpoint-2"))
    costs = [TaskCost("a", (1000,), 0.1, "out-checkpoint-2", changed), TaskCost("b", (1000,), 0.1)]
    chosen = choose(costs, 100.0)
    assert "speed of a as in out-checkpoint-2; of b by 16 documents or more asked of the first" in chosen.text
    assert "2.0% of a changed between out-checkpoint-1 and out-checkpoint-2; 10% of b assumed to change" in chosen.text
    shown = chosen.shows("a"), chosen.shows("b")
    assert shown[0] is not None
    assert shown[1] is not None
    assert shown[0] < shown[1], "fewer documents change, so that a smaller drop shows"


def test_a_watch_and_a_curve_measure_once_and_keep_what_was_picked(
    tmp_path: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    (out / "checkpoint-5").mkdir(parents=True)
    for file in tiny_model.iterdir():
        (out / "checkpoint-5" / file.name).symlink_to(file)
    asked: dict[str, Any] = {"tasks": "mini_knowledge", "output_path": tmp_path / "results"}
    with pytest.raises(UsageError, match="drop one of them"):
        ek.watch(out, **asked, budget="1h", limit=5, once=True)
    [watched] = ek.watch(out, **asked, budget="1h", once=True, every=0.05).evaluated
    kept = json.loads((tmp_path / "results" / "watch-out.budget.json").read_text())
    assert kept["choice"]["limit"] is None
    assert kept["choice"]["documents"] == {"mini_knowledge": watched.run.entry("mini_knowledge").n}
    assert "by 16 documents or more asked of the first checkpoint" in capsys.readouterr().err
    (out / "checkpoint-5").rename(out / "checkpoint-6")
    (out / "checkpoint-6" / "trainer_state.json").write_text("{}")
    drawn = ek.curve([str(watched.run.path), out / "checkpoint-6"], **asked, budget="2h")
    [note] = [note for note in drawn.notes if note.startswith("--budget")]
    assert "speed of mini_knowledge as in out-checkpoint-5" in note
