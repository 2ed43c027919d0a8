"""Other people's runs, from outside: what lm-eval and inspect_ai really write goes in, their own figures come out."""

from __future__ import annotations

import copy
import importlib.util
import io
import json
import math
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evalkit.cli import main
from evalkit.comparison import compare
from evalkit.config import RunConfig
from evalkit.errors import EvalkitError, RunFolderError, UnknownRun, UsageError
from evalkit.gating import gate
from evalkit.policy import Policy
from evalkit.ranking import leaderboard
from evalkit.reporting.progress import Progress
from evalkit.reporting.run_view import report
from evalkit.results import Run, RunWriter, bless, find, find_foreign
from evalkit.results.foreign.archive import Archive
from evalkit.results.foreign.inspect_values import to_float
from evalkit.runner import run
from tests.helpers.checkpoints import make_checkpoint
from tests.helpers.runfolders import TaskRows, results_of, write_run

ROOT = Path(__file__).resolve().parents[2]

# ── lm-eval ──────────────────────────────────────────────────────────────────

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


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of tasks that lm-eval and evalkit both take, with their data beside them."""
    folder = tmp_path_factory.mktemp("tasks")
    things = ("the sky", "grass", "blood", "a leaf", "the sea", "잔디", "a rose", "snow", "coal", "an apple")
    rows = [{"question": f"What colour is {thing}?", "answer": i % 3} for i, thing in enumerate(things)]
    data = folder / "data.jsonl"
    data.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    for name, text in TASKS.items():
        (folder / name).write_text(text.replace("DATA", str(data)))
    return folder


def evaluate(model: Path, output: Path, folder: Path, **asked: Any) -> dict[str, Any]:
    """What `lm_eval run --output_path OUTPUT --log_samples` does."""
    import lm_eval
    from lm_eval.loggers import EvaluationTracker
    from lm_eval.tasks import TaskManager

    tracker = EvaluationTracker(output_path=str(output))
    log_samples = asked.pop("log_samples", True)
    found: dict[str, Any] = lm_eval.simple_evaluate(
        model="hf",
        model_args=f"pretrained={model},dtype=float32",
        tasks=asked.pop("tasks", ASKED),
        task_manager=TaskManager(include_path=str(folder), include_defaults=False),
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


@pytest.fixture(scope="module")
def theirs(tasks: Path, tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders that the real lm-eval wrote, by name."""
    root = tmp_path_factory.mktemp("lm-eval")
    other = make_checkpoint(root / "other", seed=11)
    evaluate(tiny_model, root / "one", tasks)
    evaluate(other, root / "two", tasks)
    evaluate(tiny_model, root / "limited", tasks, limit=4)
    evaluate(tiny_model, root / "bare", tasks, log_samples=False)
    evaluate(tiny_model, root / "named" / "mine.json", tasks, tasks=["told"])
    return {path.name: path for path in root.iterdir()}


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
    import lm_eval
    from lm_eval.loggers import EvaluationTracker
    from lm_eval.tasks import TaskManager

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
    folder = Path(lm_eval.__file__).parent / "tasks"
    monkeypatch.chdir(hub)
    manager = TaskManager(include_path=[str(folder / "mmlu"), str(folder / "gsm8k")], include_defaults=False)
    tracker = EvaluationTracker(output_path=str(tmp_path / "theirs"))
    found: dict[str, Any] = lm_eval.simple_evaluate(
        model="hf",
        model_args=f"pretrained={tiny_model},dtype=float32",
        task_manager=manager,
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


def test_a_figure_that_its_rows_do_not_come_to_is_refused(theirs: dict[str, Path], tmp_path: Path) -> None:
    file = copied(theirs["one"], tmp_path / "edited")
    edited(file, lambda content: content["results"]["told"].update({"exact_match,loose": 0.987}))
    with pytest.raises(RunFolderError, match=r"told come to exact_match,loose = .*says 0.987"):
        find(str(file))


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


def test_a_filters_name_may_hold_a_comma(tmp_path: Path) -> None:
    said = {"exact_match,maj,3": 0.5, "exact_match_stderr,maj,3": 0.25}
    read = find(str(written(tmp_path, said)))
    assert results_of(read)["tasks"]["told"]["metrics"] == {"exact_match,maj,3": {"value": 0.5, "stderr": 0.25}}
    shown = typed("compare", tmp_path, tmp_path / "model", "--tasks", "told")
    assert shown.exit_code == 0, shown.stderr


def test_a_date_is_read_from_the_name_and_never_from_the_copy(tmp_path: Path) -> None:
    folder = written(tmp_path / "dated", {"exact_match,maj,3": 0.5})
    assert find(str(folder)).dated == datetime(2026, 11, 21, 10, tzinfo=UTC)
    [file] = folder.glob("model/results_*.json")
    read = find(str(shutil.copy(file, tmp_path / "undated.json")))
    assert read.dated is None
    assert read.finished is not None, "it came to its end"
    [row] = board("--import", tmp_path / "undated.json", "--output-path", tmp_path)
    assert row["date"]["value"] is None


def test_rows_without_figures_are_no_contradiction(tmp_path: Path) -> None:
    folder = written(tmp_path, {}, counted=0)
    assert find(str(folder)).record.results.tasks["told"].metrics == {}
    shown = typed("compare", folder, folder / "model")
    assert shown.exit_code == 4
    assert "no figure of told" in " ".join(shown.stderr.split())


def test_rows_that_were_lost_are_noticed(theirs: dict[str, Path], tmp_path: Path) -> None:
    file = copied(theirs["one"], tmp_path / "short")
    [samples] = file.parent.glob("samples_told_*.jsonl")
    lines = samples.read_text().splitlines(keepends=True)
    samples.write_text("".join(lines[:-1]))
    with pytest.raises(RunFolderError, match=r"9 documents.*counts 10"):
        find(str(file))
    samples.write_text("".join([*lines, lines[0]]))
    with pytest.raises(RunFolderError, match="stands twice"):
        find(str(file))


def test_nan_is_no_figure(theirs: dict[str, Path], tmp_path: Path) -> None:
    file = copied(theirs["one"], tmp_path / "nan")
    edited(file, lambda content: content["results"]["told"].update({"exact_match,strict": math.nan}))
    read = find(str(file))
    assert results_of(read)["tasks"]["told"]["metrics"]["exact_match,strict"]["value"] is None
    shown = typed("compare", file, theirs["two"], "--metric", "exact_match,strict", "--tasks", "told")
    assert shown.exit_code == 4
    assert "not a number" in shown.stderr
    [samples] = file.parent.glob("samples_colours_*.jsonl")
    samples.write_text(re.sub(r'"acc": [01]\.0', '"acc": NaN', samples.read_text(), count=1))
    shown = typed("compare", file, theirs["two"])
    assert shown.exit_code == 4, shown.stderr
    assert len(shown.stderr.strip().splitlines()) == 1


def test_a_task_name_never_becomes_a_path(theirs: dict[str, Path], tmp_path: Path) -> None:
    file = copied(theirs["one"], tmp_path / "out" / "in")
    date = file.stem.rpartition("_")[2]
    [samples] = file.parent.glob("samples_told_*.jsonl")
    (tmp_path / "out" / f"samples_told_{date}.jsonl").write_bytes(samples.read_bytes())
    name = "../../told"
    (file.parent / "samples_..").mkdir()

    def rename(content: Any) -> None:
        for part in ("results", "configs", "versions", "n-shot", "n-samples", "higher_is_better"):
            content[part][name] = content[part].pop("told")

    edited(file, rename)
    assert not find(str(file)).has_rows(name)


@pytest.mark.parametrize(
    ("content", "code", "says"),
    [
        ("", 4, "not JSON"),
        ('{"results": {', 4, "not JSON"),
        ("[" * 100_000, 4, "not JSON"),
        ("[]", 2, "results_<date>.json"),
        ('{"a": 1}', 2, ".eval"),
        ('{"results": {"t": 3}, "configs": {}}', 4, "not an object"),
        ('{"results": {"t": {"acc,none": 1}}, "configs": [], "n-samples": 5}', 4, "not an object"),
        ('{"version": 2, "status": "success", "eval": {"task": 5}}', 4, "not a name"),
    ],
)
def test_a_file_that_is_none_is_one_line(content: str, code: int, says: str, tmp_path: Path) -> None:
    file = tmp_path / "results_2026-01-01T00-00-00.json"
    file.write_text(content)
    shown = typed("leaderboard", file)
    assert shown.exit_code == code, shown.stderr
    assert says in shown.stderr
    assert len(shown.stderr.strip().splitlines()) == 1


def test_a_folder_without_any_run_says_what_is_read(tmp_path: Path) -> None:
    shown = typed("compare", tmp_path, tmp_path)
    assert shown.exit_code == 2
    assert "inspect_ai" in shown.stderr
    shown = typed("leaderboard", "--import", tmp_path)
    assert shown.exit_code == 2
    assert "results_<date>.json" in shown.stderr


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


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_stands_in_results_is_read_or_refused_in_one_line(
    data: st.DataObject, theirs: dict[str, Path], tmp_path: Path
) -> None:
    content = json.loads(results_file(theirs["one"]).read_text())
    content = {key: value for key, value in content.items() if key != "pretty_env_info"}
    path = data.draw(st.sampled_from(list(places(content))))
    file = tmp_path / "results_2026-01-01T00-00-00.json"
    file.write_text(json.dumps(replaced(content, path, data.draw(junk()))))
    readable(file)


def readable(file: Path) -> None:
    """Read, or refused by an error of ours: whatever else it raises fails the test."""
    with suppress(EvalkitError):
        read = find(str(file))
        leaderboard([read], every=True, also=("limited", "partial"))
        compare(read, [read], flips=2)


# ── inspect_ai ───────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Logs of the real inspect_ai, made by tests/helpers/inspectlogs.py in a process of its own, one of which dies."""
    if importlib.util.find_spec("inspect_ai") is None:
        pytest.skip("inspect_ai writes the logs that are read here: pip install inspect-ai")
    folder = tmp_path_factory.mktemp("inspect")
    env = {**os.environ, "XDG_DATA_HOME": str(folder / "xdg"), "INSPECT_LOG_LEVEL": "error"}
    command = [sys.executable, "-m", "tests.helpers.inspectlogs", str(folder)]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
    assert done.returncode == 9, done.stdout + done.stderr
    return folder


def test_a_log_pairs_with_a_run_of_evalkit_by_its_questions(logs: Path, tmp_path: Path) -> None:
    rows = [
        {
            "doc_id": 7 - a,
            "doc": {"question": f"What is {a}+2?"},
            "arguments": [[f"Question: What is {a}+2?\nAnswer:", {}]],
            "resps": [[f"{a}"]],
        }
        for a in range(8)
    ]
    ours = write_run(tmp_path, "ours", {"sums": TaskRows([1.0] * 8)}, samples={"sums": rows})
    compared = compare(Run.open(ours), [find(str(log_of(logs, "plain")))]).against[0]
    assert (compared.tasks[0].metric, compared.tasks[0].n) == ("exact_match,strict-match", 8)
    assert "8 of 8 documents of sums" in compared.notes[0]


WHOLE = ("plain", "other", "json", "epochs", "mode", "limited", "errors", "prompted")


def log_of(logs: Path, name: str) -> Path:
    [file] = [path for path in (logs / name).iterdir() if path.suffix in (".eval", ".json")]
    return file


def figures(read: Run) -> dict[str, Any]:
    found: dict[str, Any] = results_of(read)["tasks"]["sums"]["metrics"]
    return found


@pytest.mark.parametrize("name", [*WHOLE, "bare"])
def test_inspects_figures_are_read_as_its_own_reader_reads_them(name: str, logs: Path) -> None:
    read = find(str(log_of(logs, name)))
    said = json.loads((logs / f"{name}.said").read_text())
    shown = figures(read)
    count = 0
    for score in said["scores"]:
        whole = score["name"] if score["name"] == score["scorer"] else f"{score['scorer']}/{score['name']}"
        whole += f":{score['reducer']}" if score["reducer"] else ""
        for key, metric in score["metrics"].items():
            if key == "stderr":
                main = next(k for k in ("accuracy", "mean") if k in score["metrics"])
                assert shown[f"{main},{whole}"]["stderr"] == metric["value"]
            else:
                assert shown[f"{key},{whole}"]["value"] == metric["value"]
                count += 1
    assert count == len(shown)


@pytest.mark.parametrize("name", WHOLE)
def test_its_samples_come_to_its_figures(name: str, logs: Path) -> None:
    read = find(str(log_of(logs, name)))
    table = read.scores().to_pylist()
    means = [key for key in figures(read) if key.partition(",")[0] in ("accuracy", "mean")]
    assert means
    for key in means:
        metric, _, filter_name = key.partition(",")
        values = [row["value"] for row in table if (row["metric"], row["filter"]) == (metric, filter_name)]
        known = [value for value in values if value is not None]
        assert math.fsum(known) / len(known) == pytest.approx(figures(read)[key]["value"], abs=1e-9)


def test_the_same_log_as_json_is_the_same_run(logs: Path) -> None:
    plain, other = find(str(log_of(logs, "plain"))), find(str(log_of(logs, "json")))
    assert plain.record.results.tasks == other.record.results.tasks
    assert plain.scores().equals(other.scores())
    assert list(plain.rows("sums")) == list(other.rows("sums"))


def test_logs_are_compared_and_gated_on_every_scorer(logs: Path) -> None:
    plain, other = find(str(log_of(logs, "plain"))), find(str(log_of(logs, "other")))
    for metric in ("accuracy,match", "mean,sized/length", "accuracy,lenient"):
        [against] = compare(plain, [other], metric=metric, flips=4).against
        [task] = against.tasks
        assert task.n == (7 if metric == "accuracy,lenient" else 8)
        assert task.baseline == pytest.approx(figures(plain)[metric]["value"])
        assert task.candidate == pytest.approx(figures(other)[metric]["value"])
        assert task.unpaired.total == 0
    flips = compare(plain, [other], flips=4).against[0].tasks[0].flips
    assert flips
    assert all(flip.question.startswith("What is") and flip.baseline != flip.candidate for flip in flips)
    assert gate(plain, other, Policy()).tasks[0].metric == "accuracy,match"


def test_epochs_are_averaged_and_pair_with_single_ones(logs: Path) -> None:
    [against] = compare(find(str(log_of(logs, "plain"))), [find(str(log_of(logs, "epochs")))]).against
    assert against.tasks[0].n == 8
    rows = [row for row in find(str(log_of(logs, "epochs"))).rows("sums") if row["filter"] == "match"]
    assert [len(row["resps"][0]) for row in rows] == [3] * 8


def test_a_reducer_is_part_of_the_name(logs: Path) -> None:
    assert set(figures(find(str(log_of(logs, "mode"))))) == {
        f"accuracy,{scorer}:{reducer}" for scorer in ("includes", "match") for reducer in ("mode", "pass_at_2")
    }


def test_what_was_not_scored_is_no_zero(logs: Path) -> None:
    read = find(str(log_of(logs, "plain")))
    rows = {row["doc_id"]: row for row in read.scores().to_pylist() if row["filter"] == "lenient"}
    assert (rows[4]["value"], rows[4]["flags"]) == (None, "error")
    assert (rows[3]["value"], rows[3]["flags"]) == (0.0, "unparsed")
    assert (rows[2]["value"], rows[2]["flags"]) == (1.0, "")
    assert rows[5]["flags"] == "unfinished"
    assert {row["cluster"] for row in rows.values()} == {"odd", "even"}


@pytest.mark.parametrize(
    ("name", "status"), [("plain", "complete"), ("limited", "limited"), ("errors", "partial"), ("failed", "partial")]
)
def test_a_log_that_is_not_whole_is_stamped(name: str, status: str, logs: Path) -> None:
    read = find(str(log_of(logs, name)))
    assert read.status == status
    assert len(board("--import", log_of(logs, name), "--output-path", logs)) == (status == "complete")


@pytest.mark.parametrize("name", ["failed", "killed"])
def test_a_log_without_figures_says_so(name: str, logs: Path) -> None:
    shown = typed("compare", log_of(logs, "plain"), log_of(logs, name))
    assert shown.exit_code == 4, shown.stderr
    assert "inspect eval-retry" in " ".join(shown.stderr.split())
    assert find(str(log_of(logs, name))).status == "partial"


def test_samples_that_all_failed_are_no_complete_run(logs: Path, tmp_path: Path) -> None:
    content = json.loads(log_of(logs, "json").read_text())
    content.pop("reductions", None)
    content["results"] = None
    for sample in content["samples"]:
        sample |= {"scores": {}, "error": {"message": "boom", "traceback": "", "traceback_ansi": ""}}
    (tmp_path / "all.json").write_text(json.dumps(content))
    read = find(str(tmp_path / "all.json"))
    assert (read.status, results_of(read)["tasks"]["sums"]["errors"]) == (
        "partial",
        len({s["id"] for s in content["samples"]}),
    )
    assert "no sample was scored" in next(iter(figures(read).values()))["reason"]


def test_logs_are_found_in_the_folders_of_a_folder(logs: Path, tmp_path: Path) -> None:
    for name in ("plain", "other"):
        (tmp_path / "all" / name).mkdir(parents=True)
        shutil.copy(log_of(logs, name), tmp_path / "all" / name)
    assert len(find_foreign(tmp_path / "all")[0]) == 2


def test_another_prompt_is_another_measurement(logs: Path) -> None:
    shown = typed("compare", log_of(logs, "plain"), log_of(logs, "prompted"))
    assert shown.exit_code == 2
    assert "--allow prompts" in shown.stderr
    assert typed("compare", log_of(logs, "plain"), log_of(logs, "prompted"), "--allow", "prompts").exit_code == 0


def test_a_folder_of_logs_is_one_run_of_their_tasks(logs: Path, tmp_path: Path) -> None:
    shutil.copy(log_of(logs, "plain"), tmp_path / "a.eval")
    read = find(str(tmp_path))
    assert read.requested == ["sums"]
    shutil.copy(log_of(logs, "other"), tmp_path / "b.eval")
    with pytest.raises(UnknownRun, match=r"2 logs of sums.*a\.eval.*b\.eval"):
        find(str(tmp_path))
    runs, broken = find_foreign(tmp_path)
    assert (len(runs), broken) == (2, [])
    (tmp_path / "c.eval").write_bytes(b"no zip at all")
    runs, broken = find_foreign(tmp_path)
    assert len(runs) == 2
    assert "no zip file" in broken[0][1]


@pytest.mark.parametrize(
    ("value", "number"),
    [
        *(("C", 1.0), ("I", 0.0), ("P", 0.5), ("N", 0.0), ("yes", 1.0), ("No", 0.0), ("TRUE", 1.0), ("0.25", 0.25)),
        *(("", 0.0), ("inf", 0.0), ("nan", 0.0), ("c", 0.0), ("1e2", 100.0), (" 1", 1.0), ("1_0", 10.0), ("٣", 3.0)),
        *((True, 1.0), (3, 3.0), (0.1, 0.1), ([1], 0.0), ({"a": 1}, 0.0)),
    ],
)
def test_values_are_read_as_inspect_reads_them(value: Any, number: float) -> None:
    if importlib.util.find_spec("inspect_ai") is not None:
        from inspect_ai.scorer import value_to_float

        assert value_to_float()(value) == number
    assert to_float(value) == number


# ── zip files without trust ──────────────────────────────────────────────────


def rewritten(log: Path, to: Path, change: Callable[[dict[str, bytes]], Any], **options: Any) -> Path:
    """The log with other members, packed in the old way."""
    with Archive(log) as archive:
        members = {name: archive.read(name) for name in archive.names}
    change(members)
    with zipfile.ZipFile(to, "w", options.get("method", zipfile.ZIP_DEFLATED)) as packed:
        for name, content in members.items():
            packed.writestr(name, content)
    return to


def test_logs_packed_in_the_old_way_are_read_too(logs: Path, tmp_path: Path) -> None:
    old = rewritten(log_of(logs, "plain"), tmp_path / "old.eval", lambda members: None)
    assert find(str(old)).record.results.tasks == find(str(log_of(logs, "plain"))).record.results.tasks


def test_an_edited_figure_is_refused(logs: Path, tmp_path: Path) -> None:
    def change(members: dict[str, bytes]) -> None:
        content = json.loads(members["header.json"])
        content["results"]["scores"][0]["metrics"]["accuracy"]["value"] = 0.99
        members["header.json"] = json.dumps(content).encode()

    with pytest.raises(RunFolderError, match=r"accuracy,match = 0.625.*say 0.99"):
        find(str(rewritten(log_of(logs, "plain"), tmp_path / "edited.eval", change)))


@pytest.mark.parametrize(("claimed", "says"), [(0x7FFFFFF0, "would unpack to 2 GiB"), (100, "checksum|broken")])
def test_a_bomb_is_not_unpacked(claimed: int, says: str, tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.eval"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("header.json", b" " * (8 << 20))
    content = bytearray(bomb.read_bytes())
    entry = content.index(b"PK\x01\x02")
    content[entry + 24 : entry + 28] = claimed.to_bytes(4, "little")
    bomb.write_bytes(content)
    shown = typed("compare", bomb, bomb)
    assert shown.exit_code == 4
    assert re.search(says, shown.stderr)


def test_members_are_read_by_name_and_nothing_is_written(logs: Path, tmp_path: Path) -> None:
    def change(members: dict[str, bytes]) -> None:
        members["../../outside.json"] = b"{}"
        members["/samples/0_epoch_1.json"] = b"{}"

    before = {path for path in tmp_path.parent.rglob("*") if path.is_file()}
    log = rewritten(log_of(logs, "plain"), tmp_path / "tricky.eval", change)
    assert find(str(log)).record.results.tasks == find(str(log_of(logs, "plain"))).record.results.tasks
    assert {path for path in tmp_path.parent.rglob("*") if path.is_file()} - before == {log}


@pytest.mark.parametrize("packed", ["as written", "deflated"])
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_log_is_one_line(packed: str, data: st.DataObject, logs: Path, tmp_path: Path) -> None:
    log = log_of(logs, "plain")
    if packed == "deflated":
        log = rewritten(log, tmp_path / "deflated.zip", lambda members: None)
    content = bytearray(log.read_bytes())
    kind = data.draw(st.sampled_from(["cut", "flip", "flip near the end"]))
    if kind == "cut":
        content = content[: data.draw(st.integers(0, len(content) - 1))]
    else:
        low = 0 if kind == "flip" else len(content) - 1200
        content[data.draw(st.integers(low, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    damaged = tmp_path / "damaged.eval"
    damaged.write_bytes(content)
    readable(damaged)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_stands_in_a_log_is_read_or_refused_in_one_line(
    data: st.DataObject, logs: Path, tmp_path: Path
) -> None:
    content = json.loads(log_of(logs, "json").read_text())
    for sample in content["samples"]:
        sample.pop("events", None)
        sample.pop("events_data", None)
    path = data.draw(st.sampled_from(list(places(content))))
    file = tmp_path / "log.json"
    file.write_text(json.dumps(replaced(content, path, data.draw(junk()))))
    readable(file)
