"""The task ifeval from end to end: lm-eval's prompts, rows and figures."""

from __future__ import annotations

import contextlib
import json
import os
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from evalkit.cli import main
from evalkit.registry import Registry
from evalkit.results import Run
from evalkit.types import Generated
from tests.helpers.ifeval import DRAWN_BY_THE_ORIGINAL, documents, write_response
from tests.helpers.oracle import manager_of, simple_evaluate
from tests.helpers.runfolders import results_of


@contextlib.contextmanager
def standing_in(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


@pytest.mark.hub
def test_prompts_settings_and_hashes_are_lm_evals(hub: Path, original: Any) -> None:
    from lm_eval.tasks import TaskManager
    from lm_eval.utils import handle_non_serializable, hash_string

    from evalkit.registry.lmeval import BUILTIN_TASKS

    task = Registry(data_dir=hub).load(["ifeval"]).tasks["ifeval"]
    with standing_in(hub):
        manager = TaskManager(include_defaults=False, include_path=[BUILTIN_TASKS / "ifeval"])
        theirs = manager.load(["ifeval"])["tasks"]["ifeval"]
    theirs.set_fewshot_seed(1234)
    theirs.build_all_requests()
    made = task.build()
    assert len(made) == 541 == len(theirs.instances)
    assert (task.version, task.num_fewshot) == (theirs.VERSION, 0)
    for document, instance in zip(made, theirs.instances, strict=True):
        (request,) = document.requests
        assert (request.context, request.gen_kwargs) == instance.args
        said = json.dumps(instance.doc, indent=2, default=handle_non_serializable, ensure_ascii=False)
        assert document.doc_hash == hash_string(said)
    assert {name.partition(",")[0] for name in task.metrics} == set(theirs.aggregation())


@pytest.mark.hub
def test_rows_and_figures_are_lm_evals(hub: Path, original: Any) -> None:
    draw = random.Random(4)
    task = Registry(data_dir=hub).load(["ifeval"]).tasks["ifeval"]
    rows, expected = [], []
    for document in task.build(120):
        response = write_response(document.doc, draw)
        (row,) = task.score(document, [[Generated(0, response, "stop", 1)]])
        if not DRAWN_BY_THE_ORIGINAL & {told.get("letter") for told in document.doc["kwargs"]}:
            expected.append(original.process_results(document.doc, [response]))
            assert row.metrics == expected[-1]
            rows.append(row)
    figures = task.aggregate(rows)
    for level in ("strict", "loose"):
        verdicts = [item[f"inst_level_{level}_acc"] for item in expected]
        pooled = figures[f"inst_level_{level}_acc,none"]
        assert pooled.value == original.agg_inst_level_acc(verdicts)
        assert pooled.stderr is not None
        assert pooled.ci95 is not None
        assert pooled.ci95[0] < pooled.value < pooled.ci95[1]
        prompts = [item[f"prompt_level_{level}_acc"] for item in expected]
        assert figures[f"prompt_level_{level}_acc,none"].value == pytest.approx(sum(prompts) / len(prompts))


def record(path: Path, outputs: Sequence[tuple[int, str]]) -> Path:
    rows = [{"task": "ifeval", "doc_id": number, "output": said} for number, said in outputs]
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n", encoding="utf-8")
    return path


def cli(*argv: str) -> int:
    try:
        main(list(argv))
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


@pytest.mark.hub
def test_recorded_answers_are_scored_compared_and_gated_at_instruction_level(hub: Path, tmp_path: Path) -> None:
    """Line by line the table averages to the figure; a gate on instructions pairs instruction with instruction."""
    prompts = [doc["prompt"] for doc in documents(hub)]
    good = [(number, f"<<제목>>\n* {prompt.replace(',', '')}\n* x\nP.S. bye") for number, prompt in enumerate(prompts)]
    worse = [(number, said if number % 3 else said.replace("x", "x,")) for number, said in good]
    root = str(tmp_path / "results")
    for name, outputs in (("base", good), ("next", worse), ("part", good[:500])):
        file = record(tmp_path / f"{name}.jsonl", outputs)
        argv = ["score", str(file), "--data-dir", str(hub), "--output-path", root, "--name", name]
        assert cli(*argv) == 0
    base = Run.open(tmp_path / "results" / "base" / "base")
    entry = results_of(base)["tasks"]["ifeval"]
    table = base.scores().to_pandas()
    assert len(entry["metrics"]) == 4
    for key, figure in entry["metrics"].items():
        lines = table[table.metric == key.partition(",")[0]]
        assert lines.value.mean() == pytest.approx(figure["value"], abs=1e-12)
        assert len(lines) == (834 if key.startswith("inst_level") else 541)
        assert lines.doc_id.nunique() == 541
    policy = tmp_path / "gate.yaml"
    policy.write_text("tasks:\n  ifeval: {metric: 'inst_level_strict_acc,none', max_drop: 0.01}\n")
    assert cli("gate", "base", "base", "--policy", str(policy), "--output-path", root) == 0
    assert cli("gate", "base", "next", "--policy", str(policy), "--output-path", root) == 1
    assert cli("gate", "base", "part", "--policy", str(policy), "--output-path", root) in (1, 3)


@pytest.mark.hub
def test_a_run_equals_lm_evals_own_and_joins_with_it_instruction_by_instruction(
    hub: Path, original: Any, tiny_model: Path, tmp_path: Path
) -> None:
    """The same checkpoint through both harnesses; lm-eval's folder is then compared with ours as it lies."""
    from lm_eval.loggers import EvaluationTracker

    asked: dict[str, Any] = {"limit": 6, "gen_kwargs": {"max_gen_toks": 24}}
    root = str(tmp_path / "results")
    argv = ["run", "--model", str(tiny_model), "--engine", "hf", "--model-args", "dtype=float32", "--tasks", "ifeval"]
    argv += ["--limit", "6", "--gen-kwargs", "max_gen_toks=24", "--data-dir", str(hub), "--output-path", root]
    assert cli(*argv, "--name", "ours") == 0
    with standing_in(hub):
        theirs = simple_evaluate(
            model="hf",
            model_args=f"pretrained={tiny_model},dtype=float32",
            tasks=["ifeval"],
            task_manager=manager_of("ifeval"),
            device="cpu",
            batch_size=1,
            **asked,
        )
    ours = Run.open(next((tmp_path / "results").glob("*/ours")))
    samples = theirs.pop("samples")
    for row, sample in zip(ours.rows("ifeval"), samples["ifeval"], strict=True):
        for key in ("doc_hash", "prompt_hash", "target_hash", "filter", "metrics", *sample["metrics"]):
            assert row[key] == sample[key], key
    for name, figure in results_of(ours)["tasks"]["ifeval"]["metrics"].items():
        assert figure["value"] == theirs["results"]["ifeval"][name]
    tracker = EvaluationTracker(output_path=str(tmp_path / "lm-eval"))
    tracker.save_results_aggregated(results=theirs, samples=samples)
    tracker.save_results_samples(task_name="ifeval", samples=samples["ifeval"])
    policy = tmp_path / "gate.yaml"
    policy.write_text("tasks:\n  ifeval: {metric: 'inst_level_loose_acc,none', max_drop: 0.5}\n")
    shown = tmp_path / "gate.json"
    gate = ["gate", str(tmp_path / "lm-eval"), "ours", "--policy", str(policy), "--output-path", root]
    assert cli(*gate, "--json", str(shown)) in (0, 1, 3)  # lm-eval does not say which answers were cut off
    task = json.loads(shown.read_text())["tasks"]["ifeval"]
    told = sum(len(sample["doc"]["instruction_id_list"]) for sample in samples["ifeval"])
    assert (task["n"], task["delta"]) == (told, 0)
