"""Writes a pool in formats for training, and as an evaluation task."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence

from evalkit.synth.jsonl import as_lines
from evalkit.synth.poolfile import PoolRow
from evalkit.types import JsonObject

__all__ = ["ANSWERS", "FORMATS", "export_pool"]

ANSWERS = "answers"
"""Another format: the pool's own answers as recorded answers, for `evalkit score`."""


def export_pool(rows: Sequence[PoolRow], form: str) -> dict[str, str]:
    """Return the text of each file by its name.

    Formats for training leave the held-out rows out. An evaluation task has only those, or all rows where none is held
    out.
    """
    return FORMATS[form](rows)


def _training(rows: Sequence[PoolRow]) -> Iterator[tuple[str, str, str]]:
    for row in rows:
        for instance in () if row.held_out else row.instances:
            yield row.instruction, instance.input, instance.output


def _alpaca(rows: Sequence[PoolRow]) -> dict[str, str]:
    made = [{"instruction": asked, "input": given, "output": output} for asked, given, output in _training(rows)]
    return {"alpaca.json": json.dumps(made, ensure_ascii=False, indent=1) + "\n"}


def _koalpaca(rows: Sequence[PoolRow]) -> dict[str, str]:
    """Rows as KoAlpaca has them, with the input below the instruction."""
    made = [{"instruction": _joined(asked, given), "output": output} for asked, given, output in _training(rows)]
    return {"koalpaca.jsonl": as_lines(made)}


def _messages(rows: Sequence[PoolRow]) -> dict[str, str]:
    made = (
        {
            "messages": [
                {"role": "user", "content": _joined(asked, given)},
                {"role": "assistant", "content": output},
            ]
        }
        for asked, given, output in _training(rows)
    )
    return {"messages.jsonl": as_lines(made)}


def _lm_eval(rows: Sequence[PoolRow]) -> dict[str, str]:
    chosen = [row for row in rows if row.held_out] or list(rows)
    docs: list[JsonObject] = [
        {"question": _joined(row.instruction, row.instances[0].input), "answer": row.instances[0].output}
        for row in chosen
        if row.instances
    ]
    return {"synth_pool.yaml": _TASK, "synth_pool.jsonl": as_lines(docs)}


_TASK = """\
# lm_eval --include_path THIS_FOLDER --tasks synth_pool, typed in this folder
task: synth_pool
dataset_path: json
dataset_kwargs:
  data_files:
    test: synth_pool.jsonl
test_split: test
output_type: generate_until
doc_to_text: "{{question}}\\n\\n"
doc_to_target: "{{answer}}"
num_fewshot: 0
generation_kwargs:
  until: ["\\n\\n\\n"]
  do_sample: false
  max_gen_toks: 512
metric_list:
  - metric: chrf
    aggregation: chrf
    higher_is_better: true
metadata:
  version: 1.0
"""


def _joined(asked: str, given: str) -> str:
    return f"{asked}\n\n{given}" if given.strip() else asked


FORMATS: Mapping[str, Callable[[Sequence[PoolRow]], dict[str, str]]] = {
    "alpaca": _alpaca,
    "koalpaca": _koalpaca,
    "messages": _messages,
    "lm-eval": _lm_eval,
}
