"""Where on the axis a run stands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.curves import place_runs, read_table
from evalkit.curves.axis import in_name
from evalkit.errors import EvalkitError
from evalkit.results import Run
from tests.helpers.runfolders import TaskRows, write_run

ROWS = {"gsm8k": TaskRows([1.0, 0.0] * 10)}


@pytest.mark.parametrize(
    ("name", "axis", "x"),
    [
        ("step103000", "step", 103000),
        ("checkpoint-500", "step", 500),
        ("__home__out__checkpoint-500", "step", 500),
        ("pythia-160m-step0", "step", 0),
        ("stage1-step1000-tokens5B", "step", 1000),
        ("stage1-step1000-tokens5B", "tokens", 5_000_000_000),
        ("global_step_40", "step", 40),
        ("step3k", "step", 3000),
        ("epoch_2.5", "epoch", 2.5),
        ("epoch-2.0", "epoch", 2),
        ("examples-1000", "examples", 1000),
        ("main", "step", None),
        ("pythia-160m", "step", None),
        ("timestep10", "step", None),
        ("stepwise", "step", None),
        ("checkpoint-final", "step", None),
    ],
)
def test_numbers_in_names(name: str, axis: str, x: float | None) -> None:
    found = in_name(name, axis)
    assert found == x
    assert type(found) is type(x)


@given(st.text(max_size=200))
def test_any_name_is_a_number_or_none(name: str) -> None:
    for axis in ("step", "tokens", "examples", "epoch"):
        found = in_name(name, axis)
        assert found is None or found >= 0


def placed(folder: Path, axis: str = "step", **kwargs: Any) -> Any:
    places, notes = place_runs([Run.open(folder)], axis, **kwargs)
    return places[0].x if places else notes[0]


def test_revision_comes_before_names_and_names_before_the_trainers_state(tmp_path: Path) -> None:
    state = tmp_path / "model"
    state.mkdir()
    (state / "trainer_state.json").write_text(
        json.dumps(
            {
                "global_step": 70,
                "epoch": 0.5,
                "num_input_tokens_seen": 0,
                "log_history": [{"step": 70, "num_tokens": 900.0}, {"step": 80, "num_tokens": 1000.0}],
            }
        )
    )
    model = {"typed": "checkpoint-50", "revision": "step60", "path": str(state)}
    assert placed(write_run(tmp_path, "a", ROWS, manifest={"model": model})) == 60
    assert placed(write_run(tmp_path, "b", ROWS, manifest={"model": model | {"revision": "main"}})) == 50
    bare = write_run(tmp_path, "c", ROWS, manifest={"model": {"typed": "m", "path": str(state)}})
    assert placed(bare) == 70
    assert placed(bare, "epoch") == 0.5
    assert placed(bare, "tokens") == 900
    assert "do not say its examples" in placed(bare, "examples")
    adapter = {"name": "tuned", "path": "out/checkpoint-20"}
    assert placed(write_run(tmp_path, "d", ROWS, manifest={"model": model, "adapter": adapter})) == 20


def test_a_broken_state_is_a_note(tmp_path: Path) -> None:
    (tmp_path / "trainer_state.json").write_text("{")
    folder = write_run(tmp_path / "runs", "a", ROWS, manifest={"model": {"typed": "m", "path": str(tmp_path)}})
    assert "is left out" in placed(folder)
    assert "broken" in placed(folder)


def test_a_table_comes_first(tmp_path: Path) -> None:
    table = tmp_path / "places.csv"
    table.write_text("run,step,epoch\na,12,0.25\n모델,3,1\n")
    folder = write_run(tmp_path, "a", ROWS, manifest={"model": {"typed": "m", "revision": "step60"}})
    assert placed(folder, table=read_table(table, "step")) == 12
    assert placed(folder, "epoch", table=read_table(table, "epoch")) == 0.25


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "no column run"),
        (b"run,steps\na,1\n", "did you mean steps"),
        (b"run,step\na,many\n", ":2: 'many' is not a number"),
        (b"run,step\na\n", "is not a number"),
        (b"run,step\na,nan\n", "is not a number"),
        (b"\xff\xfe\x00", "UTF-8"),
        (b'run,step\n"' + b"x" * 200_000 + b"\n", "not CSV"),
    ],
)
def test_an_odd_table_is_one_line(tmp_path: Path, content: bytes, what: str) -> None:
    path = tmp_path / "places.csv"
    path.write_bytes(content)
    with pytest.raises(EvalkitError, match=what) as raised:
        read_table(path, "step")
    assert raised.value.exit_code == 2
