"""A recorded Alpaca run, written here by the published recipe with `rouge_score`, and followed by `synth replay`."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rouge_score import rouge_scorer

import evalkit as ek
from evalkit.errors import UsageError
from evalkit.synth.alpaca_replay import replay_alpaca

WORDS = [
    *("sort", "list", "poem", "river", "city", "name", "describe", "short", "long"),
    *("letter", "friend", "recipe", "rain", "explain", "compare", "two", "birds"),
]
SEEDS = [f"Explain {a} and {b} to a {c} reader" for a in ("rain", "birds") for b in ("rivers", "cities") for c in "xyz"]


def response(rng: random.Random) -> str:
    """What follows "4. Instruction:" in Alpaca's form: tasks, some of which must fall."""
    tasks = [
        " ".join(rng.choices(WORDS, k=rng.randint(4, 9))).capitalize() + rng.choice(["", "."])
        if rng.random() > 0.3
        else rng.choice(
            [
                "Draw a map of it now",
                "Write a program that sorts",
                "한국어로 짧은 시를 쓰세요 지금",
                "Too short",
                "(Do it now please)",
            ]
        )
        for _ in range(6)
    ]
    parts = []
    for number, task in enumerate(tasks, 4):
        head = "" if number == 4 else f"{number}. Instruction:"
        given = rng.choice(["<noinput>", "some text"])
        parts.append(f"{head} {task}\n{number}. Input:\n{given}\n{number}. Output:\nout {number}\n")
    return "###\n".join(parts)


def published(responses: list[tuple[str, str]]) -> list[dict[str, Any]]:
    """Alpaca's regen.json of these responses, by its own rule and scorer."""
    scorer = rouge_scorer.RougeScorer(["rougeL"], use_stemmer=False)
    everything, kept = list(SEEDS), []
    banned = (
        "image images graph graphs picture pictures file files map maps draw plot video audio music flowchart diagram"
    )
    for text, finish in responses:
        parts = re.split("###", f"4. Instruction:{text}")
        for number, part in enumerate(parts, 4):
            if number - 3 == len(parts) and finish == "length":
                continue
            fields = re.split(rf"{number}\.\s+(Instruction|Input|Output):", part)
            if len(fields) != 7:
                continue
            instruction, given, output = fields[2].strip(), fields[4].strip(), fields[6].strip()
            found = any(re.search(rf"\b{word}\b", instruction, re.I) for word in [*banned.split(), "go to"])
            if not 3 < len(instruction.split()) <= 150 or found or instruction.startswith("Write a program"):
                continue
            if instruction[0] in "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~" or not instruction[0].isascii():
                continue
            scores = [scorer.score(instruction, other)["rougeL"].fmeasure for other in everything]
            if max(scores) > 0.7:
                continue
            near = {everything[i]: scores[i] for i in np.argsort(scores, kind="stable")[-10:][::-1]}
            task = {"instruction": instruction, "input": "" if given == "<noinput>" else given, "output": output}
            kept.append({**task, "most_similar_instructions": near, "avg_similarity_score": float(np.mean(scores))})
            everything.append(instruction)
    return kept


@pytest.mark.parametrize("score", [10**400, -(10**400), float("nan"), "0.1"])
def test_a_recorded_similarity_that_is_no_float_is_not_equal(tmp_path: Path, score: object) -> None:
    (tmp_path / "seed_tasks.jsonl").write_text("".join(json.dumps({"instruction": text}) + "\n" for text in SEEDS))
    task = {"instruction": "Name four birds of the sea", "input": "", "output": "y"}
    near = {"most_similar_instructions": {"a": score}, "avg_similarity_score": score}
    (tmp_path / "regen.json").write_text(json.dumps([{**task, **near}]))
    replayed = replay_alpaca(tmp_path)
    assert (replayed.compared, replayed.equal) == (1, 0)


@pytest.fixture
def recorded(tmp_path: Path) -> tuple[Path, list[dict[str, Any]]]:
    rng = random.Random(5)
    responses = [(response(rng), "length" if n == 2 else "stop") for n in range(6)]
    folder = tmp_path / "alpaca"
    folder.mkdir()
    (folder / "seed_tasks.jsonl").write_text("".join(json.dumps({"instruction": text}) + "\n" for text in SEEDS))
    example = "###\n1. Instruction: x\n1. Input:\n<noinput>\n1. Output:\ny"
    prompt = f"Requirements …\n\nList of 20 tasks:\n{example}\n###\n4. Instruction:"
    rows = [
        {"n": n, "request_idx": n // 5, "prompt": prompt, "response": {"text": text, "finish_reason": finish}}
        for n, (text, finish) in enumerate(responses)
    ]
    (folder / "exchanges.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    tasks = published(responses)
    (folder / "regen.json").write_text(json.dumps(tasks))
    return folder, tasks


@pytest.mark.parametrize("without", ["none", "regen.json", "exchanges.jsonl"])
def test_the_same_tasks_with_the_same_similarities(recorded: Any, tmp_path: Path, without: str) -> None:
    folder, tasks = recorded
    (folder / without).unlink(missing_ok=True)
    again = ek.synth_replay(folder, out=tmp_path / "again")
    rows = [json.loads(line) for line in (tmp_path / "again" / "pool.jsonl").read_text().splitlines()]
    assert len(rows) > 8
    for name in ("instruction", "input", "output", "avg_similarity_score"):
        assert [row[name] for row in rows] == [task[name] for task in tasks]
    for row, task in zip(rows, tasks, strict=True):
        assert sorted(row["most_similar"].values()) == sorted(task["most_similar_instructions"].values())
    funnel = json.loads(again.json())
    assert funnel["kept"] == len(tasks)
    if without == "regen.json":
        assert "similarities" not in funnel
    else:
        assert funnel["similarities"] == {"recorded": len(tasks), "equal": len(tasks)}
    if without != "exchanges.jsonl":
        assert all(funnel["refused"][reason] for reason in ("length", "keyword", "program", "punctuation", "non-ascii"))


def test_other_figures_and_broken_files_are_seen(recorded: Any, tmp_path: Path) -> None:
    folder, tasks = recorded
    tasks[3]["avg_similarity_score"] += 0.01
    (folder / "regen.json").write_text(json.dumps(tasks))
    again = ek.synth_replay(folder, out=tmp_path / "again")
    assert f"{len(tasks) - 1} of {len(tasks)} similarities are equal" in repr(again)
    for content, words in (("{", "not JSON"), ("{}", "a list of tasks"), ('[{"input": "x"}]', "task 0 has no")):
        (folder / "regen.json").write_text(content)
        with pytest.raises(UsageError, match=words):
            ek.synth_replay(folder, out=tmp_path / "again")
