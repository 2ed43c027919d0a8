"""Models side by side, a judge beside the checks, and win rates against recorded answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from evalkit.results import Run
from tests.engines.openai.test_openai_served import speak_in_digits
from tests.helpers.instruct import GOOD, lines
from tests.helpers.judged import evalkit, of_judge
from tests.helpers.runfolders import results_of


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny chat model whose every word is a digit."""
    from tests.helpers.checkpoints import make_checkpoint

    folder = make_checkpoint(tmp_path_factory.mktemp("judge") / "tiny", chat_template=True)
    speak_in_digits(folder)
    return folder


@pytest.fixture(scope="module")
def judged(judge: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """nano and the judge itself on a part of the probe, judged by the local engine."""
    root = tmp_path_factory.mktemp("judged")
    tasks = "instruct_ko"
    done = evalkit(
        *("run", "--model", f"nano,{judge}", "--tasks", tasks, "--limit", "2", "--gen-kwargs", "max_gen_toks=24"),
        *("--judge", f"hf:{judge}", "--rubric", "instruction-following", "--judge-args", "dtype=float32"),
        *("--output-path", str(root), "--json", str(root / "out.json"), "--name", "x", "-q"),
    )
    return root, done.stdout


def test_several_models_stand_side_by_side(judged: tuple[Path, str]) -> None:
    _, shown = judged
    table = shown[shown.index("## Side by side") :]
    assert "| nano |" in table.splitlines()[2]
    assert any(line.startswith("| instruct_ko | checks_strict") for line in table.splitlines())
    assert any("overall (instruction-following@" in line for line in table.splitlines())
    assert any(line.startswith("| instruct_ko | checks_share") for line in table.splitlines())
    assert not any("- instruct_sql_ko | checks_share" in line for line in table.splitlines())
    assert "instruct_sql_ko" in table


def test_a_failed_check_caps_the_judges_score_and_both_are_kept(judged: tuple[Path, str]) -> None:
    root, _ = judged
    for results in json.loads((root / "out.json").read_text()):
        for entry in [results["groups"]["instruct_ko"], *results["tasks"].values()]:
            figure = of_judge(entry["metrics"], "overall,instruction-following")
            assert figure["value"] is not None
            assert "checks_strict,none" in entry["metrics"]
            if entry["metrics"]["checks_strict,none"]["value"] == 0.0:
                assert figure["value"] <= 3.0 < figure["uncapped"]["value"], "4 is what this judge likes to say"
                assert figure["capped"] == figure["n"] == entry["n"]
    run = next(iter(Run.open(path) for path in root.glob("nano/*/")))
    [file] = (run.path / "judgments").glob("*.jsonl")
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    assert all(row["capped"] == min(row["score"], 3.0) for row in rows if "capped" in row)
    assert any(row["score"] > 3.0 for row in rows)
    scores = run.scores().to_pylist()
    overall = [line for line in scores if line["metric"] == "overall"]
    lines = [line for line in overall if line["filter"].startswith("instruction-following@")]
    assert lines
    assert all(line["value"] <= 3.0 for line in lines)
    assert "overall" in (run.path / "report.md").read_text()


def test_gate_and_leaderboard_show_both_figures(judged: tuple[Path, str], judge: Path) -> None:
    root, _ = judged
    overall = f"overall,instruction-following@hf:{judge}"
    evalkit("leaderboard", "--output-path", str(root), "--include", "limited", "--json", str(root / "board.json"))
    board = json.loads((root / "board.json").read_text())
    assert {"instruct_ko", f"instruct_ko {overall}"} <= set(board["benchmarks"])
    run = next(iter(root.glob("nano/*/")))
    policy = root / "gate.yaml"
    policy.write_text(
        "tasks:\n  instruct_ko: {max_drop: 0.9}\n"
        "  judged: {task: instruct_ko, metric: 'overall,instruction-following', max_drop: 3.9, tier: supporting}\n"
    )
    for extra in ((), ("--policy", str(policy))):
        done = evalkit(
            *("gate", str(run), str(run), "--output-path", str(root), "--json", str(root / "gate.json"), *extra),
            code=0 if extra else 3,
        )
        verdicts = json.loads((root / "gate.json").read_text())["tasks"]
        metrics = {name: task["metric"] for name, task in verdicts.items()}
        assert metrics["instruct_ko"] == "checks_strict,none", done.stdout
        assert overall in metrics.values()


def test_judging_one_task_again_takes_its_groups_figure_away_and_leaves_the_others(
    judged: tuple[Path, str], judge: Path, tmp_path: Path
) -> None:
    import shutil

    root = tmp_path / "copy"
    shutil.copytree(judged[0], root)
    path = next(iter(root.glob("nano/*/")))
    evalkit(
        *("judge", "run", str(path), "--tasks", "instruct_sql_ko", "--rubric", "instruction-following", "-q"),
        *("--judge", f"hf:{judge}", "--judge-args", "dtype=float32", "--output-path", str(root)),
    )
    again, metric = Run.open(path), "overall,instruction-following"
    assert not any(name.startswith(metric) for name in results_of(again)["groups"]["instruct_ko"]["metrics"])
    assert all(of_judge(entry["metrics"], metric) for entry in results_of(again)["tasks"].values())
    kept = {line["task"] for line in again.scores().to_pylist() if line["filter"].startswith("instruction-following@")}
    assert kept == set(results_of(again)["tasks"])


def test_a_group_without_a_figure_of_its_own_stays_a_list(judge: Path, tmp_path: Path) -> None:
    root = tmp_path / "results"
    evalkit(
        *("run", "--model", "nano", "--tasks", "mini", "--limit", "2", "--output-path", str(root), "--name", "m", "-q"),
        *("--judge", f"hf:{judge}", "--judge-args", "dtype=float32", "--rubric", "instruction-following"),
    )
    run = Run.open(root / "nano" / "m")
    assert not results_of(run)["groups"]["mini"]["metrics"]
    assert f"overall,instruction-following@hf:{judge}" in results_of(run)["tasks"]["mini_arithmetic"]["metrics"]


DUEL = """
id: duel
version: 1
kind: pairwise
language: {instructions: en, answer: any}
inputs: {instruction: required, answer: required, reference: optional}
form: score
min_coverage: 0.9
dimensions:
  preference:
    criteria: Which answer is better.
    steps: [Read both., Choose.]
    scale: {labels: {"1": 1, "2": 0, "3": 0.5, "4": 0.75, "5": 0.25}}
"""
"""The shipped comparison, with labels that the tests' judge can say."""


def alpaca_eval(path: Path, generator: str, answer: Callable[[int], str], order: Sequence[int] = range(6)) -> Path:
    rows = [{"instruction": f"Say the number {n}.", "output": answer(n), "generator": generator} for n in order]
    path.write_text(json.dumps(rows))
    return path


def test_a_win_rate_against_alpacaevals_own_file(judge: Path, tmp_path: Path) -> None:
    task = alpaca_eval(tmp_path / "eval.json", "gpt4", lambda n: f"The number is {n}.")
    root, rubric = tmp_path / "results", tmp_path / "duel.yaml"
    rubric.write_text(DUEL)
    evalkit(
        *("run", "--model", "nano", "--tasks", f"alpaca:{task}", "--output-path", str(root), "--name", "r", "-q"),
        *("--gen-kwargs", "max_gen_toks=12", "--judge", f"hf:{judge}", "--judge-args", "dtype=float32"),
        *("--rubric", str(rubric), "--json", str(tmp_path / "out.json")),
    )
    metrics = json.loads((tmp_path / "out.json").read_text())["tasks"][f"alpaca:{task}"]["metrics"]
    figure = of_judge(metrics, "preference,duel")
    assert figure["against"] == "gpt4"
    assert figure["n"] == 6
    assert 0.0 <= figure["win_rate"] == figure["value"] <= 1.0
    assert figure["stderr"] is not None
    assert figure["wins"] + figure["losses"] + figure["draws"] == 6
    assert figure["length"]["n"] == 6
    assert figure["shown_first"] is not None

    other = alpaca_eval(tmp_path / "other.json", "claude", lambda n: str(n), order=[5, 3, 1, 0, 2])
    run = next(iter(root.glob("nano/r")))
    evalkit(
        *("judge", "run", str(run), "--rubric", str(rubric), "--reference", str(other), "--judge", f"hf:{judge}"),
        *("--judge-args", "dtype=float32", "--output-path", str(root), "--json", str(tmp_path / "again.json"), "-q"),
        code=4,  # one of six instructions is not in that file: below the rubric's coverage
    )
    metrics = json.loads((tmp_path / "again.json").read_text())["tasks"][f"alpaca:{task}"]["metrics"]
    figure = of_judge(metrics, "preference,duel")
    assert figure["against"] == "claude"
    assert figure["n"] == 5
    assert figure["missing"] == {"other.json has no answer to this instruction": 1}
    assert figure["value"] is None
    assert "coverage" in figure["reason"]


def test_a_reference_over_other_instructions_is_refused(tmp_path: Path, judge: Path) -> None:
    task = alpaca_eval(tmp_path / "eval.json", "gpt4", str)
    root = tmp_path / "results"
    evalkit(
        *("run", "--model", "nano", "--tasks", f"alpaca:{task}", "--output-path", str(root), "--name", "r", "-q"),
        *("--gen-kwargs", "max_gen_toks=4"),
    )
    common = ("judge", "run", str(root / "nano" / "r"), "--judge", f"hf:{judge}", "--output-path", str(root), "-q")
    stranger = lines(tmp_path / "other.jsonl", GOOD)
    done = evalkit(*common, "--rubric", "pairwise", "--reference", str(stranger), code=2)
    assert "answers none of the 6 instructions" in done.stderr
    done = evalkit(*common, "--rubric", "instruction-following", "--reference", str(task), code=2)
    assert "rates single answers" in done.stderr
