"""Runs with several answers per document: compared and gated on their means, and planned from."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

import evalkit as ek
from evalkit.errors import EvalkitError
from evalkit.stats import documents_needed

DATA = Path(__file__).parents[2] / "tasks" / "mini" / "data" / "arithmetic.test.jsonl"


def record(path: Path, answers: int, drop: float, seed: int, documents: int = 60) -> Path:
    """Answers of a model that solves each document with a chance of its own."""
    rng = random.Random(seed)
    chances = [random.Random(i).betavariate(0.8, 0.8) for i in range(documents)]
    right = [json.loads(line)["answer"].split("#### ")[1] for line in DATA.read_text().splitlines()]
    with path.open("w") as file:
        for number, chance in enumerate(chances):
            texts = [f"#### {right[number] if rng.random() < chance - drop else '0.5'}" for _ in range(answers)]
            file.write(json.dumps({"task": "mini_arithmetic", "doc_id": number, "outputs": texts}) + "\n")
    return path


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ek.Run]:
    root = tmp_path_factory.mktemp("runs")
    made = {"one": (1, 0.0, 1), "eight": (8, 0.0, 2), "four": (4, 0.0, 3), "worse": (8, 0.25, 4)}
    return {
        name: ek.score(record(root / f"{name}.jsonl", *how), output_path=root, name=name, limit=60)
        for name, how in made.items()
    }


def test_runs_with_other_numbers_of_answers_are_compared_on_their_means(runs: dict[str, ek.Run]) -> None:
    row = ek.compare(runs["eight"], runs["four"]).frame().iloc[0]
    assert (row["metric"], row["n"]) == ("avg@8,strict-match", 60)
    assert row["low"] < 0 < row["high"]
    single = ek.compare(runs["one"], runs["eight"]).frame().iloc[0]
    assert single["metric"] == "exact_match,strict-match"
    assert single["high"] - single["low"] > row["high"] - row["low"]


def test_more_answers_let_the_gate_see(runs: dict[str, ek.Run]) -> None:
    assert ek.gate(runs["eight"], runs["worse"]).verdict == "regression"
    open_verdict = ek.gate(runs["eight"], runs["four"])
    (task,) = open_verdict.result.tasks
    assert task.verdict == "cannot_tell"
    assert task.needed_n is not None
    if task.needed_repeats is not None:
        assert any(f"--repeats {task.needed_repeats}" in reason for reason in task.reasons)


def test_a_plan_from_several_answers(runs: dict[str, ek.Run], tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    planned = ek.plan(tasks="mini_arithmetic", baseline=runs["eight"], drop=0.1, power=0.8, json=file)
    (content,) = json.loads(file.read_text())["tasks"].values()
    assert set(content) == {"documents", "samples", "have", "discordance"}
    assert content["have"] == 60
    rows = [json.loads(line) for line in (runs["eight"].path / "samples" / "mini_arithmetic.jsonl").open()]
    means = [sum(row["scores"]) / 8 for row in rows if row["filter"] == "strict-match"]
    own = sum(2 * mean * (1 - mean) * 8 / 7 for mean in means) / 60
    assert content["discordance"] == pytest.approx(own)
    needed = documents_needed(own / 2 + 0.1, own / 2, tolerance=0.0, side="regression")
    assert needed is not None
    assert (content["documents"], content["samples"]) == (needed, 1) or (
        needed > 60 == content["documents"] and content["samples"] > 1
    )
    assert planned.result.tasks[0].measured


def test_a_plan_from_one_answer_takes_the_largest_noise(runs: dict[str, ek.Run]) -> None:
    (task,) = ek.plan(baseline=runs["one"], drop=0.05).result.tasks
    share = runs["one"].stored.record.results.tasks["mini_arithmetic"].metrics["exact_match,strict-match"].value
    assert share is not None
    assert task.discordance == pytest.approx(2 * share * (1 - share))
    assert (task.measured, task.samples) == (False, 1)
    assert "--repeats 2" in " ".join(ek.plan(baseline=runs["one"]).notes)
    (smaller,) = ek.plan(baseline=runs["one"], drop=0.02).result.tasks
    assert (smaller.documents or 0) > (task.documents or 0) > 0


def test_a_plan_says_what_is_missing(runs: dict[str, ek.Run]) -> None:
    with pytest.raises(EvalkitError, match="--baseline RUN is missing"):
        ek.plan(tasks="mini_arithmetic")
    with pytest.raises(EvalkitError, match="mini_arithmetic"):
        ek.plan(tasks="mini_arithmetik", baseline=runs["one"])
