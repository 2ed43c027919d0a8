"""Runs to export, with a key and this machine's paths in every place where a run may hold them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from tests.helpers.runfolders import TaskRows, write_run

KEY = "sk-canary-7d1f42a90b6e"
"""The value of an environment variable that looks like a key."""
PRIVATE = "canary-home-of-jiwoo"
"""A folder whose name must not leave this machine."""


def private_run(root: Path, run_id: str = "candidate", *, worse: bool = False) -> Path:
    """A complete run below a private folder: a benchmark, a code task with pass@1, a figure that is not known."""
    home = root / PRIVATE
    base = home / "models" / "my-finetune"
    right = [0.0, 1.0, 0.0] if worse else [1.0, 1.0, 0.0]
    leak = f"{KEY} {base}/config.json"
    figures = {"value": sum(right) / 3, "stderr": 1 / 3 + 1e-17, "ci95": [0.1 + 0.2, 0.9090909090909091]}
    tasks = {
        "gsm8k": TaskRows(
            right,
            figure={**figures, "higher_is_better": True},
            entry={"headline": "exact_match,strict-match"},
            settings={"output_type": "generate_until", "generation": {"until": ["Q:"], "max_gen_toks": 64}},
        ),
        "humaneval": TaskRows(
            [1.0, 0.0, 0.0],
            metric="pass@1,create_test",
            entry={
                "headline": "pass@1,create_test",
                "metrics": {
                    "pass@1,create_test": {**figures, "higher_is_better": True},
                    "avg@4,create_test": {
                        **figures,
                        "value": 0.1 + 0.7,
                        "samples": 4,
                        "stderr_documents": 0.3,
                        "stderr_samples": 0.2,
                        "std_over_samples": 0.1,
                        "higher_is_better": True,
                    },
                    "ter,none": {
                        "value": 61.300000000000004,
                        "stderr": None,
                        "stderr_reason": "of all documents together",
                        "ci95": [55.00000000000001, 67.1],
                        "higher_is_better": False,
                    },
                    "bias_score,none": {**figures, "value": -0.1 - 0.2, "best_at": 0.0, "higher_is_better": None},
                    "perplexity,none": {"value": None, "reason": f"it overflowed in {base}/x"},
                },
            },
        ),
    }
    return write_run(
        home / "runs",
        run_id,
        tasks,
        model="my-finetune",
        samples={
            name: [_row(name, number, rows, leak) for number in range(len(rows.values))] for name, rows in tasks.items()
        },
        results={"notes": [f"read from {base}", f"asked with api_key={KEY}"], "model": str(base)},
        manifest={
            "evalkit": "0.1.0",
            "command": ["evalkit", "run", "--model", str(base), "--model-args", f"api_key={KEY}"],
            "requested": list(tasks),
            "model": {
                "typed": str(base),
                "alias": None,
                "source": str(base),
                "path": str(base),
                "fingerprint": "8edb7d6366edabff",
                "revision": None,
            },
            "adapter": {"name": "ko", "path": str(home / "adapters" / "ko"), "fingerprint": "ab"},
            "engine": {"name": "hf", "dtype": "float32", "adapters": [str(home / "adapters" / "ko")]},
            "replicas": {"wanted": 2, "hosts": [f"node-{PRIVATE}"], "cluster": f"ray://{PRIVATE}:10001"},
            "shard": {"index": 1, "count": 2, "merged": [str(home / "runs" / "shard-1")]},
            "thinking": {"start": "<think>", "end": "</think>", "opened": False, "budget": 64},
            "sandbox": {"tier": "namespaces", "packages": [str(home / "site-packages")]},
            "model_args": {"tokenizer": str(home / "tok"), "api_key": KEY},
            "seeds": {"random": 0, "fewshot": 1234},
            "versions": {"lm_eval": "0.4.13", "transformers": "5.19.0"},
            "sampling": {},
        },
    )


def _row(task: str, number: int, rows: TaskRows, leak: str) -> dict[str, Any]:
    metric, _, filter_name = rows.metric.partition(",")
    target = f"{number + 1}"
    return {
        "doc_id": number,
        "doc": {"question": f"What is {number} + 1?", "answer": target},
        "target": target,
        "arguments": [[f"Q: What is {number} + 1?\nA:", {"until": ["Q:"], "max_gen_toks": 64}]],
        "resps": [[f"{number + 1}. 자, {leak}"]],
        "filtered_resps": [target],
        "filter": filter_name,
        "metrics": [metric],
        "doc_hash": f"{task}-{number}",
        "prompt_hash": f"p-{task}-{number}",
        "target_hash": hashlib.sha256(target.encode()).hexdigest(),
        metric: rows.values[number],
        "finish": ["stop"],
        "error": None,
    }


def known_figures(run: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """The figures of results.json, read without evalkit, by task and metric."""
    content = json.loads((run / "results.json").read_text(encoding="utf-8"))
    return {
        (task, metric): figure
        for task, entry in content["tasks"].items()
        for metric, figure in entry["metrics"].items()
        if figure["value"] is not None
    }


def bytes_below(*roots: Path) -> dict[Path, bytes]:
    """Every file, whatever made it."""
    return {path: path.read_bytes() for root in roots for path in root.rglob("*") if path.is_file()}


def wandb_records(path: Path) -> list[Any]:
    """The records of W&B's offline file: a log of LevelDB's format behind a header of seven bytes."""
    from wandb.proto import wandb_internal_pb2

    content, at, whole, found = path.read_bytes(), 7, b"", []
    while at + 7 <= len(content):
        left = 32_768 - at % 32_768
        if left < 7:
            at += left
            continue
        length, kind = int.from_bytes(content[at + 4 : at + 6], "little"), content[at + 6]
        whole += content[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # whole, or the last part
            record = wandb_internal_pb2.Record()
            record.ParseFromString(whole)
            found.append(record)
            whole = b""
    return found
