"""Makes what the golden cases read, with the tests' helpers of the tree on PYTHONPATH: `python inputs.py FOLDER HUB`.

Made once and used for every recording, so that two recordings differ by the code alone: tiny checkpoints, tasks of the
user's own, recorded answers, results of the real lm-eval and inspect_ai, and the tests' server on loopback.
"""

from __future__ import annotations

import importlib
import json
import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

FILES = Path(__file__).parent / "files"
THINGS = (
    "the sky",
    "grass",
    "blood",
    "a leaf",
    "the sea",
    "잔디",
    "a rose",
    "snow",
    "coal",
    "an apple",
    "milk",
    "하늘",
)
COLOURS = ("red", "green", "blue")


def helper(name: str) -> Any:
    """A module of the tests' helpers, which older trees keep beside the tests."""
    try:
        return importlib.import_module(f"tests.helpers.{name}")
    except ModuleNotFoundError:
        return importlib.import_module(f"tests.{name}")


def write(path: Path, rows: list[Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def parquet(folder: Path) -> list[dict[str, Any]]:
    import pyarrow.parquet as pq

    [file] = folder.glob("test-*.parquet")
    rows: list[dict[str, Any]] = pq.read_table(file).to_pylist()
    return rows


def checkpoints(folder: Path) -> None:
    make = helper("checkpoints")
    make.make_checkpoint(folder / "tiny")
    make.make_checkpoint(folder / "tiny-chat", seed=7, chat_template=True, add_bos=True)
    make.make_checkpoint(folder / "tiny-sharded", seed=3, shards=2)
    make.make_adapter(folder / "tiny", folder / "tiny-lora", seed=1)
    make.make_adapter(folder / "tiny", folder / "tiny-lora-2", seed=2)
    for how in ("truncated", "missing_tokenizer", "missing_config", "missing_weights", "lfs_pointer", "nan"):
        make.break_checkpoint(folder / "tiny", folder / f"broken-{how}", how)
    make.break_checkpoint(folder / "tiny-sharded", folder / "broken-missing_shard", "missing_shard")


def tasks(folder: Path) -> None:
    shutil.copytree(FILES / "tasks", folder / "tasks")
    questions = [
        {"question": f"What colour is {t}?", "answer": i % 3, "kind": f"k{i // 2}"} for i, t in enumerate(THINGS)
    ]
    write(folder / "tasks" / "data.jsonl", [{**row, "said": COLOURS[int(row["answer"])]} for row in questions])


def recorded(folder: Path, hub: Path) -> None:
    """Recorded answers of several kinds, right and wrong ones."""
    draw = random.Random(5)
    n = len(THINGS)
    choices = [
        {"task": "colours", "doc_id": i, "choice_logprobs": [-draw.uniform(1, 9) for _ in COLOURS]} for i in range(n)
    ]
    texts: list[str | None] = [f"It is {COLOURS[(i + (i % 4 == 0)) % 3]}." for i in range(n)]
    texts[3], texts[5] = None, "모르겠다"
    told: list[Any] = [{"task": "told", "doc_id": i, "output": text} for i, text in enumerate(texts)]
    write(folder / "answers" / "own.jsonl", [*choices, *told])
    write(
        folder / "answers" / "worse.jsonl",
        [{**row, "output": "It is pink."} if "output" in row else row for row in told],
    )
    problems = parquet(hub / "openai" / "openai_humaneval" / "openai_humaneval")[:12]
    code = []
    for i, row in enumerate(problems):
        right, wrong = row["canonical_solution"], ["    return None\n", "    retrun 1\n", "    while True: pass\n"]
        samples = [right if j < i % 5 else wrong[(i + j) % (3 if i == 1 else 2)] for j in range(4)]
        code.append({"task": "humaneval_64", "doc_id": i, "outputs": samples})
    write(folder / "answers" / "code.jsonl", code)
    sums = parquet(hub / "openai" / "gsm8k" / "main")[:30]
    for name, every in (("sums-a", 3), ("sums-b", 2)):
        answers = [row["answer"] if i % every else "The answer is 7." for i, row in enumerate(sums)]
        write(
            folder / "answers" / f"{name}.jsonl",
            [{"task": "gsm8k", "doc_id": i, "output": a} for i, a in enumerate(answers)],
        )
    broken: list[Any] = [{"task": "told", "doc_id": 0, "output": "a", "outputs": ["a"]}]
    write(folder / "answers" / "broken.jsonl", broken)
    (folder / "answers" / "nojson.jsonl").write_text('{"task": "told"\n')
    write(folder / "answers" / "unknown.jsonl", [{"task": "tolt", "doc_id": 0, "output": "a"}])
    write(folder / "answers" / "beyond.jsonl", [{"task": "told", "doc_id": 999, "output": "a"}])


def instructions(folder: Path) -> None:
    """Instructions of a user's own, whose numbers the server on loopback knows."""
    rows: list[Any] = [
        {
            "instruction": f"Name a thing that is like item-{i}.",
            "input": "짧게" if i % 3 == 0 else "",
            "output": f"A {t}.",
        }
        for i, t in enumerate(THINGS)
    ]
    write(folder / "asked" / "items.jsonl", [*rows, {"instruction": "No answer stands here."}])
    write(folder / "asked" / "others.jsonl", [{**row, "output": f"Rather {i}."} for i, row in enumerate(rows)])


def from_lm_eval(folder: Path) -> None:
    """What `lm_eval run --output_path OUTPUT --log_samples` writes."""
    import lm_eval
    from lm_eval.loggers import EvaluationTracker
    from lm_eval.tasks import TaskManager

    wanted = folder / "lm-tasks"
    wanted.mkdir()
    for file in (folder / "tasks").glob("*.yaml"):
        if file.stem in ("colours", "shades", "told", "palette"):
            (wanted / file.name).write_text(
                file.read_text().replace("data.jsonl", str(folder / "tasks" / "data.jsonl"))
            )
    for name, model, asked in (
        ("one", "tiny", {}),
        ("two", "tiny-chat", {}),
        ("limited", "tiny", {"limit": 4}),
        ("bare", "tiny", {"log_samples": False}),
    ):
        tracker = EvaluationTracker(output_path=str(folder / "lm-eval" / name))
        done: dict[str, Any] = lm_eval.simple_evaluate(
            model="hf",
            model_args=f"pretrained={folder / model},dtype=float32",
            tasks=["palette", "told"],
            task_manager=TaskManager(include_path=str(wanted), include_defaults=False),
            device="cpu",
            batch_size=1,
            bootstrap_iters=100,
            evaluation_tracker=tracker,
            **{"log_samples": True, **asked},
        )
        samples = done.pop("samples", None) or {}
        tracker.save_results_aggregated(results=done, samples=samples)
        for task, found in samples.items():
            tracker.save_results_samples(task_name=task, samples=found)
    shutil.rmtree(wanted)


def from_inspect(folder: Path) -> None:
    command = [sys.executable, "-m", helper("inspectlogs").__name__, str(folder / "inspect")]
    subprocess.run(command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    shutil.rmtree(folder / "inspect" / "killed", ignore_errors=True)


def main(folder: Path, hub: Path) -> None:
    folder.mkdir(parents=True)
    shutil.copy(helper("loopback").__file__, folder / "loopback.py")
    for make in (checkpoints, tasks, instructions, from_lm_eval, from_inspect):
        print(f"inputs: {make.__name__}", flush=True)
        make(folder)
    recorded(folder, hub)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve())
