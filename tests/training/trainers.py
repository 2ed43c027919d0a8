"""Small trainings with the real trainers, each with whatever may go wrong beside an evaluation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

__all__ = ["same_weights", "train"]


def train(model: Path, out: Path, *, lora: bool = False, trl: bool = False, callback: Any = None, **more: Any) -> Any:
    """A trainer that is ready to train `model`, with dropout; `callback` is added to it."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    tokenizer = transformers.AutoTokenizer.from_pretrained(model)
    torch.manual_seed(5)
    network = transformers.AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32, attention_dropout=0.1)
    if lora:
        peft = pytest.importorskip("peft")
        shape = peft.LoraConfig(r=4, target_modules=["q_proj"], task_type="CAUSAL_LM", lora_dropout=0.1)
        network = peft.get_peft_model(network, shape)
    ids = tokenizer("the of and to in is that it was for on are as", return_tensors="pt")["input_ids"][0]
    settings: dict[str, Any] = {
        "max_steps": 6, "save_steps": 2, "save_total_limit": 2, "per_device_train_batch_size": 2, "report_to": [],
        "use_cpu": True, "disable_tqdm": True, "learning_rate": 1e-2, "logging_steps": 2, **more,
    }  # fmt: skip
    if trl:
        library = pytest.importorskip("trl")
        datasets = pytest.importorskip("datasets")
        rows = datasets.Dataset.from_list([{"input_ids": ids.tolist()}] * 12)
        # What SFTTrainer does by itself: autocast to bf16, gradient checkpointing.
        arguments = library.SFTConfig(str(out), max_length=32, **settings)
        made = library.SFTTrainer(network, arguments, train_dataset=rows, processing_class=tokenizer)
    else:
        rows = [{"input_ids": ids, "labels": ids} for _ in range(12)]
        arguments = transformers.TrainingArguments(str(out), **settings)
        made = transformers.Trainer(network, arguments, train_dataset=rows, processing_class=tokenizer)
    if callback is not None:
        callback.add_to(made)
    return made


def same_weights(one: Any, other: Any) -> bool:
    """Whether two trainers ended with the same weights, to the bit."""
    first, second = one.model.state_dict(), other.model.state_dict()
    return first.keys() == second.keys() and all(bool((first[name] == second[name]).all()) for name in first)
