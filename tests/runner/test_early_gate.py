"""Runs that are judged while they run, and stop when the verdict is sure."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from evalkit.cli.run import command
from evalkit.comparison import compare
from evalkit.config import RunConfig
from evalkit.engines import mock
from evalkit.engines.mock import MockEngine
from evalkit.errors import EvalkitError, NotComparable, UnknownModel, UnknownTask, UsageError
from evalkit.gating import gate
from evalkit.policy import Drop, Policy, TaskPolicy
from evalkit.ranking import leaderboard
from evalkit.reporting.progress import Progress
from evalkit.reporting.run_view import report
from evalkit.results import Run
from evalkit.runner import EarlyGate, Outcome, run
from tests.helpers.early import prefix
from tests.helpers.runfolders import results_of


@pytest.fixture
def corridor(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Outcome]]:
    """`evalkit run` with the mock engine's canned answers; everything else is real."""
    monkeypatch.setattr("evalkit.runner.finding.choose", lambda *_, **__: mock.SPEC)

    def go_through(against: EarlyGate | None = None, **asked: Any) -> list[Outcome]:
        flags = {"model": str(tiny_model), "tasks": "mini_knowledge,mini_arithmetic", "output_path": tmp_path / "runs"}
        return run(RunConfig.build(**{**flags, **asked}), Heard(), report, against)

    return go_through


class Heard(Progress):
    def note(self, text: str) -> None:
        pass


