"""The tables of every verb at 80, 120 and 200 columns, with Korean names: none is wider, no name is cut."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from rich.cells import cell_len

from evalkit.cli import main
from evalkit.reporting import judge_view, run_view
from evalkit.results import Results, Run, RunRecord
from tests.helpers.runfolders import TaskRows, results_of, write_run

WIDTHS = (80, 120, 200)
MODELS = ("한국어-모델-70억-지시-따르기", "polyglot-ko-12.8b-한국어-미세조정")
TASKS = ("한국어_상식_질문", "초등학교_수학_문장제", "gsm8k_translated_to_korean")
NAMES = (*MODELS, *TASKS)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tables")
    luck = np.random.default_rng(7)
    answer = "답은 42입니다. The answer is forty-two because of a long chain of reasoning. " * 4
    for place, model in enumerate(MODELS):
        tasks = {name: TaskRows((luck.random(80) < 0.5 + 0.1 * place).astype(float)) for name in TASKS}
        row = {"filter": "strict-match", "doc": {"question": "질문이 무엇입니까?"}, "target": "42", "resps": [[answer]]}
        rows = {name: [{"doc_id": i, **row} for i in range(80)] for name in TASKS}
        write_run(root, f"run-{place}", tasks, model=model, samples=rows)
    return root


@pytest.fixture(params=WIDTHS)
def shown(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """Calls something on a terminal of this width and returns what stood there, checked."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", str(request.param))

    def call(act: Callable[[], object], *, names: tuple[str, ...] = ()) -> str:
        act()
        text = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
        wide = [line for line in text.splitlines() if cell_len(line) > request.param]
        assert not wide, wide[0]
        words = set(text.split())
        assert not [name for name in names if name not in words], text
        return text

    return call


def typed(*argv: object, codes: tuple[int | None, ...] = (0, 1, 3, None)) -> Callable[[], None]:
    def act() -> None:
        with pytest.raises(SystemExit) as stopped:
            main([str(part) for part in argv])
        assert stopped.value.code in codes

    return act


def test_compare(shown: Callable[..., str], results: Path) -> None:
    text = shown(typed("compare", "run-0", "run-1", "--output-path", results, "--show-flips", 2), names=TASKS)
    assert "forty-two" in text.split()


def test_gate(shown: Callable[..., str], results: Path) -> None:
    shown(typed("gate", "run-0", "run-1", "--output-path", results), names=NAMES)


@pytest.mark.parametrize("more", [(), ("--wide",)], ids=["short", "wide"])
def test_leaderboard(shown: Callable[..., str], results: Path, more: tuple[str, ...]) -> None:
    shown(typed("leaderboard", "--output-path", results, *more), names=NAMES)


def test_curve(shown: Callable[..., str], results: Path, tmp_path: Path) -> None:
    places = tmp_path / "places.csv"
    places.write_text("run,step\nrun-0,100\nrun-1,20000\n")
    shown(typed("curve", "run-0", "run-1", "--points", places, "--output-path", results), names=TASKS)


def test_arena(shown: Callable[..., str], tmp_path: Path) -> None:
    games = [
        {
            "question_id": f"질문 {i}",
            "model_a": MODELS[i % 2],
            "model_b": "gsm8k-튜닝-모델-상당히-긴-이름",
            "winner": ("model_a", "model_b")[i % 3 == 0],
        }
        for i in range(40)
    ]
    path = tmp_path / "games.jsonl"
    path.write_text("".join(json.dumps(game, ensure_ascii=False) + "\n" for game in games), encoding="utf-8")
    shown(typed("arena", "--games", path), names=MODELS)


def test_plan(shown: Callable[..., str], results: Path) -> None:
    shown(typed("plan", "--baseline", "run-0", "--noise", "run-1", "--output-path", results), names=TASKS)


def test_rate(shown: Callable[..., str], tmp_path: Path) -> None:
    kinds = ("초등학교_수학_문장제", "gsm8k-tuned-model-with-a-rather-long-name")
    rows = [{"id": str(i), "output": "I can't help with that.", "kind": kinds[i % 2]} for i in range(40)]
    path = tmp_path / "answers.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    text = shown(typed("rate", path, "--detector", "refusal", "--by", "kind"))
    assert all(kind in text for kind in kinds)


def test_overlap(shown: Callable[..., str], tmp_path: Path) -> None:
    path = tmp_path / "질문이-들어-있는-상당히-긴-이름의-파일.jsonl"
    path.write_text(json.dumps({"question": "대한민국의 수도는 어디입니까?"}) + "\n")
    assert "1 of 1 rows" in shown(typed("overlap", path, "--against", path))


