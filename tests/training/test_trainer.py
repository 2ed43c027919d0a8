"""Real trainers: their checkpoints are evaluated, and a callback leaves training as it was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import evalkit as ek
from evalkit.errors import EvalkitError, UsageError
from evalkit.training import EvalkitCallback


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


def train(model: Path, out: Path, *, lora: bool) -> Any:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    tokenizer = transformers.AutoTokenizer.from_pretrained(model)
    torch.manual_seed(5)
    network = transformers.AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32, attention_dropout=0.1)
    if lora:
        peft = pytest.importorskip("peft")
        network = peft.get_peft_model(network, peft.LoraConfig(r=4, target_modules=["q_proj"], task_type="CAUSAL_LM"))
    ids = tokenizer("the of and to in is that it was for on are as", return_tensors="pt")["input_ids"][0]
    rows = [{"input_ids": ids, "labels": ids} for _ in range(12)]
    arguments = transformers.TrainingArguments(
        str(out), max_steps=6, save_steps=2, save_total_limit=2, per_device_train_batch_size=2, report_to=[],
        use_cpu=True, disable_tqdm=True, learning_rate=1e-2,
    )  # fmt: skip
    return transformers.Trainer(network, arguments, train_dataset=rows, processing_class=tokenizer)


def test_a_callback_gives_the_checkpoints_figures_and_changes_no_weight(tmp_path: Path, tiny_model: Path) -> None:
    settings: dict[str, Any] = {"limit": 6, "output_path": tmp_path / "results"}
    plain = train(tiny_model, tmp_path / "plain", lora=False)
    plain.train()
    watched = train(tiny_model, tmp_path / "watched", lora=False)
    callback = EvalkitCallback("mini_knowledge", **settings)
    callback.add_to(watched)
    watched.train()
    weights = [trainer.model.state_dict() for trainer in (plain, watched)]
    assert all((weights[0][name] == weights[1][name]).all() for name in weights[0]), "equal to the bit"
    assert [run.run_id for run in callback.runs] == [f"training-step-{step}" for step in (2, 4, 6)]
    saved = ek.evaluate(str(tmp_path / "watched" / "checkpoint-6"), tasks="mini_knowledge", **settings)
    rows = [[row["resps"] for row in run.stored.rows("mini_knowledge")] for run in (callback.runs[-1], saved)]
    assert rows[0] == rows[1]
    figures = [
        line["eval/mini_knowledge/acc"] for line in watched.state.log_history if "eval/mini_knowledge/acc" in line
    ]
    assert len(figures) == 3


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


def test_what_a_callback_is_told_wrongly_is_named() -> None:
    for wrong in ({"stop_on": "loss"}, {"stop_on": "regression"}, {"steps": 0}):
        with pytest.raises(UsageError):
            EvalkitCallback("mini", **wrong)
    assert EvalkitCallback("mini").on_evaluate(None, None, "control") == "control"
