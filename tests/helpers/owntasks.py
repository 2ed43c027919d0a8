"""Task files of a user's own, with rows and answers for them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evalkit.types import Answer, Generated


def jsonl(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def own_task(folder: Path, body: str, rows: Sequence[dict[str, Any]], name: str = "own") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    jsonl(folder / f"{name}.jsonl", rows)
    path = folder / f"{name}.yaml"
    head = (
        f"task: {name}\ndataset_path: json\ndataset_kwargs:\n  data_files:\n    test: {name}.jsonl\ntest_split: test\n"
    )
    path.write_text(head + body, encoding="utf-8")
    return path


GENERATE = """output_type: generate_until
doc_to_text: "Q: {{q}}\\nA:"
doc_to_target: "{{a}}"
generation_kwargs: {until: ["\\n"], max_gen_toks: 8, do_sample: false}
metric_list:
  - {metric: exact_match, aggregation: mean, higher_is_better: true}
"""
ROWS = [{"q": f"{i} + 1", "a": str(i + 1)} for i in range(6)]


def generated(text: str) -> list[list[Answer]]:
    return [[Generated(0, text, "stop", 1)]]


SUMS = """\
task: sums
dataset_path: json
dataset_kwargs: {data_files: {test: sums.jsonl}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{q}}"
doc_to_choice: ["yes", "no"]
doc_to_target: 0
metric_list: [{metric: acc}]
"""


def sums_task(folder: Path, documents: int) -> None:
    """Write the task `sums` into a folder: choices between yes and no after long questions."""
    (folder / "sums.yaml").write_text(SUMS, encoding="utf-8")
    jsonl(folder / "sums.jsonl", [{"q": f"Is {n} + {n} = {2 * n}? " * 20} for n in range(documents)])