def test_export(shown: Callable[..., str], results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shown(typed("export", "run-0", "--to", "eee", "--output-path", results, "--out", "나가는-폴더"))


def test_cache_prune(shown: Callable[..., str], results: Path) -> None:
    shown(typed("cache", "prune", "--dry-run", "--output-path", results))


def test_tasks_validate(shown: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("질문과_답.csv").write_text("질문,정답\n수도는?,서울\n", encoding="utf-8")
    shown(typed("tasks", "init", "질문과_답.csv"))
    assert "1 documents" in shown(typed("tasks", "validate", "질문과_답.yaml"))


def test_report(shown: Callable[..., str], results: Path) -> None:
    shown(typed("report", "run-0", "run-1", "--output-path", results), names=NAMES)


def outcomes(results: Path) -> list[Run]:
    return [Run.open(results / model / f"run-{place}") for place, model in enumerate(MODELS)]


def test_run_alone(shown: Callable[..., str], results: Path) -> None:
    shown(lambda: run_view.show(outcomes(results)[:1]), names=(MODELS[0], *TASKS))


def test_run_of_several_models(shown: Callable[..., str], results: Path) -> None:
    shown(lambda: run_view.show(outcomes(results)), names=NAMES)


def test_run_itself(shown: Callable[..., str], tmp_path: Path) -> None:
    argv = ("run", "--model", "nano", "--tasks", "mini_endings", "--limit", 2, "--output-path", tmp_path, "-q")
    shown(typed(*argv), names=("mini_endings", "nano"))


def test_tasks_list(shown: Callable[..., str]) -> None:
    text = shown(typed("tasks", "list"), names=("mini_arithmetic", "humaneval_instruct", "instruct_conversation_ko"))
    assert len(text.splitlines()) < 130


def test_tasks_show(shown: Callable[..., str]) -> None:
    shown(typed("tasks", "show", "mini_knowledge"), names=("mini_knowledge,",))


def test_models(shown: Callable[..., str]) -> None:
    shown(typed("models"), names=("mistral-7b-instruct", "exaone-3.5-2.4b-instruct", "stablelm-tuned-alpha-7b"))


def test_one_model(shown: Callable[..., str]) -> None:
    shown(typed("models", "mistral-7b-instruct"), names=("mistralai/Mistral-7B-Instruct-v0.3",))


def test_data_check(shown: Callable[..., str], tmp_path: Path) -> None:
    # An empty mirror serves nothing: the table says what is missing, and the exit code is 2.
    shown(typed("data", "check", tmp_path, codes=(2,)), names=("humaneval", "humaneval_64"))


def test_cache_stat(shown: Callable[..., str], results: Path) -> None:
    shown(typed("cache", "stat", "--output-path", results))


def test_doctor(shown: Callable[..., str], results: Path) -> None:
    shown(typed("doctor", "--output-path", results), names=("sandbox", "engine"))


# ── judges ───────────────────────────────────────────────────────────────────


def test_judged_figures(shown: Callable[..., str], results: Path, tmp_path: Path) -> None:
    run = Run.open(results / MODELS[0] / "run-0")
    content = results_of(run)
    figure = {"value": 3.5, "ci95": [3.1, 3.9], "scale": [1, 5], "coverage": 0.98, "method": "log-probabilities"}
    rubric = "지시-따르기"
    content["tasks"][TASKS[0]]["metrics"][f"자연스러움,{rubric}"] = {**figure, "rubric": {"id": rubric}}
    again = Run(run.path, RunRecord(run.record.manifest, Results.model_validate(content)))
    judged = SimpleNamespace(judges=[SimpleNamespace(name="openai:gpt-4o")], warnings=[], asked=3, reused=1)
    shown(
        lambda: judge_view.show_judged(again, rubric, judged), names=(f"{MODELS[0]},", TASKS[0], f"자연스러움,{rubric}")
    )


def test_calibration(shown: Callable[..., str]) -> None:
    figures = {
        "n": 60,
        "coverage": 1.0,
        "pearson": 0.61,
        "spearman": 0.6,
        "spearman_ci95": [0.4, 0.7],
        "kendall": 0.5,
        "per_group": {"spearman": 0.3},
        "pairwise_accuracy": 0.8,
        "qwk": 0.5,
        "alpha": 0.4,
        "bias": -0.1,
        "missing": {},
    }
    shown(lambda: judge_view.show_calibration({"자연스러움": figures, "groundedness": figures}), names=("자연스러움",))


def test_audit(shown: Callable[..., str]) -> None:
    report = {
        "systems": {
            MODELS[0]: {
                "n": 805,
                "win_rate": 0.1,
                "ci95": [0.05, 0.2],
                "position": {"first": 0.1, "second": 0.2},
                "consistency": {"value": 0.9},
            }
        },
        "dimensions": {
            "자연스러움": {
                "n": 5,
                "coverage": 1.0,
                "length": {"spearman": 0.1},
                "repeatability": {"sd": 0.2, "agree": 0.9},
            }
        },
    }
    shown(lambda: judge_view.show_audit(report), names=(MODELS[0], "자연스러움"))
