"""What `EvalkitCallback` costs beside the evaluation itself, and whether training notices it.

    python bench/callback.py [--trainer sft|trainer] [--model FOLDER] [--steps 60] [--looks 3] [--limit 20]

Trains twice from the same weights, without and with the callback, by TRL's SFTTrainer with its own defaults (autocast
to bf16, gradient checkpointing) or by transformers' Trainer. Prints whether the final weights are equal to the bit,
whether the last look's rows are those of `evaluate` on the saved checkpoint, and where the time of the looks went: the
evaluation's own parts as its results state them, and the rest, which is the callback's: hashing the weights in memory,
putting modes and random state back, the log. Imports are done before by an evaluation of its own.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
import transformers

import evalkit as ek
from evalkit.training import EvalkitCallback

NANO = Path(ek.__file__).parent / "_models" / "nano"
TASKS = ["mini_arithmetic", "mini_knowledge"]


def train(arguments: argparse.Namespace, out: Path, callback: EvalkitCallback | None) -> tuple[Any, float]:
    """The trainer after training, and the seconds that it took."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(arguments.model)
    model = transformers.AutoModelForCausalLM.from_pretrained(arguments.model, dtype=torch.float32)
    texts = [f"What is {a} plus {b}? {a + b}." for a in range(12) for b in range(10)]
    settings: dict[str, Any] = {
        "max_steps": arguments.steps, "save_steps": max(arguments.steps // arguments.looks, 1), "report_to": [],
        "per_device_train_batch_size": 2, "use_cpu": True, "disable_tqdm": True, "learning_rate": 1e-3, "seed": 3,
        "logging_strategy": "no",
    }  # fmt: skip
    if arguments.trainer == "sft":
        from datasets import Dataset
        from trl import SFTConfig, SFTTrainer

        rows = Dataset.from_list([{"text": text} for text in texts])
        config = SFTConfig(str(out), max_length=32, **settings)
        trainer = SFTTrainer(model, config, train_dataset=rows, processing_class=tokenizer)
    else:
        encoded = [tokenizer(text, return_tensors="pt")["input_ids"][0] for text in texts]
        length = min(len(ids) for ids in encoded)
        data = [{"input_ids": ids[:length], "labels": ids[:length]} for ids in encoded]
        config = transformers.TrainingArguments(str(out), **settings)
        trainer = transformers.Trainer(model, config, train_dataset=data, processing_class=tokenizer)
    if callback is not None:
        callback.add_to(trainer)
    began = time.perf_counter()
    trainer.train()
    return trainer, time.perf_counter() - began


def warm_up(arguments: argparse.Namespace, results: Path) -> float:
    """The seconds of a first evaluation, most of which are imports: the looks are measured without them."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(arguments.model)
    model = transformers.AutoModelForCausalLM.from_pretrained(arguments.model, dtype=torch.float32)
    began = time.perf_counter()
    ek.evaluate(model, tokenizer=tokenizer, tasks=TASKS, limit=1, output_path=results)
    return time.perf_counter() - began


def measure(arguments: argparse.Namespace, root: Path) -> dict[str, Any]:
    plain, alone = train(arguments, root / "plain", None)
    imports = warm_up(arguments, root / "warm")
    settings: dict[str, Any] = {"tasks": TASKS, "limit": arguments.limit, "output_path": root / "results"}
    callback = EvalkitCallback(**settings)
    watched, together = train(arguments, root / "watched", callback)
    one, other = plain.model.state_dict(), watched.model.state_dict()
    last = max((root / "watched").glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]))
    saved = ek.evaluate(str(last), **settings)
    parts: dict[str, float] = {}
    for run in callback.runs:
        timing = run.stored.record.results.timing
        for name in ("load", "build", "inference", "scoring"):
            parts[name] = parts.get(name, 0.0) + (getattr(timing, name) or 0.0)
    looks = sum(callback.seconds)
    return {
        "trainer": type(watched).__name__,
        "looks": len(callback.runs),
        "weights_equal": all(torch.equal(one[name], other[name]) for name in one),
        "rows_equal": all(
            [row["resps"] for row in callback.runs[-1].stored.rows(task)]
            == [row["resps"] for row in saved.stored.rows(task)]
            for task in TASKS
        ),
        "training_seconds": alone,
        "with_callback_seconds": together,
        "import_seconds": imports,
        "looks_seconds": looks,
        "evaluation_seconds": parts,
        "own_seconds": looks - sum(parts.values()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trainer", choices=("sft", "trainer"), default="sft")
    parser.add_argument("--model", type=Path, default=NANO)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--looks", type=int, default=3)
    parser.add_argument("--limit", type=int, default=20)
    parser.add_argument("--json", metavar="FILE")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(arguments, Path(folder))
    print(f"{found['trainer']}, {arguments.steps} steps, {found['looks']} looks at {', '.join(TASKS)}")
    print(f"weights equal to the bit: {found['weights_equal']}; rows as of the checkpoint: {found['rows_equal']}")
    print(f"training alone {found['training_seconds']:.1f} s, with looks {found['with_callback_seconds']:.1f} s")
    parts = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in found["evaluation_seconds"].items())
    print(f"a first evaluation outside of the training, with the imports: {found['import_seconds']:.1f} s")
    print(f"looks {found['looks_seconds']:.1f} s, of which: {parts}; the callback's own {found['own_seconds']:.2f} s")
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
