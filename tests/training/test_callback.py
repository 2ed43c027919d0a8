"""A callback inside of real trainers: the checkpoint's figures, the same weights to the bit, stops, ranks."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import evalkit as ek
from evalkit.errors import EvalkitError, UsageError
from evalkit.training import EvalkitCallback
from evalkit.training.ranks import refuse_sharded
from tests.helpers.early import NANO
from tests.training.trainers import same_weights, train

TASK = "mini_knowledge"
ROOT = Path(__file__).parents[2]


def answers(run: Any) -> list[Any]:
    return [row["resps"] for row in run.rows(TASK)]


@pytest.mark.parametrize(
    "how",
    [
        pytest.param({"trl": True, "max_steps": 10, "save_steps": 5}, id="SFTTrainer"),
        pytest.param(
            {"gradient_accumulation_steps": 3, "gradient_checkpointing": True, "max_steps": 4}, id="accumulated"
        ),
        pytest.param({"lora": True, "max_steps": 4}, id="LoRA"),
        pytest.param({"lora": True, "trl": True, "max_steps": 4}, id="SFTTrainer-LoRA"),
    ],
)
def test_a_callback_gives_the_checkpoints_rows_and_changes_no_weight(
    tmp_path: Path, tiny_model: Path, how: dict[str, Any]
) -> None:
    """Dropout, accumulation, checkpointing, an adapter, and TRL's own defaults: autocast and checkpointing."""
    settings: dict[str, Any] = {"limit": 5, "output_path": tmp_path / "results"}
    plain = train(tiny_model, tmp_path / "plain", **how)
    plain.train()
    callback = EvalkitCallback(TASK, **settings)
    watched = train(tiny_model, tmp_path / "watched", callback=callback, **how)
    watched.train()
    assert same_weights(plain, watched)
    assert len(callback.runs) == 2
    last = tmp_path / "watched" / f"checkpoint-{how['max_steps']}"
    model = (
        {"model": str(tiny_model), "adapter": f"x={last}", "no_base": True} if "lora" in how else {"model": str(last)}
    )
    saved = ek.evaluate(**model, tasks=TASK, **settings)
    assert answers(callback.runs[-1].stored) == answers(saved.stored)
    logs = [trainer.state.log_history for trainer in (plain, watched)]
    figures = [line for line in logs[1] if f"eval/{TASK}/acc" in line]
    assert [set(line) for line in figures] == [{f"eval/{TASK}/acc", "epoch", "step"}] * 2
    losses = [[(line["step"], line["loss"]) for line in log if "loss" in line] for log in logs]
    assert losses[0] == losses[1], "no line of the trainer's own log is lost or mixed with ours"


def test_training_stops_once_a_regression_is_sure(tmp_path: Path) -> None:
    """nano forgets all it knew at a learning rate of 1; the gate is asked after each step."""
    settings: dict[str, Any] = {"limit": 30, "output_path": tmp_path / "results"}
    baseline = ek.evaluate("nano", tasks="mini_endings", **settings)
    callback = EvalkitCallback("mini_endings", steps=1, baseline=baseline, stop_on="regression", **settings)
    trainer = train(
        NANO, tmp_path / "out", callback=callback, save_strategy="no", learning_rate=1.0, per_device_train_batch_size=1
    )
    trainer.train()
    assert callback.verdicts[-1] == "regression"
    assert "regression" not in callback.verdicts[:-1]
    assert trainer.state.global_step == len(callback.runs) < 6


def test_a_second_training_and_a_full_disk_cost_no_training(
    tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings: dict[str, Any] = {"limit": 3, "output_path": tmp_path / "results"}
    for rate in (1e-2, 1e-3):
        callback = EvalkitCallback(TASK, **settings)
        train(tiny_model, tmp_path / "out", callback=callback, max_steps=2, learning_rate=rate).train()
        assert callback.runs[0].run_id.startswith("training-step-2")
    assert callback.runs[0].run_id != "training-step-2"
    (tmp_path / "sums.csv").write_text("question,answer\n" + "".join(f"{k} + 1?,{k + 1}\n" for k in range(20)))
    tasks = [str(tmp_path / "sums.csv")]
    callback = EvalkitCallback(tasks, budget="1h", name="fitted", output_path=tmp_path / "results")
    trainer = train(tiny_model, tmp_path / "out", callback=callback, max_steps=2)
    trainer.train()
    assert any("eval/sums.csv/numeric_match" in line for line in trainer.state.log_history)
    assert callback.runs[0].stored.entry(tasks[0]).n == 20
    (tmp_path / "file").write_text("no folder")
    callback = EvalkitCallback(TASK, limit=3, output_path=tmp_path / "file" / "results")
    trainer = train(tiny_model, tmp_path / "out", callback=callback, max_steps=2)
    with pytest.warns(UserWarning, match="training goes on"):
        trainer.train()
    assert trainer.state.global_step == 2
    assert len(callback.problems) == 1
    with pytest.raises(EvalkitError, match="did you mean mmlu"):
        train(tiny_model, tmp_path / "out", callback=EvalkitCallback("mmul")).train()


RANKS = """
import sys
from pathlib import Path
import torch.distributed as ranks
from evalkit.training import EvalkitCallback
from tests.helpers.early import NANO
from tests.training.trainers import train
model, out = Path(sys.argv[1]), Path(sys.argv[2])
settings = {"limit": 3, "output_path": out / "results"}
callback = EvalkitCallback("mini_knowledge", baseline="none", stop_on="regression", **settings)
callback._verdict = lambda run: "regression" if len(callback.runs) == 2 else "pass"
trainer = train(model, out / "out", callback=callback, ddp_backend="gloo")
trainer.train()
print("RANK", ranks.get_rank(), trainer.state.global_step, [run.run_id for run in callback.runs])
"""


def test_rank_0_evaluates_and_all_ranks_stop_together(tmp_path: Path, tiny_model: Path) -> None:
    """Two real processes over gloo: the second one evaluates nothing, and stops at the same step."""
    pytest.importorskip("torch")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    script = tmp_path / "ranks.py"
    script.write_text(RANKS)
    ours = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2", "OMP_NUM_THREADS": "1"}
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    both = [
        subprocess.Popen(
            [sys.executable, script, tiny_model, tmp_path],
            env={**os.environ, **ours, "RANK": str(rank), "LOCAL_RANK": str(rank), "PYTHONPATH": path},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in (0, 1)
    ]
    told = [process.communicate(timeout=240) for process in both]
    said = [line for out, _ in told for line in out.splitlines() if line.startswith("RANK")]
    assert said == ["RANK 0 4 ['training-step-2', 'training-step-4']", "RANK 1 4 []"], told


def test_shards_over_ranks_are_refused() -> None:
    torch = pytest.importorskip("torch")
    network = torch.nn.Linear(2, 2)
    refuse_sharded(network)
    network.weight.ds_id = 3  # what ZeRO-3 leaves on a parameter
    with pytest.raises(UsageError, match="evalkit watch OUTPUT_DIR"):
        refuse_sharded(network)


def test_what_a_callback_is_told_wrongly_is_named() -> None:
    for wrong in ({"stop_on": "loss"}, {"stop_on": "regression"}, {"steps": 0}):
        with pytest.raises(UsageError):
            EvalkitCallback("mini", **wrong)
    assert EvalkitCallback("mini").on_evaluate(None, None, "control") == "control"
