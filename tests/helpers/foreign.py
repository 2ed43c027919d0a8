"""Other tools' runs: made by the tools themselves, named, edited."""

from __future__ import annotations

import copy
import io
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from evalkit.cli import main
from evalkit.comparison import compare
from evalkit.errors import EvalkitError
from evalkit.ranking import leaderboard
from evalkit.results import find
from tests.helpers.oracle import manager_of, simple_evaluate

ROOT = Path(__file__).resolve().parents[2]

TASKS = {
    "colours.yaml": """
task: colours
dataset_path: json
dataset_kwargs: {data_files: {test: DATA}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{question}}\\nAnswer:"
doc_to_choice: ["red", "green", "blue"]
doc_to_target: "{{answer}}"
metric_list:
  - {metric: acc, aggregation: mean, higher_is_better: true}
  - {metric: acc_norm, aggregation: mean, higher_is_better: true}
metadata: {version: 2.0}
""",
    "shades.yaml": """
include: colours.yaml
task: shades
doc_to_text: "In short: {{question}} It is"
""",
    "told.yaml": """
task: told
dataset_path: json
dataset_kwargs: {data_files: {test: DATA}}
test_split: test
output_type: generate_until
doc_to_text: "{{question}} Say it:"
doc_to_target: "{{answer}}"
generation_kwargs: {until: ["\\n\\n"], do_sample: false, max_gen_toks: 6}
metric_list:
  - {metric: exact_match, aggregation: mean, higher_is_better: true}
filter_list:
  - name: strict
    filter: [{function: regex, regex_pattern: "(red)"}, {function: take_first}]
  - name: loose
    filter: [{function: regex, regex_pattern: "([a-z])"}, {function: take_first}]
metadata: {version: 1.0}
""",
    "palette.yaml": """
group: palette
task: [colours, shades]
aggregate_metric_list:
  - {metric: acc, weight_by_size: true}
metadata: {version: 2.0}
""",
}

ASKED = ["palette", "told"]


def evaluate(model: Path, output: Path, folder: Path, **asked: Any) -> dict[str, Any]:
    """What `lm_eval run --output_path OUTPUT --log_samples` does."""
    from lm_eval.loggers import EvaluationTracker

    tracker = EvaluationTracker(output_path=str(output))
    log_samples = asked.pop("log_samples", True)
    found = simple_evaluate(
        model="hf",
        model_args=f"pretrained={model},dtype=float32",
        tasks=asked.pop("tasks", ASKED),
        task_manager=manager_of(folder),
        device="cpu",
        batch_size=1,
        bootstrap_iters=100,
        log_samples=log_samples,
        evaluation_tracker=tracker,
        **asked,
    )
    samples = found.pop("samples") if log_samples else {}
    tracker.save_results_aggregated(results=found, samples=samples)
    for name, rows in samples.items():
        tracker.save_results_samples(task_name=name, samples=rows)
    return found


def results_file(folder: Path) -> Path:
    [file] = folder.rglob("*_20*.json")
    return file


def copied(folder: Path, to: Path) -> Path:
    shutil.copytree(folder, to)
    return results_file(to)


def edited(file: Path, change: Callable[[Any], Any]) -> None:
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))


def numbers(said: dict[str, Any]) -> dict[str, float]:
    return {key: value for key, value in said.items() if "," in key and "_stderr" not in key}


@dataclass(frozen=True)
class Said:
    exit_code: int
    stdout: str
    stderr: str


def typed(*argv: str | Path) -> Said:
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as stop:
        main([str(word) for word in argv])
    return Said(int(stop.value.code or 0), out.getvalue(), err.getvalue())


def board(*argv: str | Path) -> list[Any]:
    shown = typed("leaderboard", *argv, "--json", "-")
    assert shown.exit_code == 0, shown.stderr
    lines: list[Any] = json.loads(shown.stdout)["rows"]
    return lines


def written(folder: Path, figures: dict[str, Any], *, counted: int = 2) -> Path:
    """A results file of one task by hand, with two rows for the filter `maj,3`."""
    (folder / "model").mkdir(parents=True)
    date = "2026-11-21T10-00-00.123456"
    content = {"results": {"told": figures}, "configs": {"told": {}}, "n-samples": {"told": {"effective": counted}}}
    (folder / "model" / f"results_{date}.json").write_text(json.dumps(content))
    metrics = ["exact_match"] if figures else []
    rows = [{"doc_id": i, "doc": {}, "filter": "maj,3", "metrics": metrics, "exact_match": i} for i in range(2)]
    (folder / "model" / f"samples_told_{date}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def junk() -> st.SearchStrategy[Any]:
    plain = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    return st.recursive(plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner))


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value[:2]) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*path, key)
        yield from places(inner, (*path, key))


def replaced(content: Any, path: tuple[Any, ...], value: Any) -> Any:
    changed = copy.deepcopy(content)
    inner = changed
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return changed


def readable(file: Path) -> None:
    """Read, or refused by an error of ours: whatever else it raises fails the test."""
    with suppress(EvalkitError):
        read = find(str(file))
        leaderboard([read], every=True, also=("limited", "partial"))
        compare(read, [read], flips=2)


WHOLE = ("plain", "other", "json", "epochs", "mode", "limited", "errors", "prompted")


def log_of(logs: Path, name: str) -> Path:
    [file] = [path for path in (logs / name).iterdir() if path.suffix in (".eval", ".json")]
    return file
