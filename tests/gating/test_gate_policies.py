"""Which tasks a policy judges, and runs that must never pass."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from evalkit.cli import main
from evalkit.errors import ConfigError, EvalkitError, NotComparable, RunFolderError, UnknownTask, UsageError
from evalkit.gating import gate
from evalkit.policy import Policy
from evalkit.reporting import gate_view as report
from evalkit.results import Run, bless, find
from tests.helpers.gates import GSM8K, both, judge, spoil, values
from tests.helpers.runfolders import TaskRows, write_run

# ── policies ───────────────────────────────────────────────────────────────────


def test_without_a_policy_every_shared_headline_is_judged(tmp_path: Path) -> None:
    base = values(GSM8K, 600)
    rows = {"gsm8k": TaskRows(base), "alone": TaskRows(base)}
    result = both(tmp_path, rows, {"gsm8k": TaskRows(base)})
    assert [task.name for task in result.tasks] == ["gsm8k"]
    assert any("alone is not judged" in note for note in result.notes)
    assert "default policy" in report.as_markdown(result)
    assert "max_drop 0.01" in report.as_markdown(result)


def test_the_headline_is_the_runs_own_word_else_the_usual_one(tmp_path: Path) -> None:
    base = values(GSM8K, 600)
    entry = {"metrics": {"acc,none": {"value": 0.1}, "acc_norm,none": {"value": float(base.mean())}}}
    rows = TaskRows(base, "acc_norm,none", entry=entry)
    assert judge(tmp_path, rows, rows, task="hellaswag").metric == "acc_norm,none"
    said = TaskRows(base, "acc,none", entry={**entry, "headline": "acc,none"})
    assert judge(tmp_path, said, said, task="hellaswag").metric == "acc,none"
    named = {"hellaswag": {"metric": "acc_norm"}}
    assert judge(tmp_path, rows, rows, named, task="hellaswag").metric == "acc_norm,none"


def test_a_group_without_a_figure_stands_for_its_members(tmp_path: Path) -> None:
    base = values(GSM8K, 600)

    def run(name: str) -> Run:
        rows = {"one": TaskRows(base), "two": TaskRows(base)}
        groups = {"suite": {"members": ["one", "two"], "metrics": {}, "n": 2 * GSM8K}}
        return Run.open(write_run(tmp_path, name, rows, requested=["suite"], results={"groups": groups}))

    a, b = run("a"), run("b")
    assert [task.name for task in gate(a, b).tasks] == ["one", "two"]
    with pytest.raises(ConfigError, match="name its members: one, two"):
        gate(a, b, Policy.parse({"tasks": {"suite": {}}}))


def test_a_policy_that_names_what_is_not_there_never_passes(tmp_path: Path) -> None:
    base = TaskRows(values(GSM8K, 600))
    with pytest.raises(UnknownTask, match="did you mean gsm8k"):
        judge(tmp_path, base, base, {"gsm8": {}})
    with pytest.raises(ConfigError, match="has no metric"):
        judge(tmp_path, base, base, {"gsm8k": {"metric": "bleu"}})
    with pytest.raises(UnknownTask, match="mmlu is not in run"):
        both(tmp_path, {"gsm8k": base, "mmlu": base}, {"gsm8k": base}, {"mmlu": {}})
    with pytest.raises(NotComparable, match="share no task"):
        both(tmp_path, {"gsm8k": base}, {"mmlu": base})


def test_a_tolerance_that_nothing_can_exceed_is_refused(tmp_path: Path) -> None:
    base = TaskRows(values(GSM8K, 600))
    with pytest.raises(ConfigError, match="tolerates everything"):
        judge(tmp_path, base, TaskRows(np.zeros(GSM8K)), {"gsm8k": {"max_drop": 1}})


def test_a_difference_that_is_meant_is_noted(tmp_path: Path) -> None:
    base = values(GSM8K, 600)
    shots = TaskRows(base, settings={"num_fewshot": 0}, prompts="zero")
    with pytest.raises(NotComparable):
        judge(tmp_path, TaskRows(base), shots)
    result = both(tmp_path, {"gsm8k": TaskRows(base)}, {"gsm8k": shots}, allow=["shots"])
    assert result.verdict == "pass"
    assert any("differs on purpose: shots" in note for note in result.notes)
    with pytest.raises(UsageError):
        judge(tmp_path, TaskRows(base), shots, allow=["everything"])


# ── never a pass ───────────────────────────────────────────────────────────────


BROKEN = [
    "nan figure", "nan elsewhere", "null figure", "text figure", "no metrics", "no figure of the metric",
    "a task gone", "incomplete", "interrupted", "half the rows", "no rows",
    "cut parquet", "no parquet", "no manifest", "cut json", "a list", "no column",
    "nan error", "odd metrics", "odd members", "odd names", "odd model",
]  # fmt: skip


@pytest.mark.parametrize("how", BROKEN)
@pytest.mark.parametrize("side", ["baseline", "candidate"])
def test_a_broken_run_folder_is_exit_4(tmp_path: Path, how: str, side: str) -> None:
    rows = {"gsm8k": TaskRows(values(GSM8K, 600))}
    folders = {name: write_run(tmp_path, name, rows) for name in ("baseline", "candidate")}
    spoil(folders[side], how)
    with pytest.raises(EvalkitError) as raised:
        gate(Run.open(folders["baseline"]), Run.open(folders["candidate"]))
    assert isinstance(raised.value, RunFolderError)
    assert raised.value.exit_code == 4


def test_figures_that_contradict_their_rows_cannot_pass(tmp_path: Path) -> None:
    base = values(GSM8K, 600)
    honest = TaskRows(base, figure={"value": float(base.mean())})
    other = TaskRows(base, figure={"value": float(base.mean()) - 0.05})
    task = judge(tmp_path, honest, other)
    assert task.verdict == "cannot_tell"
    assert any("results.json reports a change" in reason for reason in task.reasons)
    rounded = TaskRows(base, figure={"value": round(float(base.mean()), 2)})
    assert judge(tmp_path, honest, rounded).verdict == "pass"


def test_optional_keys_may_be_absent(tmp_path: Path) -> None:
    base = values(GSM8K, 600)
    folders = [write_run(tmp_path, name, {"gsm8k": TaskRows(base)}) for name in "ab"]
    for folder in folders:
        table = pq.read_table(folder / "scores.parquet")
        pq.write_table(table.drop_columns(["stratum", "cluster", "flags"]), folder / "scores.parquet")
        (folder / "manifest.json").write_text(json.dumps({"schema": 1, "run_id": folder.name}))
        content = json.loads((folder / "results.json").read_text())
        del content["groups"]
        (folder / "results.json").write_text(json.dumps(content))
    assert gate(*(Run.open(folder) for folder in folders)).verdict == "pass"


def test_a_group_whose_lines_stand_under_its_own_name(tmp_path: Path) -> None:
    base = values(GSM8K, 600)

    def run(name: str) -> Run:
        rows = {"mmlu": TaskRows(base, "acc,none")}
        entry = {"mmlu": {"n": GSM8K, "metrics": {"acc,none": {"value": float(base.mean())}}}}
        folder = write_run(tmp_path, name, rows, results={"groups": entry, "tasks": {}})
        return Run.open(folder)

    assert gate(run("a"), run("b")).tasks[0].n == GSM8K


def test_a_group_that_lists_neither_members_nor_tasks(tmp_path: Path) -> None:
    """Its lines are those whose task is named after it, but for those of another name that was asked for."""
    base = {name: TaskRows(values(GSM8K, 600), "acc,none") for name in ("mmlu_law", "mmlu_art", "mmlu_pro_law")}

    def run(name: str) -> Run:
        figures = {"acc,none": {"value": 600 / GSM8K}}
        groups = {"mmlu": {"metrics": figures}, "mmlu_pro": {"metrics": figures}}
        return Run.open(
            write_run(tmp_path, name, base, requested=list(groups), results={"groups": groups, "tasks": {}})
        )

    assert {task.name: task.n for task in gate(run("a"), run("b")).tasks} == {"mmlu": 2 * GSM8K, "mmlu_pro": GSM8K}


@pytest.mark.parametrize("counted", [GSM8K, GSM8K - 40])
def test_rows_left_out_and_said_to_be_missing_are_bounded(tmp_path: Path, counted: int) -> None:
    """Whether `n` counts the documents without an answer or not."""
    whole = values(GSM8K, 600)
    told = {"n": counted, "missing": 40}
    verdict = judge(tmp_path, TaskRows(whole), TaskRows(whole[:-40], entry=told), {"gsm8k": {"max_drop": 0.02}})
    assert verdict.verdict != "pass"
    assert verdict.missing_candidate == 40


def test_a_limited_run_may_keep_its_limit_to_itself(tmp_path: Path) -> None:
    whole = values(GSM8K, 600)
    few = write_run(
        tmp_path, "few", {"gsm8k": TaskRows(whole[:1000], settings={"prompts_hash": "F"})}, status="limited"
    )
    result = gate(Run.open(write_run(tmp_path, "all", {"gsm8k": TaskRows(whole)})), Run.open(few), allow=["limit"])
    assert (result.verdict, result.tasks[0].n, result.tasks[0].missing_candidate) == ("pass", 1000, 0)
    assert any("limit none against unknown" in note for note in result.notes)


def test_a_run_that_cannot_be_read_is_not_blessed(tmp_path: Path) -> None:
    folder = write_run(tmp_path, "a", {"gsm8k": TaskRows(values(GSM8K, 600))})
    spoil(folder, "cut parquet")
    with pytest.raises(SystemExit) as stopped:
        main(["gate", "--bless", "a", "--output-path", str(tmp_path)])
    assert stopped.value.code == 4
    assert not (tmp_path / "baseline.json").exists()


def test_a_blessed_run_is_the_baseline(tmp_path: Path) -> None:
    base = {"gsm8k": TaskRows(values(GSM8K, 600))}
    a, b = (Run.open(write_run(tmp_path, name, base)) for name in "ab")
    bless(a, tmp_path)
    assert gate(find("@baseline", tmp_path), b).baseline.run_id == "a"
    shutil.rmtree(a.path)
    with pytest.raises(EvalkitError) as raised:
        find("@baseline", tmp_path)
    assert raised.value.exit_code == 2
