"""The cards of today's tasks: the names that they wrap are lm-eval's, and MBPP is judged in the sandbox."""

from __future__ import annotations

import json
from pathlib import Path

import datasets
import pytest
import yaml

import evalkit as ek
from evalkit.config import RunConfig
from evalkit.registry.cards import load_cards, shipped_folder
from evalkit.registry.mbpp import examples
from evalkit.registry.taskindex import builtin_index
from evalkit.reporting.run_view import as_markdown, report
from evalkit.results.recorded import Recording
from evalkit.runner.recorded import score
from tests.helpers.listening import Heard

TODAY = sorted((shipped_folder() / "today").glob("*.yaml"))
SUITES = ("leaderboard-v1", "leaderboard-v2", "quick", "safety-net")


@pytest.mark.parametrize("path", TODAY, ids=lambda path: path.stem)
def test_what_a_card_wraps_is_there(path: Path) -> None:
    raw = yaml.safe_load(path.read_text("utf-8"))
    cards, known = load_cards(shipped_folder()), builtin_index()
    card = cards[path.stem]
    assert card.description
    for name in [raw["wraps"]] if "benchmark" in raw else raw["task"]:
        assert name in known or name in cards, name
    if path.stem not in SUITES:
        assert card.headline is not None
        assert "," in card.headline
        assert card.citation
        assert "# Published with" in path.read_text("utf-8")


def test_the_first_leaderboard_has_its_numbers_of_examples() -> None:
    cards = load_cards(shipped_folder())
    members = yaml.safe_load((shipped_folder() / "today" / "leaderboard-v1.yaml").read_text("utf-8"))["task"]
    assert [cards[name].num_fewshot for name in members] == [25, 10, 5, 0, 5, 5]


def test_mbpps_examples_are_lm_evals() -> None:
    assert [example["task_id"] for example in examples()] == [2, 3, 4]


def test_right_answers_that_take_too_long_here_are_told_before_the_run(tmp_path: Path) -> None:
    """One of them never ends, as on a CPU that is too slow; one uses most of its time."""
    spins = "import time\ndef f(x):\n    end = time.process_time() + {}\n    while time.process_time() < end: pass\n"
    tests = ["assert f(1) is None", "assert f(2) is None", "assert f(3) is None"]
    notes = {}
    for name, spin in (("late", "100"), ("narrow", "0.22")):
        folder = tmp_path / name / "google-research-datasets" / "mbpp"
        folder.mkdir(parents=True)
        row = {**ROWS[0], "code": spins.format(spin), "test_list": tests}
        datasets.Dataset.from_list([ROWS[1], row]).to_parquet(folder / "test.parquet")
        (folder / "README.md").write_text(README)
        file = tmp_path / f"{name}.jsonl"
        file.write_text(json.dumps({"task": "mbpp", "doc_id": 0, "output": ROWS[1]["code"]}) + "\n")
        heard = Heard()
        config = RunConfig.build(
            model="m",
            tasks="mbpp",
            data_dir=str(tmp_path / name),
            output_path=str(tmp_path / "runs"),
            engine="replay",
            sandbox_seconds=1,
        )
        score(Recording.load(file), config, heard, report)
        notes[name] = "\n".join(heard.notes)
    assert "mbpp: 1 of 2 right answers ran out of their 1 s: this CPU is too slow" in notes["late"]
    assert "--sandbox-seconds" in notes["late"]
    assert "mbpp: the slowest of 2 right answers took" in notes["narrow"]
    assert "of its 1 s on this CPU" in notes["narrow"]


README = "---\nconfigs:\n- config_name: full\n  data_files:\n  - split: test\n    path: test.parquet\n---\n"
ROWS = [
    {
        "task_id": 11,
        "text": "Write a function that doubles a number.",
        "code": "def double(x):\n    return 2 * x",
        "test_list": ["assert double(2) == 4", "assert double(0) == 0", "assert double(-1) == -2"],
        "test_setup_code": "",
        "challenge_test_list": [],
    },
    {
        "task_id": 12,
        "text": "Write a function that joins two words.",
        "code": "def join(a, b):\n    return a + b",
        "test_list": ["assert join('a', 'b') == 'ab'", "assert join('', '') == ''", "assert join('x', '') == 'x'"],
        "test_setup_code": "",
        "challenge_test_list": [],
    },
]


