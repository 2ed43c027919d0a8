"""Runs of lm-eval, from outside: what lm-eval really writes goes in, its own figures come out."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import pytest

from evalkit.comparison import compare
from evalkit.config import RunConfig
from evalkit.errors import RunFolderError, UnknownRun, UsageError
from evalkit.gating import gate
from evalkit.policy import Policy
from evalkit.ranking import leaderboard
from evalkit.reporting.progress import Progress
from evalkit.reporting.run_view import report
from evalkit.results import Run, RunWriter, bless, find, find_foreign
from evalkit.runner import run
from tests.helpers.foreign import ASKED, board, copied, numbers, results_file, typed
from tests.helpers.oracle import manager_of, simple_evaluate
from tests.helpers.runfolders import TaskRows, results_of, write_run


def test_lm_evals_figures_are_read_as_its_summary_shows_them(theirs: dict[str, Path]) -> None:
    read = find(str(theirs["one"]))
    said = json.loads(results_file(theirs["one"]).read_text())
    assert read.requested == ["palette", "told"]
    figures = read.record.results
    assert set(figures.tasks) == {"colours", "shades", "told"}
    for name, task in figures.tasks.items():
        shown = {key: figure.value for key, figure in task.metrics.items()}
        assert shown == numbers(said["results"][name])
        for key, figure in task.metrics.items():
            metric, _, filter_name = key.partition(",")
            assert figure.stderr == said["results"][name][f"{metric}_stderr,{filter_name}"]
            assert figure.higher_is_better is True
        assert task.n == 10
    palette = figures.groups["palette"]
    assert palette.metrics["acc,none"].value == said["groups"]["palette"]["acc,none"]
    assert (palette.n, palette.members) == (20, ("colours", "shades"))
    assert read.status == "complete"
    assert read.imported_from == "lm-eval"
    assert figures.tasks["colours"].version == 2.0


def test_its_rows_come_to_its_figures(theirs: dict[str, Path]) -> None:
    read = find(str(theirs["one"]))
    table = read.scores().to_pylist()
    for name, task in results_of(read)["tasks"].items():
        for key, figure in task["metrics"].items():
            metric, _, filter_name = key.partition(",")
            rows = [row for row in table if (row["task"], row["metric"], row["filter"]) == (name, metric, filter_name)]
            assert len(rows) == 10
            assert math.fsum(row["value"] for row in rows) / 10 == pytest.approx(figure["value"], abs=1e-12)


def test_it_can_be_named_in_every_way_it_lies_on_disk(theirs: dict[str, Path]) -> None:
    whole = find(str(theirs["one"]))
    for ref in (results_file(theirs["one"]), results_file(theirs["one"]).parent):
        assert find(str(ref)).record.results == whole.record.results
    assert find("one", theirs["one"].parent).record.results == whole.record.results
    assert find(str(theirs["named"])).requested == ["told"]


def test_lm_eval_runs_are_compared_gated_and_ranked(theirs: dict[str, Path], tmp_path: Path) -> None:
    one, two = find(str(theirs["one"])), find(str(theirs["two"]))
    [against] = compare(one, [two], flips=3).against
    for task in against.tasks:
        for run_, value in ((one, task.baseline), (two, task.candidate)):
            entry = run_.entry(task.name)
            assert entry is not None
            assert value == pytest.approx(entry.metrics[task.metric].value, abs=1e-12)
    assert [task.n for task in against.tasks] == [20, 10]
    assert any(flip.question and flip.baseline and flip.candidate for task in against.tasks for flip in task.flips)
    assert gate(one, one, Policy()).verdict in ("pass", "cannot_tell")
    ranked = leaderboard([one, two], every=True)
    assert {line.label for line in ranked.lines} == {one.label, two.label}
    shown = typed("gate", theirs["one"], theirs["two"], "--json", "-", "--output-path", tmp_path)
    assert shown.exit_code in (0, 1, 3), shown.stderr
    assert typed("compare", theirs["one"], theirs["two"]).exit_code == 0


def test_a_run_of_ours_joins_with_lm_evals_row_by_row(
    theirs: dict[str, Path], tasks: Path, tiny_model: Path, tmp_path: Path
) -> None:
    config = RunConfig.build(
        model=str(tiny_model),
        engine="hf",
        model_args="dtype=float32",
        tasks=ASKED,
        include_path=str(tasks),
        output_path=str(tmp_path),
    )
    [outcome] = run(config, Progress(), report)
    assert outcome.exit_code == 0, outcome.problem
    for pair in (
        (find(str(theirs["one"])), Run.open(outcome.path)),
        (Run.open(outcome.path), find(str(theirs["one"]))),
    ):
        [against] = compare(pair[0], [pair[1]]).against
        assert [task.name for task in against.tasks] == ["palette", "told"]
        assert [(task.n, task.delta, task.lost, task.gained) for task in against.tasks] == [
            (20, 0, 0, 0),
            (10, 0, 0, 0),
        ]
        assert all(task.unpaired.total == task.unpaired.without_prompt_hash == 0 for task in against.tasks)


def test_clusters_are_known_when_one_of_the_two_knows_them(tmp_path: Path) -> None:
    values = [float(i % 3 > 0) for i in range(24)]
    sources = [f"source {i // 4}" for i in range(24)]
    worse = [0.0] * 8 + values[8:]
    knowing = write_run(tmp_path, "a", {"t": TaskRows(values, clusters=sources)})
    silent = write_run(tmp_path, "b", {"t": TaskRows(worse)})
    both = write_run(tmp_path, "c", {"t": TaskRows(worse, clusters=sources)})
    [expected] = compare(Run.open(knowing), [Run.open(both)]).against
    for baseline, candidate in ((knowing, silent), (silent, knowing)):
        [found] = compare(Run.open(baseline), [Run.open(candidate)]).against
        assert found.tasks[0].p == pytest.approx(expected.tasks[0].p)


@pytest.mark.hub
def test_benchmarks_join_too(hub: Path, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lm_eval.loggers import EvaluationTracker

    asked: dict[str, Any] = {"tasks": ["mmlu_anatomy", "gsm8k"], "num_fewshot": 2, "limit": 3}
    asked["gen_kwargs"] = {"max_gen_toks": 8}
    config = RunConfig.build(
        model=str(tiny_model),
        engine="hf",
        model_args="dtype=float32",
        data_dir=str(hub),
        output_path=str(tmp_path),
        **asked,
    )
    [outcome] = run(config, Progress(), report)
    monkeypatch.chdir(hub)
    tracker = EvaluationTracker(output_path=str(tmp_path / "theirs"))
    found = simple_evaluate(
        model="hf",
        model_args=f"pretrained={tiny_model},dtype=float32",
        task_manager=manager_of("mmlu", "gsm8k"),
        evaluation_tracker=tracker,
        device="cpu",
        **asked,
    )
    samples = found.pop("samples")
    tracker.save_results_aggregated(results=found, samples=samples)
    for name, rows in samples.items():
        tracker.save_results_samples(task_name=name, samples=rows)
    read = find(str(tmp_path / "theirs"))
    assert read.status == "limited"
    [against] = compare(Run.open(outcome.path), [read]).against
    assert {(task.name, task.n, task.delta) for task in against.tasks} == {("mmlu_anatomy", 3, 0), ("gsm8k", 3, 0)}


def test_a_limited_run_is_stamped_and_stays_out_of_the_leaderboard(theirs: dict[str, Path]) -> None:
    read = find(str(theirs["limited"]))
    assert (read.status, read.record.manifest.limit, results_of(read)["tasks"]["told"]["n"]) == ("limited", 4, 4)
    assert board("--import", theirs["limited"], "--output-path", theirs["limited"]) == []
    [against] = compare(find(str(theirs["one"])), [read]).against
    assert {task.n for task in against.tasks} == {8, 4}


def test_figures_without_rows_stand_on_the_leaderboard_and_pair_with_nothing(theirs: dict[str, Path]) -> None:
    read = find(str(theirs["bare"]))
    assert (
        results_of(read)["tasks"]["told"]["metrics"] == results_of(find(str(theirs["one"])))["tasks"]["told"]["metrics"]
    )
    assert len(leaderboard([read]).lines) == 1
    with pytest.raises(RunFolderError, match="--log_samples"):
        compare(read, [find(str(theirs["one"]))])


def test_imports_are_named_and_nothing_else_is_found(theirs: dict[str, Path], tmp_path: Path) -> None:
    root = theirs["one"].parent
    assert board("--output-path", root) == []
    assert len(board("--output-path", tmp_path, "--import", theirs["one"], "--import", theirs["two"])) == 2
    assert typed("leaderboard", theirs["one"], "--import", theirs["two"]).exit_code == 2


def test_two_runs_in_one_folder_are_both_listed(theirs: dict[str, Path], tmp_path: Path) -> None:
    file = copied(theirs["one"], tmp_path / "both")
    shutil.copy(file, file.with_name("results_2024-01-01T00-00-00.000001.json"))
    with pytest.raises(UnknownRun, match=r"2 runs.*2024-01-01.*name one"):
        find(str(tmp_path / "both"))
    runs, broken = find_foreign(tmp_path / "both")
    assert (len(runs), broken) == (2, [])


def test_it_can_be_the_baseline(theirs: dict[str, Path], tmp_path: Path) -> None:
    bless(find(str(theirs["one"])), tmp_path)
    assert find("@baseline", tmp_path).record.results == find(str(theirs["one"])).record.results
    assert typed("gate", theirs["two"], "--output-path", tmp_path).exit_code in (0, 1, 3)


def test_nothing_is_written_into_it(theirs: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="lm-eval"):
        RunWriter.amend(find(str(theirs["one"])))
    shown = typed("judge", "run", theirs["one"], "--rubric", "creativity", "--judge", "openai:x")
    assert shown.exit_code == 2, shown.stderr
