"""Documents of benchmarks that stand in training data: planted ones, near-misses, and a plain reference."""

from __future__ import annotations

import json
import os
import random
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import evalkit as ek
from evalkit.errors import ConfigError, NotComparable, UsageError
from evalkit.registry.kinds.preferences import read_preferences
from evalkit.synth.grams import Words, runs
from evalkit.synth.leaks import Benchmark, find_leaks
from evalkit.synth.overlap import find_overlap
from evalkit.synth.training_rows import read_training, training_text

TEXTS = st.lists(st.lists(st.sampled_from("abcd"), max_size=9).map(" ".join), max_size=5)


@settings(max_examples=100, deadline=None)
@given(TEXTS, TEXTS, st.integers(2, 4))
def test_the_hashed_search_finds_what_the_plain_one_finds(rows: list[str], questions: list[str], gram: int) -> None:
    leaks = find_leaks([Benchmark(q, "") for q in questions], [(i, r, 1) for i, r in enumerate(rows)], gram=gram)
    longest: dict[int, int] = {}
    for match in find_overlap(rows, questions, gram).matches:
        longest[match.other] = max(longest.get(match.other, 0), match.words)
    assert {place: found.longest for place, found in leaks.found.items()} == longest


def test_runs_are_equal_exactly_where_the_words_are() -> None:
    words = Words(3)
    ids = words.learn("a b c d a b c")
    hashes = runs(ids, 3, words.size)
    assert hashes[0] == hashes[4]
    assert len(set(hashes.tolist())) == 4
    unknown = runs(words.read("a b c x a b c"), 3, words.size)
    assert unknown[0] == unknown[4] == hashes[0]
    assert not np.any(unknown[1:4])


def changed(text: str, rng: random.Random, words: int) -> str:
    parts = text.split()
    for place in rng.sample(range(len(parts)), min(words, len(parts))):
        parts[place] = f"word{rng.randrange(10**6)}"
    return " ".join(parts)


QUESTION = (
    "The farmer sold {} crates of {} apples on Monday and twice as many on Tuesday,"
    " how many crates were left in the barn"
)


def test_planted_copies_are_found_and_near_misses_are_not() -> None:
    rng = random.Random(0)
    kinds = ["red", "green", "sweet", "sour", "small", "large", "old", "new"]
    questions = [" ".join(rng.sample([f"w{n}" for n in range(3000)], 25)) for _ in range(300)]
    questions += [QUESTION.format(n, kind) for n, kind in enumerate(kinds)]
    questions += ["What is the capital of France?"]
    documents = [Benchmark(text, f"answer{n}") for n, text in enumerate(questions)]
    rows = [f"Before it. {text.upper()}! Answer{n}." for n, text in enumerate(questions[:50])]  # copies with answers
    rows += [changed(text, rng, 1) for text in questions[50:100]]
    rows += [" ".join(rng.sample(text.split(), 25)) for text in questions[100:150]]  # the same words, shuffled
    rows += ["what is the capital of France", "What is the capital of France and of Spain?"]
    leaks = find_leaks(documents, [(n, row, len(row)) for n, row in enumerate(rows)])
    assert set(leaks.found) == {*range(100), 308}
    assert all(leaks.found[n].answer for n in range(50))
    assert not any(leaks.found[n].answer for n in range(50, 100))
    assert leaks.found[0].longest == 25
    assert leaks.matched == 101
    # What eight questions share is a wording of the benchmark: with more than ten it counts for nothing.
    shared = [(0, QUESTION.format(99, "blue"), 1)]
    assert len(find_leaks(documents, shared).found) == 8
    more = [*documents, *(Benchmark(QUESTION.format(n, "ripe"), "") for n in range(20, 24))]
    assert not find_leaks(more, shared).found


def test_korean_is_searched_by_syllables(hub: Path) -> None:
    """Copies with other spacing and punctuation, and edits; of distinct questions hardly one is marked."""
    import pandas as pd

    path = next((hub / "KorQuAD" / "squad_kor_v1").rglob("*.parquet"))
    questions = list(dict.fromkeys(pd.read_parquet(path)["question"]))[:3000]
    rng = random.Random(1)
    rng.shuffle(questions)
    asked, others = questions[:1000], questions[1000:3000]
    long = [n for n, text in enumerate(asked) if re.search("[가-힣]{16}", re.sub("[^가-힣?]", "", text))]
    documents = [Benchmark(text, "") for text in asked]
    copies = [(n, "질문: " + asked[n].replace(" ", "").replace("?", " 입니까") + " 답", 1) for n in long[:200]]
    found = find_leaks(documents, copies).found
    assert set(long[:200]) <= set(found), "recall 1.0 on copies that are spaced anew"
    near = find_leaks(documents, [(n, text, 1) for n, text in enumerate(others)]).found
    assert len(near) <= 0.05 * len(asked), "others of the same articles: 41 of these 1,000 are asked in like words"