def test_mbpp_is_judged_in_the_sandbox(tmp_path: Path) -> None:
    folder = tmp_path / "hub" / "google-research-datasets" / "mbpp"
    folder.mkdir(parents=True)
    datasets.Dataset.from_list(ROWS).to_parquet(folder / "test.parquet")
    (folder / "README.md").write_text(README)
    outputs = [
        [ROWS[0]["code"], "def double(x):\n    return x", "import os\ndef double(x):\n    os._exit(0)"],
        ["def join(a, b):\r\n    return a + b", "def join(a, b) return", "def other(a, b):\n    return a + b"],
    ]
    file = tmp_path / "recorded.jsonl"
    lines = [{"task": "mbpp", "doc_id": i, "outputs": texts} for i, texts in enumerate(outputs)]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    run = ek.score(file, data_dir=tmp_path / "hub", output_path=tmp_path / "runs", name="a")
    rows = [json.loads(line) for line in (run.path / "samples" / "mbpp.jsonl").open()]
    assert [row["verdict"][0] for row in rows] == ["passed", "passed"]
    assert "passed" not in rows[0]["verdict"][1:] + rows[1]["verdict"][1:]
    figures = run.stored.record.results.tasks["mbpp"].metrics
    assert figures["pass@1,none"].value == pytest.approx(1 / 3)
    assert figures["pass@3,none"].value == 1.0
    assert "[BEGIN]" in rows[0]["arguments"][0][0]
    assert rows[0]["arguments"][0][0].count("[DONE]") == 3


PLUS = """import numpy as np

def assertion(out, exp, atol):
    exact_match = out == exp
    if not exact_match and atol != 0:
        assert np.allclose(out, exp, rtol=1e-07, atol=atol)
    else:
        assert exact_match

def check(candidate):
    inputs = [[float(n)] for n in range(1000)]
    results = [n / 3 for n in range(1000)]
    for inp, exp in zip(inputs, results):
        assertion(candidate(*inp), exp, 1e-6)
"""


def test_evalplus_tests_run_in_the_sandbox_and_right_answers_are_tried_first(tmp_path: Path) -> None:
    prompt = 'def third(x: float) -> float:\n    """A third of x."""\n'
    row = {"task_id": "HumanEval/0", "prompt": prompt, "entry_point": "third", "test": PLUS}
    folder = tmp_path / "hub" / "evalplus" / "humanevalplus"
    folder.mkdir(parents=True)
    rows = [{**row, "canonical_solution": "    return x / 3\n"}, {**row, "canonical_solution": "    return x / 2\n"}]
    datasets.Dataset.from_list(rows).to_parquet(folder / "test.parquet")
    (folder / "README.md").write_text(
        "---\nconfigs:\n- config_name: default\n  data_files: [{split: test, path: test.parquet}]\n---\n"
    )
    lines = [
        {"task": "humaneval_plus", "doc_id": 0, "outputs": ["    return x * (1 / 3)\n", "    return x // 3\n"]},
        {
            "task": "humaneval_plus",
            "doc_id": 1,
            "outputs": ["    return [0] * 10**10\n", "    import numpy\n    return numpy.float64(x) / 3\n"],
        },
    ]
    file = tmp_path / "recorded.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    heard = Heard()
    config = RunConfig.build(
        model="m",
        tasks="humaneval_plus",
        data_dir=str(tmp_path / "hub"),
        output_path=str(tmp_path / "runs"),
        engine="replay",
    )
    done = score(Recording.load(file), config, heard, report)
    assert any("1 of 2 right answers do not pass here" in note for note in heard.notes), heard.notes
    assert done.run is not None
    entry = done.run.record.results.tasks["humaneval_plus"]
    assert entry.metrics["pass@1,create_test"].value == 0.5
    assert entry.verdicts is not None
    assert (entry.verdicts.programs, entry.verdicts.memory, entry.verdicts.timed_out) == (4, 0.25, 0.0)
    assert done.run.record.manifest.sandbox["packages"]["numpy"]
    assert "humaneval_plus: 1 of 4 programs (25.0%) ran out of memory" in as_markdown([done.run])
