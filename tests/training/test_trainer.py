"""Checkpoints of a real trainer are evaluated."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import evalkit as ek
from evalkit.errors import EvalkitError, UsageError
from tests.training.trainers import train


@pytest.mark.parametrize("lora", [False, True], ids=["full", "LoRA"])
def test_a_real_trainers_checkpoints_are_evaluated(tmp_path: Path, tiny_model: Path, lora: bool) -> None:
    """Trainer writes and rotates them; each that is left equals `evaluate` on its folder, row by row."""
    trainer = train(tiny_model, tmp_path / "out", lora=lora)
    trainer.train()
    assert sorted(path.name for path in (tmp_path / "out").glob("checkpoint-*")) == ["checkpoint-4", "checkpoint-6"]
    asked: dict[str, Any] = {"tasks": ["mini_knowledge"], "limit": 6, "output_path": tmp_path / "results"}
    found = ek.watch(tmp_path / "out", **asked, once=True)
    assert [one.checkpoint.step for one in found.evaluated] == [6, 4]
    assert ek.watch(tmp_path / "out", **asked, once=True).evaluated == ()
    curve = json.loads((tmp_path / "results" / "watch-out.curve.json").read_text())
    assert [point["x"] for point in curve["tasks"]["mini_knowledge"]["points"]] == [4, 6]
    last = tmp_path / "out" / "checkpoint-6"
    model = {"model": str(tiny_model), "adapter": f"x={last}", "no_base": True} if lora else {"model": str(last)}
    again = ek.evaluate(**model, **asked, fresh=True)
    rows = [[row["resps"] for row in run.rows("mini_knowledge")] for run in (found.evaluated[0].run, again.stored)]
    assert rows[0] == rows[1]


def test_what_is_asked_wrongly_is_said_before_the_first_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(EvalkitError, match="did you mean mmlu"):
        ek.watch(tmp_path, tasks="mmul", once=True)
    (tmp_path / "run.yaml").write_text("num_fewshot: many\n")
    with pytest.raises(UsageError, match="num-fewshot many: a whole number"):
        ek.watch(tmp_path, tasks="mini", config=tmp_path / "run.yaml", once=True)
    (tmp_path / "run.yaml").write_text("name: mine\n")
    with pytest.raises(UsageError, match="name is for the watch to say"):
        ek.watch(tmp_path, tasks="mini", config=tmp_path / "run.yaml", once=True)
    with pytest.raises(UsageError, match="need --baseline"):
        ek.watch(tmp_path, tasks="mini", stop_file=tmp_path / "STOP", once=True)
