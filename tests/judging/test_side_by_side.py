"""Judgments of several rubrics and judges in one run: each stays, with its rows and the folder's other files."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from evalkit.comparison import compare
from evalkit.gating import gate
from evalkit.policy import Policy
from evalkit.ranking import leaderboard
from evalkit.results import Metric, Run, RunWriter, judge_names
from evalkit.results.names import judgments_file
from tests.helpers.judged import RUBRIC, judge, make_run
from tests.helpers.loopback import Loopback
from tests.helpers.runfolders import manifest_of, results_of

KEYS = {f"quality,{rubric}@openai:{judge}" for rubric in ("one", "two") for judge in ("a", "b")}


def judged(root: Path, url: str, rubric: str, name: str, verb: str = "run", run: str = "r1") -> None:
    path = root / f"{rubric}.yaml"
    path.write_text(RUBRIC.replace("id: one", f"id: {rubric}"))
    judge(root, "--rubric", str(path), "--judge", f"openai:{name}@{url}", verb=verb, run=run)


def figures(run: Run) -> dict[str, Any]:
    return {key: metric for key, metric in results_of(run)["tasks"]["chat"]["metrics"].items() if "rubric" in metric}


def short(names: Iterable[str]) -> set[str]:
    """Without the addresses of the judges' server."""
    return {name.partition("@http")[0] for name in names}


def check_whole(run: Run) -> None:
    """Every judged figure has its judgments and its score lines, and nothing of the user's is gone."""
    lines = [line for line in run.scores().to_pylist() if line["metric"] == "quality"]
    for key, metric in figures(run).items():
        said = judge_names(Metric.model_validate(metric))
        assert said is not None
        for name in said[1]:
            assert (run.path / judgments_file(f"{said[0]}@{name}")).is_file(), key
        values = [line["value"] for line in lines if line["filter"] == key.partition(",")[2]]
        assert len(values) == 6, key
        assert sum(values) / 6 == pytest.approx(metric["value"])
    assert len(lines) == 6 * len(figures(run))
    assert (run.path / "notes.md").read_text() == "mine"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with two judges, each under two rubrics, one of them replayed; and another run with one judgment."""
    root = tmp_path_factory.mktemp("judged")
    made = make_run(root, 6)
    make_run(root, 6, run_id="r2")
    (made.path / "notes.md").write_text("mine")
    with Loopback() as server:
        for rubric in ("one", "two"):
            for name in ("a", "b"):
                judged(root, server.url, rubric, name)
        judged(root, server.url, "one", "a", run="r2")
        judged(root, server.url, "one", "a", verb="replay")
    return root


@pytest.fixture
def run(results: Path, tmp_path: Path) -> Run:
    shutil.copytree(results, tmp_path / "results")
    return Run.open(tmp_path / "results" / "nano" / "r1")


def test_two_judges_under_two_rubrics_stand_side_by_side(run: Run) -> None:
    assert short(figures(run)) == KEYS
    assert len(list((run.path / "judgments").iterdir())) == 4
    assert short(manifest_of(run)["judging"]) == {key.partition(",")[2] for key in KEYS}
    check_whole(run)


def rewritten(run: Run, rows: int = 6, wording: str = "Answer to item-{}.") -> Run:
    """As a resumed run or `evalkit score` writes the same run again."""
    return make_run(run.path.parent.parent, rows, wording=wording)


def test_a_run_that_is_written_again_keeps_them(run: Run) -> None:
    again = rewritten(run)
    assert short(figures(again)) == KEYS
    assert again.record.manifest.judging == run.record.manifest.judging
    check_whole(again)
    assert all(
        f"{rubric}@openai:{name}" in (again.path / "report.md").read_text()
        for rubric in ("one", "two")
        for name in "ab"
    )


def test_judgments_of_other_answers_are_no_figures_of_these(run: Run) -> None:
    again = rewritten(run, wording="Another answer to item-{}.")
    assert figures(again) == {}
    assert {line["metric"] for line in again.scores().to_pylist()} == {"x"}
    assert len(list((again.path / "judgments").iterdir())) == 4, "what was paid for stays"
    assert (again.path / "notes.md").is_file()


def test_a_figure_whose_judgments_are_gone_is_not_written_again(run: Run) -> None:
    next((run.path / "judgments").glob("one@openai-a-*.jsonl")).unlink()
    with RunWriter.amend(run) as writer:
        writer.scores(run.scores())
        again = writer.commit(run.record.manifest, run.record.results)
    assert short(figures(again)) == KEYS - {"quality,one@openai:a"}


def older(run: Run) -> Path:
    """The folder as an evalkit wrote it that knew one judge for a rubric."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = run.path
    results = json.loads((path / "results.json").read_text())
    metrics = results["tasks"]["chat"]["metrics"]
    kept = {key.partition("@")[0]: metric for key, metric in metrics.items() if "@" not in key or ":a@" in key}
    results["tasks"]["chat"]["metrics"] = kept
    (path / "results.json").write_text(json.dumps(results))
    table = run.scores()
    rows = [line for line in table.to_pylist() if "@" not in line["filter"] or ":a@" in line["filter"]]
    renamed = [{**line, "filter": line["filter"].partition("@")[0]} for line in rows]
    pq.write_table(pa.Table.from_pylist(renamed, schema=table.schema), path / "scores.parquet")
    return path


def test_older_runs_are_read_by_everybody(run: Run) -> None:
    old, new = Run.open(older(run)), Run.open(run.path.parent / "r2")
    assert short(figures(old)) == {"quality,one@openai:a", "quality,two@openai:a"}
    assert short(line["filter"] for line in old.scores().to_pylist()) == {"none", "one@openai:a", "two@openai:a"}
    (key,) = [key for key in figures(old) if key.startswith("quality,one")]
    for asked in ("quality,one", key):
        for pair in ((old, new), (new, old)):
            (task,) = compare(pair[0], [pair[1]], metric=asked).against[0].tasks
            assert (task.metric, task.n, task.delta) == (key, 6, 0)
            policy = Policy.parse({"tasks": {"chat": {"metric": asked, "max_drop": 3, "tier": "advisory"}}})
            assert gate(*pair, policy).tasks[0].metric == key
    board = leaderboard([old, new], every=True)
    assert {benchmark.metric for benchmark in board.benchmarks} >= {key}
    assert all(line.scores[f"chat {key}"].value is not None for line in board.lines)


def test_a_name_without_its_judge_is_refused_where_two_gave_it(run: Run) -> None:
    from evalkit.errors import ConfigError

    with pytest.raises(ConfigError, match=r"could be quality,one@openai:b@\S+, quality,one@openai:a@"):
        compare(run, [run], metric="quality,one")