def test_training_rows_of_every_form(tmp_path: Path) -> None:
    rows = [
        {"text": "a"},
        {"instruction": "b", "input": "c", "output": "d"},
        {"messages": [{"role": "user", "content": "e"}, {"role": "assistant", "content": "f"}]},
        {"conversations": [{"from": "human", "value": "g"}]},
        {"prompt": "h", "completion": "i"},
    ]
    assert [training_text(row) for row in rows] == ["a", "b\n\nc\n\nd", "e\n\nf", "g", "h\n\ni"]
    path = tmp_path / "train.jsonl"
    path.write_text('{"text": "a"}\n\n{"x": 1}')
    with pytest.raises(UsageError, match=r"train.jsonl:3: has x"):
        list(read_training(path))
    with pytest.raises(UsageError, match="no such file"):
        ek.overlap(tmp_path / "none.jsonl", tasks="mini")
    with pytest.raises(UsageError, match="--against FILE or --tasks"):
        ek.overlap(path)


def test_a_run_is_told_and_the_gate_leaves_the_documents_out(tmp_path: Path) -> None:
    rows = [
        {
            "question": f"Which of the {n} boxes in the long hall of the old house number {n} is empty?",
            "answer": str(n % 2),
        }
        for n in range(40)
    ]
    table = tmp_path / "quiz.jsonl"
    table.write_text("\n".join(map(json.dumps, rows)))
    task = str(table)
    runs_ = []
    for name, right in (("base", 40), ("tuned", 20)):
        answers = tmp_path / f"{name}.jsonl"
        lines = [
            {"task": task, "doc_id": n, "output": row["answer"] if n < right else "nothing"}
            for n, row in enumerate(rows)
        ]
        answers.write_text("\n".join(map(json.dumps, lines)))
        runs_.append(ek.score(answers, tasks=task, score="exact", output_path=tmp_path / "results"))
    base, tuned = runs_
    policy = {"tasks": {task: {"clean_only": True, "max_drop": 0.01}}}
    with pytest.raises(NotComparable, match=r"evalkit overlap TRAIN\.jsonl"):
        ek.gate(base, tuned, policy=policy)
    train = tmp_path / "train.jsonl"
    train.write_text("\n".join(json.dumps({"text": row["question"]}) for row in rows[:20]))
    leaked = ek.overlap(train, tasks=task, gram=13, mark=[str(tuned.path)], output_path=tmp_path / "results")
    assert leaked.matched == 20
    assert "20 of 40 documents found" in repr(leaked)
    verdict = ek.gate(base, tuned, policy=policy)
    assert verdict.verdict == "regression"
    assert verdict.tasks[0].n == 20
    assert verdict.tasks[0].delta == -1.0
    assert any("20 documents that stand in training data are left out" in note for note in verdict.notes)
    notes = ek.compare(base, tuned).notes
    assert any("1.0000 on 20 that stand in train.jsonl: +1.0000" in note for note in notes)
    from evalkit.reporting.run_view import report

    assert "0.0000 on 20 clean documents" in report(ek.load(tuned.path).stored, tuned.path)
    for told in (
        "\n".join(ek.leaderboard([base, tuned]).notes),
        ek.leaderboard([base, tuned]).markdown(),
        ek.report(tuned).html(),
        ek.report([base, tuned]).html(),
    ):
        assert "0.0000 on 20 clean documents, 1.0000 on 20 that stand in train.jsonl: +1.0000" in told


def test_preferences_are_read_in_the_forms_of_dpo_and_rlhf(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    said = "\n\nHuman: Hello\n\nAssistant:"
    rows = [
        {"prompt": "Hello", "chosen": "Hi!", "rejected": "No."},
        {"chosen": f"{said} Hi!", "rejected": f"{said} No."},
        {
            "prompt": [{"role": "user", "content": "Hello"}],
            "chosen": [{"role": "assistant", "content": "Hi!"}],
            "rejected": [{"role": "assistant", "content": "No."}],
        },
        {
            "chosen": [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi!"}],
            "rejected": [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "No."}],
        },
    ]
    path.write_text("\n".join(map(json.dumps, rows)))
    read = read_preferences(path)
    assert [row["choices"] for row in read] == [["Hi!", "No."]] * 4
    assert [row["prompt"] for row in read] == ["Hello", *["Human: Hello\n\nAssistant:"] * 3]
    for wrong, words in (
        ({"prompt": "a", "chosen": "b"}, "rejected is missing"),
        ({"prompt": "a", "chosen": "b", "rejected": "b "}, "are equal"),
        ({"chosen": "b", "rejected": "c"}, "prompt is missing"),
        ({"prompt": "a", "chosen": 1, "rejected": "c"}, "text or a list of messages"),
        ({"chosen": f"{said} a", "rejected": "\n\nHuman: x\n\nAssistant: b"}, "different conversations"),
    ):
        path.write_text(json.dumps(wrong))
        with pytest.raises(ConfigError, match=words):
            read_preferences(path)


def test_a_pipe_or_an_endless_device_is_no_training_data(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.jsonl"
    os.mkfifo(pipe)
    endless = tmp_path / "endless.jsonl"
    endless.symlink_to("/dev/zero")
    for path in (pipe, endless):
        with pytest.raises(UsageError, match=r"cannot be read"):
            next(read_training(path))