@pytest.fixture(scope="module")
def base(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results folder of one run of two tasks, which the tests copy."""
    root = tmp_path_factory.mktemp("base") / "runs"
    asked = RunConfig.build(
        model=str(tiny_model), tasks="mini_knowledge,mini_arithmetic", output_path=str(root), name="base"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("evalkit.runner.finding.choose", lambda *_, **__: mock.SPEC)
        run(asked, Heard(), report)
    return root


@pytest.fixture
def perfect(base: Path, tmp_path: Path) -> Run:
    """A baseline that the mock's guesses are far below: its own run, with every document of mini_knowledge right."""
    shutil.copytree(base, tmp_path / "runs")
    (folder,) = (tmp_path / "runs").glob("*/base")
    return with_values(folder, "mini_knowledge", "acc,none", 1.0)


def with_values(path: Path, task: str, metric: str, value: float) -> Run:
    table = pq.read_table(path / "scores.parquet")
    chosen = [name == task for name in table.column("task").to_pylist()]
    values = [value if mine else old for mine, old in zip(chosen, table.column("value").to_pylist(), strict=True)]
    table = table.set_column(table.column_names.index("value"), "value", pa.array(values, pa.float64()))
    pq.write_table(table, path / "scores.parquet")
    results = json.loads((path / "results.json").read_text())
    results["tasks"][task]["metrics"][metric]["value"] = value
    (path / "results.json").write_text(json.dumps(results))
    return Run.open(path)


def policy(**tasks: float) -> Policy:
    return Policy(tasks={name: TaskPolicy(max_drop=Drop(drop)) for name, drop in tasks.items()})


def asked_documents(outcome: Outcome, task: str) -> list[int]:
    return [row["doc_id"] for row in Run.open(outcome.path).rows(task)]


def test_a_run_stops_where_it_is_sure_and_says_so(corridor: Callable[..., list[Outcome]], perfect: Run) -> None:
    (outcome,) = corridor(EarlyGate(perfect, policy(mini_knowledge=0.05)), name="worse", seed="7", fresh=True)
    assert outcome.exit_code == 1
    results, manifest = results_of(outcome), json.loads((outcome.path / "manifest.json").read_text())
    said = results["early_stopping"]["tasks"]["mini_knowledge"]
    assert results["early_stopping"]["verdict"] == said["verdict"] == "regression"
    assert said["n"] < 200
    assert (said["of"], said["not_run"]) == (400, 400 - said["n"])
    assert manifest["early_stopping"] == results["early_stopping"]
    assert manifest["against"]["run_id"] == "base"
    assert manifest["against"]["seed"] == 7
    assert results["status"] == "partial"
    assert results["tasks"]["mini_knowledge"]["not_run"] == said["not_run"]
    assert results["tasks"]["mini_knowledge"]["n"] == said["n"]
    assert results["tasks"]["mini_knowledge"]["missing"] == 0
    assert results["tasks"]["mini_arithmetic"]["not_run"] == 0, "what the policy does not judge runs in full"
    assert sorted(prefix(perfect, outcome, "mini_knowledge")) == asked_documents(outcome, "mini_knowledge")
    text = (outcome.path / "report.md").read_text()
    assert "PARTIAL" in text
    assert f"{said['n']} of 400" in text
    assert "REGRESSION" in text


def test_only_the_documents_drawn_are_asked_for(
    corridor: Callable[..., list[Outcome]], perfect: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    engines: list[MockEngine] = []

    def load(*args: Any, **options: Any) -> MockEngine:
        engines.append(MockEngine())
        return engines[-1]

    monkeypatch.setattr("evalkit.engines.mock.load", load)
    (outcome,) = corridor(EarlyGate(perfect, policy(mini_knowledge=0.05)), tasks="mini_knowledge", fresh=True)
    said = results_of(outcome)["early_stopping"]["tasks"]["mini_knowledge"]
    assert len(engines) == 1, "one engine for all rounds"
    assert said["n"] <= len(engines[0].sent) / 4 + 8, "four choices each; equal documents are asked once"
    assert len(engines[0].sent) <= said["n"] * 4


def test_a_candidate_that_is_the_baseline_passes(corridor: Callable[..., list[Outcome]]) -> None:
    (base,) = corridor(name="base", tasks="mini_knowledge")
    against = EarlyGate(Run.open(base.path), policy(mini_knowledge=0.1))
    (outcome,) = corridor(against, name="same", tasks="mini_knowledge")
    said = results_of(outcome)["early_stopping"]["tasks"]["mini_knowledge"]
    assert (outcome.exit_code, said["verdict"], said["by"]) == (0, "pass", "sequence")
    assert said["n"] < 400


def test_where_nothing_is_sure_the_run_is_complete(corridor: Callable[..., list[Outcome]]) -> None:
    (base,) = corridor(name="base", tasks="mini_knowledge")
    against = EarlyGate(Run.open(base.path), policy(mini_knowledge=0.001))
    (outcome,) = corridor(against, name="open", tasks="mini_knowledge")
    assert outcome.exit_code == 3
    assert results_of(outcome)["status"] == "complete"
    said = results_of(outcome)["early_stopping"]["tasks"]["mini_knowledge"]
    assert (said["verdict"], said["by"], said["not_run"]) == ("cannot_tell", "gate", 0)
    assert gate(Run.open(base.path), Run.open(outcome.path)).tasks[0].n == 400, "a whole run is judged as any other"


def test_what_can_not_fall_further_passes_at_the_first_look(corridor: Callable[..., list[Outcome]]) -> None:
    """The mock gets no sum right, in either run: no answer can be worse."""
    (base,) = corridor(name="base", tasks="mini_arithmetic")
    against = EarlyGate(Run.open(base.path), policy(mini_arithmetic=0.001))
    (outcome,) = corridor(against, name="same", tasks="mini_arithmetic")
    said = results_of(outcome)["early_stopping"]["tasks"]["mini_arithmetic"]
    assert (said["verdict"], said["rounds"]) == ("pass", 1)


def test_a_run_that_died_goes_on_with_the_same_order(
    corridor: Callable[..., list[Outcome]], perfect: Run, tmp_path: Path
) -> None:
    against = EarlyGate(perfect, policy(mini_knowledge=0.05))
    (calm,) = corridor(against, name="calm", fresh=True, output_path=tmp_path / "calm")
    (died,) = corridor(against, name="x", output_path=tmp_path / "x", model_args="die_after=60")
    assert died.exit_code == 4
    assert results_of(died)["status"] == "incomplete"
    assert results_of(died)["early_stopping"]["verdict"] is None
    (went_on,) = corridor(against, name="y", output_path=tmp_path / "x")
    assert went_on.exit_code == 1
    assert asked_documents(went_on, "mini_knowledge") == asked_documents(calm, "mini_knowledge")
    one, other = (results_of(outcome)["early_stopping"]["tasks"]["mini_knowledge"] for outcome in (calm, went_on))
    assert one == other


def test_the_same_name_is_done_and_keeps_its_exit_code(corridor: Callable[..., list[Outcome]], perfect: Run) -> None:
    against = EarlyGate(perfect, policy(mini_knowledge=0.05))
    (first,) = corridor(against, name="again")
    (second,) = corridor(against, name="again")
    assert (first.exit_code, second.exit_code) == (1, 1)
    assert results_of(first) == results_of(second)
    with pytest.raises(UsageError, match="--against"):
        corridor(name="again")
    with pytest.raises(UsageError, match="--against"):
        corridor(EarlyGate(perfect, policy(mini_knowledge=0.02)), name="again")


def test_a_run_that_stopped_early_is_kept_out(corridor: Callable[..., list[Outcome]], perfect: Run) -> None:
    (outcome,) = corridor(EarlyGate(perfect, policy(mini_knowledge=0.05)), name="worse")
    stopped = Run.open(outcome.path)
    with pytest.raises(NotComparable, match=r"stopped early.*REGRESSION"):
        gate(perfect, stopped)
    with pytest.raises(NotComparable, match="stopped early"):
        corridor(EarlyGate(stopped, policy(mini_knowledge=0.05)))
    for also in ((), ("partial", "incomplete")):
        board = leaderboard([perfect, stopped], every=True, also=also)
        assert [line.run.run_id for line in board.lines] == ["base"]
        assert any("1 stopped early" in note for note in board.notes)
    (against,) = compare(perfect, [stopped]).against
    assert any("stopped as soon as it was sure" in note for note in against.notes)


def test_each_adapter_is_judged_by_itself(
    corridor: Callable[..., list[Outcome]], perfect: Run, tiny_adapters: tuple[Path, Path]
) -> None:
    outcomes = corridor(
        EarlyGate(perfect, policy(mini_knowledge=0.05)), tasks="mini_knowledge", adapter=f"a={tiny_adapters[0]}"
    )
    assert [outcome.exit_code for outcome in outcomes] == [1, 1]
    seen = [asked_documents(outcome, "mini_knowledge") for outcome in outcomes]
    shorter, longer = sorted(seen, key=len)
    assert set(shorter) <= set(longer), "one order for both"


@pytest.mark.parametrize(
    ("asked", "rules", "error", "says"),
    [
        ({"num_fewshot": 1}, {"mini_knowledge": 0.05}, NotComparable, "shots(.|\n)*the baseline's flags"),
        ({"seed": "7"}, {"mini_arithmetic": 0.05}, NotComparable, "type --seed 7,7,7,1234"),
        ({"limit": 50}, {"mini_knowledge": 0.05}, NotComparable, "this is --limit 50;"),
        ({"tasks": "mini_endings"}, {}, NotComparable, "mini_endings"),
        ({"tasks": "mini_arithmetic"}, {"mini_knowlege": 0.05}, UnknownTask, "judged and not run"),
        ({"tasks": "mini_endings"}, {"mini_endings": 0.05}, UnknownTask, "base"),
    ],
)
def test_what_can_not_be_held_against_the_baseline_is_refused_before_any_engine_starts(
    corridor: Callable[..., list[Outcome]],
    perfect: Run,
    monkeypatch: pytest.MonkeyPatch,
    asked: dict[str, Any],
    rules: dict[str, float],
    error: type[Exception],
    says: str,
) -> None:
    monkeypatch.setattr("evalkit.runner.answering.start", lambda *args: pytest.fail("an engine was started"))
    with pytest.raises(error, match=says):
        corridor(EarlyGate(perfect, policy(**rules)), **asked)


def test_a_judge_s_figure_is_refused_with_what_to_type_instead(
    corridor: Callable[..., list[Outcome]], perfect: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evalkit.runner.answering.start", lambda *args: pytest.fail("an engine was started"))
    content = json.loads((perfect.path / "results.json").read_text())
    content["tasks"]["mini_knowledge"]["metrics"]["quality,one@openai:j"] = {
        "value": 0.5,
        "higher_is_better": True,
        "rubric": {"id": "one", "version": 1, "hash": "h"},
        "judge": [{"name": "openai:j", "fingerprint": "f"}],
    }
    (perfect.path / "results.json").write_text(json.dumps(content))
    rules = Policy(tasks={"mini_knowledge": TaskPolicy("quality,one@openai:j", Drop(0.1))})
    with pytest.raises(UsageError, match=r"a judge's figure.*evalkit judge run RUN and evalkit gate base RUN"):
        corridor(EarlyGate(Run.open(perfect.path), rules), tasks="mini_knowledge")


@pytest.fixture
def duo(tmp_path: Path) -> str:
    """A group over two shipped tasks, in a folder of the user's own."""
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "duo.yaml").write_text(
        "group: duo\ntask: [mini_knowledge, mini_endings]\n"
        "aggregate_metric_list:\n  - {metric: acc, weight_by_size: true}\nmetadata: {version: 1.0}\n"
    )
    return str(folder)


def test_a_group_is_drawn_and_stopped_as_one(corridor: Callable[..., list[Outcome]], duo: str) -> None:
    (base,) = corridor(name="base", tasks="duo", include_path=duo)
    with_values(base.path, "mini_knowledge", "acc,none", 1.0)
    results = json.loads((base.path / "results.json").read_text())
    tasks = results["tasks"]
    mean = sum(tasks[name]["metrics"]["acc,none"]["value"] * tasks[name]["n"] for name in tasks) / 600
    results["groups"]["duo"]["metrics"]["acc,none"]["value"] = mean
    (base.path / "results.json").write_text(json.dumps(results))
    against = EarlyGate(Run.open(base.path), policy(duo=0.05))
    (outcome,) = corridor(against, name="worse", tasks="duo", include_path=duo)
    said = results_of(outcome)["early_stopping"]["tasks"]["duo"]
    assert (said["verdict"], said["of"], outcome.exit_code) == ("regression", 600, 1)
    counts = {name: results_of(outcome)["tasks"][name]["n"] for name in ("mini_knowledge", "mini_endings")}
    assert sum(counts.values()) == said["n"] < 300
    assert counts["mini_knowledge"] / said["n"] == pytest.approx(400 / 600, abs=0.12), "each task in proportion"


def test_two_targets_can_not_share_documents(corridor: Callable[..., list[Outcome]], duo: str) -> None:
    (base,) = corridor(name="base", tasks="duo", include_path=duo)
    against = EarlyGate(Run.open(base.path), policy(duo=0.05, mini_endings=0.05))
    with pytest.raises(UsageError, match="share the documents of mini_endings"):
        corridor(against, tasks="duo", include_path=duo)


def test_a_limited_baseline_goes_with_the_same_limit(corridor: Callable[..., list[Outcome]]) -> None:
    (base,) = corridor(name="base", tasks="mini_knowledge", limit=200)
    with_values(base.path, "mini_knowledge", "acc,none", 1.0)
    against = EarlyGate(Run.open(base.path), policy(mini_knowledge=0.05))
    (outcome,) = corridor(against, name="worse", tasks="mini_knowledge", limit=200)
    said = results_of(outcome)["early_stopping"]["tasks"]["mini_knowledge"]
    assert (said["verdict"], said["of"], outcome.exit_code) == ("regression", 200, 1)
    assert (results_of(outcome)["status"], results_of(outcome)["limited"]) == ("partial", True)


def test_a_policy_from_the_environment_is_left_for_the_gate(tmp_path: Path) -> None:
    done = CliRunner(env={"EVALKIT_POLICY": "gate.yaml"}).invoke(
        command, ["--model", "nobody/nothing-here", "--tasks", "mini_endings", "--output-path", str(tmp_path)]
    )
    assert isinstance(done.exception, UnknownModel), "it came as far as looking for the model"


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["--policy", "gate.yaml"], "--policy goes with --against"),
        (["--against", "nobody"], "nobody"),
        (["--against", "x", "--judge", "openai:j", "--rubric", "dialogue"], "evalkit gate BASELINE RUN --policy FILE"),
        (["--against", "x", "--policy", "CLEAN"], "--mark RUN and evalkit gate"),
    ],
)
def test_flags_that_make_no_sense_are_exit_2(argv: list[str], says: str, tmp_path: Path) -> None:
    clean = tmp_path / "clean.yaml"
    clean.write_text("tasks: {mini_endings: {clean_only: true}}\n")
    argv = [str(clean) if word == "CLEAN" else word for word in argv]
    done = CliRunner().invoke(
        command, ["--model", "nano", "--tasks", "mini_endings", "--output-path", str(tmp_path), *argv]
    )
    told = done.output + str(done.exception)
    assert says in told
    assert isinstance(done.exception, EvalkitError)
    assert done.exception.exit_code == 2


def test_labels_of_answers_that_are_not_there_are_refused_with_what_to_type_instead() -> None:
    done = CliRunner().invoke(command, ["--model", "nano", "--tasks", "mini", "--against", "x", "--labels", "h.jsonl"])
    assert done.exit_code == 2
    assert "evalkit gate BASELINE RUN --labels FILE" in done.output
