"""The same checkpoint, the same data: every row and figure equals lm-eval's own run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evalkit.config import RunConfig
from evalkit.reporting.progress import Progress
from evalkit.reporting.run_view import report
from evalkit.results import Run
from evalkit.runner import run
from tests.helpers.oracle import manager_of, simple_evaluate
from tests.helpers.runfolders import results_of

pytestmark = pytest.mark.hub

SHORT = {"max_gen_toks": 24}
"""Long answers of an untrained model say nothing more than short ones."""

OF_PROBABILITIES = {"truthfulqa_mc2"}

FOLDERS = ("mmlu/default", "hellaswag", "gsm8k", "bbh/cot_fewshot", "bbh/zeroshot", "truthfulqa")

ASKED: dict[str, dict[str, Any]] = {
    "mmlu": {"tasks": ["mmlu_stem"], "num_fewshot": 5, "limit": 2},
    "hellaswag": {"tasks": ["hellaswag"], "num_fewshot": 10, "limit": 5},
    "gsm8k": {"tasks": ["gsm8k"], "num_fewshot": 5, "limit": 3, "gen_kwargs": SHORT},
    "gsm8k_cot": {"tasks": ["gsm8k_cot"], "num_fewshot": 8, "limit": 2, "gen_kwargs": SHORT},
    "bbh": {"tasks": ["bbh_cot_fewshot"], "limit": 1, "gen_kwargs": SHORT},
    "bbh without examples": {"tasks": ["bbh_zeroshot_navigate"], "limit": 2, "gen_kwargs": SHORT},
    "truthfulqa": {"tasks": ["truthfulqa_mc2"], "limit": 3},
    "zero shots": {"tasks": ["mmlu_anatomy", "hellaswag"], "num_fewshot": 0, "limit": 6},
}


def ours(model: Path, hub: Path, out: Path, **asked: Any) -> Run:
    config = RunConfig.build(
        model=str(model), engine="hf", model_args="dtype=float32", data_dir=str(hub), output_path=str(out), **asked
    )
    (outcome,) = run(config, Progress(), report)
    assert outcome.exit_code == 0, outcome.problem
    return Run.open(outcome.path)


def theirs(model: Path, hub: Path, monkeypatch: pytest.MonkeyPatch, **asked: Any) -> dict[str, Any]:
    monkeypatch.chdir(hub)  # `datasets` takes a folder named like the hub id before it asks the hub
    return simple_evaluate(
        model="hf",
        model_args=f"pretrained={model},dtype=float32",
        batch_size=1,
        device="cpu",
        task_manager=manager_of(*FOLDERS),
        **asked,
    )


@pytest.mark.parametrize("chat", [False, True], ids=["plain", "chat template"])
@pytest.mark.parametrize("name", ASKED)
def test_rows_and_figures_equal_lm_evals(
    name: str,
    chat: bool,
    tiny_model: Path,
    tiny_chat_model: Path,
    hub: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = ASKED[name]
    model = tiny_chat_model if chat else tiny_model
    mine = ours(model, hub, tmp_path, **asked, apply_chat_template=chat or None)
    reference = theirs(model, hub, monkeypatch, **asked, apply_chat_template=chat, fewshot_as_multiturn=chat)
    assert set(results_of(mine)["tasks"]) == set(reference["samples"])
    for task, samples in reference["samples"].items():
        rows = {(row["doc_id"], row["filter"]): row for row in mine.rows(task)}
        assert len(rows) == len(samples)
        for sample in samples:
            same_row(task, rows[sample["doc_id"], sample["filter"]], sample)
    for task, entry in results_of(mine)["tasks"].items():
        # Means of probabilities carry the last bits of a batch; shares of right answers do not.
        same_figures(entry, reference["results"][task], within=1e-6 if task in OF_PROBABILITIES else 1e-9)
        assert entry["version"] == reference["versions"][task]
        assert entry["num_fewshot"] == reference["n-shot"][task]
    groups = {group: figures for group, figures in reference.get("groups", {}).items() if figures}
    assert set(groups) <= set(results_of(mine)["groups"])
    for group, figures in groups.items():
        same_figures(results_of(mine)["groups"][group], figures)


def same_row(task: str, row: dict[str, Any], sample: dict[str, Any]) -> None:
    for key in ("doc_hash", "prompt_hash", "target_hash", "filter", "metrics"):
        assert row[key] == sample[key], (task, key)
    assert row["doc"] == json.loads(json.dumps(sample["doc"], default=str))
    assert row["target"] == json.loads(json.dumps(sample["target"], default=str))
    assert row["arguments"] == json.loads(json.dumps(sample["arguments"]))
    for mine, theirs in zip(row["resps"], sample["resps"], strict=True):
        for one, other in zip(mine, theirs, strict=True):
            if isinstance(other, str):
                assert one == other, task
            else:
                assert one[0] == pytest.approx(other[0], abs=1e-4), task
                assert one[1] == other[1], task
    for metric in sample["metrics"]:
        assert row[metric] == pytest.approx(sample[metric], abs=1e-4), (task, metric)


def same_figures(entry: dict[str, Any], figures: dict[str, Any], within: float = 1e-9) -> None:
    for name, value in figures.items():
        metric, comma, filter_name = name.partition(",")
        if not comma or metric.endswith("_stderr"):
            continue
        found = entry["metrics"][name]
        assert found["value"] == pytest.approx(value, abs=within), name
        stderr = figures.get(f"{metric}_stderr,{filter_name}")
        if isinstance(stderr, float) and stderr == stderr:
            assert found["stderr"] == pytest.approx(stderr, abs=within), name
        else:
            assert found.get("stderr") is None, name
