"""Reading comprehension from end to end: recorded answers and spans against the tasks' figures."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import evalkit
from evalkit.errors import ConfigError, CouldNotDo, DataNotFound, UsageError
from tests.helpers import official

CONTEXT = "서울은 1394년부터 대한민국의 수도이다. (1394년)"


def figures(run: Any, task: str) -> dict[str, float]:
    entry = json.loads((run.path / "results.json").read_text())["tasks"][task]
    return {name.partition(",")[0]: metric["value"] for name, metric in entry["metrics"].items()}


def entry(run: Any, task: str) -> Any:
    return json.loads((run.path / "results.json").read_text())["tasks"][task]


def squad_file(path: Path, questions: Sequence[dict[str, Any]], version: str = "1.1", context: str = CONTEXT) -> Path:
    qas = [
        {
            "id": f"q{number}",
            "question": "수도는?",
            "answers": [{"text": text, "answer_start": context.find(text)} for text in one.pop("texts")],
            **one,
        }
        for number, one in enumerate(dict(question) for question in questions)
    ]
    half = len(qas) // 2
    paragraphs = [{"context": context, "qas": part} for part in (qas[:half], qas[half:]) if part]
    path.write_text(json.dumps({"version": version, "data": [{"title": "서울", "paragraphs": paragraphs}]}))
    return path


def rows(path: Path) -> list[dict[str, Any]]:
    read = json.loads(path.read_text())
    return [
        {"id": qa["id"], "answers": {"text": [answer["text"] for answer in qa["answers"]]}}
        for article in read["data"]
        for paragraph in article["paragraphs"]
        for qa in paragraph["qas"]
    ]


ANSWERABLE = [{"texts": ["서울"]}, {"texts": ["1394년", "1394년부터"]}, {"texts": ["대한민국의 수도"]}]


@pytest.mark.parametrize("korean", [False, True])
def test_a_file_in_squads_format_is_a_task_by_its_stem(tmp_path: Path, korean: bool) -> None:
    path = squad_file(tmp_path / "dev set.json", ANSWERABLE)
    answers = ["《서울》 ", "the 1394년", ""]
    name = f"squad:{path}?rules=korquad" if korean else f"squad:{path}"
    recorded = [{"task": name, "doc_id": number, "output": text} for number, text in enumerate(answers)]
    run = evalkit.score(recorded, output_path=tmp_path / "results")
    wanted = official.v1({f"q{n}": text for n, text in enumerate(answers)}, rows(path), korean=korean)
    found = figures(run, "dev set")
    assert {key: found[key] for key in wanted} == pytest.approx(wanted, abs=1e-12)
    assert json.loads((run.path / "results.json").read_text())["requested"] == ["dev set"]
    assert found["span_exact"] is None
    # The rows may name the task by its stem too, where the file is said otherwise.
    again = evalkit.score(
        [{**row, "task": "dev set"} for row in recorded], tasks=[name], output_path=tmp_path / "results"
    )
    assert figures(again, "dev set") == found


def test_an_unanswered_question_counts_0_and_is_told(tmp_path: Path) -> None:
    path = squad_file(tmp_path / "dev.json", ANSWERABLE, version="KorQuAD_v1.0_dev")
    run = evalkit.score([{"task": f"squad:{path}", "doc_id": 0, "output": "서울"}], output_path=tmp_path / "results")
    found = entry(run, "dev")
    assert found["metrics"]["exact_match,none"]["value"] == pytest.approx(1 / 3)
    assert found["metrics"]["in_korean,none"]["value"] == 1.0  # the version says KorQuAD; what was not said is in none
    assert (found["n"], found["missing"]) == (3, 2)
    assert json.loads((run.path / "results.json").read_text())["status"] == "partial"


@pytest.mark.parametrize("sure", [False, True])
def test_squad_v2_knows_questions_without_an_answer(tmp_path: Path, sure: bool) -> None:
    dice = random.Random(5)
    asked = [{"texts": [] if number % 2 else ["서울"], "is_impossible": bool(number % 2)} for number in range(40)]
    path = squad_file(tmp_path / "v2.json", asked, version="v2.0")
    said = {f"q{number}": dice.choice(["", "서울", "1394년"]) for number in range(38)}
    probability = {key: dice.choice([0.1, 0.25, 0.5, 0.9]) for key in said}
    recorded = [
        {
            "task": f"squad:{path}",
            "doc_id": int(key[1:]),
            "output": text,
            **({"no_answer_probability": probability[key]} if sure else {}),
        }
        for key, text in said.items()
    ]
    run = evalkit.score(recorded, output_path=tmp_path / "results")
    wanted = official.v2(said, rows(path), probability if sure else None)
    found = figures(run, "v2")
    # Thresholds take all questions of one probability together; the script's own walk may stop among them.
    best = {key for key in wanted if key.startswith("best")}
    assert {key: found[key] for key in wanted if key not in best} == pytest.approx(
        {key: value for key, value in wanted.items() if key not in best}, abs=1e-12
    )
    for key in best:
        assert found[key] >= wanted[key] - 1e-12
    assert (entry(run, "v2")["n"], entry(run, "v2")["missing"]) == (38, 2)  # that script leaves them out
    assert found["span_exact"] is None
    assert sure or found["best_f1"] is None


def test_spans_are_held_against_the_references_spans(tmp_path: Path) -> None:
    path = squad_file(tmp_path / "dev.json", ANSWERABLE)
    last = CONTEXT.rindex("1394년")
    recorded = [
        {"doc_id": 0, "output": "서울", "answer_start": 0, "answer_end": 2},
        {"doc_id": 1, "answer_start": last, "answer_end": last + 5},  # the right text in another place
        {"doc_id": 2, "output": "수도", "answer_start": CONTEXT.index("수도")},
    ]
    run = evalkit.score([{"task": f"squad:{path}", **row} for row in recorded], output_path=tmp_path / "results")
    found = figures(run, "dev")
    assert found["span_exact"] == pytest.approx(1 / 3)
    assert found["exact_match"] == pytest.approx(2 / 3)
    kept = [json.loads(line) for line in (run.path / "samples" / "dev.jsonl").read_text().splitlines()]
    assert [(row["answer_start"], row["answer_end"]) for row in kept] == [(0, 2), (last, last + 5), (18, 20)]
    again = evalkit.score(run, tasks=[f"squad:{path}"], output_path=tmp_path / "results")
    assert figures(again, "dev") == found


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"output": "서울", "answer_start": 1, "answer_end": 3}, "stands at 1 to 3"),
        ({"output": "서울", "answer_start": 0, "answer_end": 900}, "outside its context"),
        ({"output": "", "answer_start": -1, "answer_end": -1}, "outside its context"),
        ({"answer_start": 5, "answer_end": 2}, "outside its context"),
        ({"output": "서울", "answer_end": 2}, "without answer_start"),
        ({"output": "서울", "answer_start": "0"}, "not the number of a character"),
        ({"output": "서울", "answer_start": True}, "not the number of a character"),
        ({"output": "서울", "no_answer_probability": float("inf")}, "not a number"),
        ({"outputs": ["서울"], "answer_start": 0}, "go with output"),
        (
            {"output": "서울", "answer_start": 0, "n_best": [{"text": "수도", "answer_start": 0, "answer_end": 2}]},
            "n_best",
        ),
    ],
)
def test_a_wrong_span_names_its_row(tmp_path: Path, row: dict[str, Any], said: str) -> None:
    path = squad_file(tmp_path / "dev.json", ANSWERABLE)
    fine = {"task": f"squad:{path}", "doc_id": 1, "output": "1394년"}
    with pytest.raises(ConfigError, match=said) as raised:
        evalkit.score([fine, {"task": f"squad:{path}", "doc_id": 0, **row}], output_path=tmp_path / "results")
    assert "answers:2" in str(raised.value)
    assert raised.value.exit_code == 2


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[]", "not in SQuAD's format"),
        ("{", "not JSON"),
        ('{"data": []}', "holds no question"),
        ('{"data": [{"paragraphs": [{"qas": []}]}]}', "context"),
        ('{"data": [{"paragraphs": [{"context": "x", "qas": [{"question": "?"}]}]}]}', "answers"),
        ('{"data": [{"paragraphs": [{"context": "\\ud800", "qas": []}]}]}', "surrogate"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_a_file_that_is_not_squads_is_named(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "dev.json"
    path.write_text(content)
    with pytest.raises(ConfigError, match=said):
        evalkit.score([{"task": f"squad:{path}", "doc_id": 0, "output": ""}], output_path=tmp_path / "results")


def test_half_a_character_in_a_file_is_an_error_of_its_question_alone(tmp_path: Path) -> None:
    path = squad_file(tmp_path / "dev.json", [{"texts": ["서울"]}, {"texts": ["서울"], "id": "\ud800"}])
    with pytest.raises(CouldNotDo, match="1 documents could not be scored"):
        evalkit.score(
            [{"task": f"squad:{path}", "doc_id": i, "output": "서울"} for i in range(2)],
            output_path=tmp_path / "results",
        )
    (file,) = (tmp_path / "results").glob("*/*/samples/dev.jsonl")
    assert [json.loads(line)["exact_match"] is None for line in file.open()] == [False, True]


def test_several_answers_have_a_mean_a_vote_and_unfinished_ones_no_score(tmp_path: Path) -> None:
    path = squad_file(tmp_path / "dev.json", [{"texts": ["서울"]}, {"texts": ["서울"]}])
    recorded = [
        {"outputs": ["'서울'", "서울.", "부산", "대전"]},  # two ways of writing are one vote
        {"outputs": ["서울", "부산", "부산", ""], "finish": ["unfinished", "stop", "stop", "stop"]},
    ]
    rows = [{"task": f"squad:{path}?rules=korquad", "doc_id": i, **row} for i, row in enumerate(recorded)]
    run = evalkit.score(rows, output_path=tmp_path / "results")
    found = figures(run, "dev")
    assert found["avg@4"] == pytest.approx(0.25)  # 2 of 4, and 0 of the 3 that ended
    assert found["maj@4"] == pytest.approx(0.5)
    assert found["f1"] == 1.0, "of first answers, and the second's never ended"
    v2 = squad_file(tmp_path / "v2.json", [{"texts": [], "is_impossible": True}], version="v2.0")
    run = evalkit.score([{"task": f"squad:{v2}", "doc_id": 0, "outputs": ["", "", "서울"]}], output_path=tmp_path / "r")
    assert figures(run, "v2")["maj@3"] == 1.0, "no answer is a vote where there may be none"


def test_a_mistyped_rule_and_a_missing_answer_are_told(tmp_path: Path) -> None:
    path = squad_file(tmp_path / "dev.json", ANSWERABLE)
    row = {"doc_id": 0, "output": ""}
    with pytest.raises(UsageError, match="korquad"):
        evalkit.score([{**row, "task": f"squad:{path}?rules=korquard"}], output_path=tmp_path / "results")
    with pytest.raises(UsageError, match="rules"):
        evalkit.score([{**row, "task": f"squad:{path}?rule=korquad"}], output_path=tmp_path / "results")
    bare = squad_file(tmp_path / "bare.json", [{"texts": []}])
    with pytest.raises(ConfigError, match="rules=squad_v2"):
        evalkit.score([{**row, "task": f"squad:{bare}?rules=korquad"}], output_path=tmp_path / "results")
    (tmp_path / "b").mkdir()
    other = squad_file(tmp_path / "b" / "dev.json", ANSWERABLE)
    with pytest.raises(UsageError, match="both be called dev"):
        evalkit.score([row | {"task": "dev"}], tasks=[f"squad:{path},squad:{other}"], output_path=tmp_path / "results")


def test_data_that_is_not_here_says_what_to_pull(tmp_path: Path) -> None:
    with pytest.raises(DataNotFound, match="evalkit data pull"):
        evalkit.score(
            [{"task": "squad_v2", "doc_id": 0, "output": ""}], data_dir=tmp_path, output_path=tmp_path / "results"
        )


# ── on the mirror ────────────────────────────────────────────────────────────


def read(hub: Path, name: str) -> list[dict[str, Any]]:
    import pyarrow.parquet as pq

    found: list[dict[str, Any]] = pq.read_table(next((hub / name).glob("**/*.parquet"))).to_pylist()
    return found


def test_recorded_answers_of_the_mirrors_tasks_have_the_official_figures(hub: Path, tmp_path: Path) -> None:
    dice = random.Random(11)
    questions = {
        "korquad": read(hub, "KorQuAD/squad_kor_v1/squad_kor_v1"),
        "squad_1000": read(hub, "rajpurkar/squad-1000/plain_text"),
        "xquad_en": read(hub, "google/xquad/xquad.en"),
        "squad_xquad_en": read(hub, "google/xquad/xquad.en"),
    }
    said: dict[str, dict[str, str]] = {}
    recorded = []
    for task, asked in questions.items():
        said[task] = {}
        for number, question in enumerate(asked[:400]):
            text = question["answers"]["text"][-1]
            made = dice.choice(
                [
                    text,
                    f"the {text}",
                    f"‘{text}’",
                    f"“{text}”",
                    text[: len(text) // 2],
                    question.get("title", ""),
                    text.replace(" ", ""),
                ]
            )
            if number != 17:  # one question is left unanswered
                said[task][question["id"]] = made
                recorded.append({"task": task, "doc_id": number, "output": made})
    run = evalkit.score(recorded, data_dir=hub, limit=400, output_path=tmp_path / "results")
    for task, asked in questions.items():
        some = asked[:400] if task != "xquad_en" else [one for one in asked[:400] if one["id"] in said[task]]
        wanted = official.v1(said[task], some, korean=task == "korquad")
        found = figures(run, task)
        assert {key: found[key] for key in wanted} == pytest.approx(wanted, abs=1e-9), task
        assert entry(run, task)["missing"] == 1
    assert figures(run, "korquad")["in_korean"] > 0.5


def test_kobbq_has_the_authors_figures(hub: Path, tmp_path: Path) -> None:
    asked = [row for row in read(hub, "naver-ai/kobbq/data") if row["sample_id"]]
    dice = random.Random(3)
    outputs = []
    for row in asked:
        choices = [text.strip("'") for text in row["choices"].strip("[]").split("', '")]
        outputs.append(
            dice.choice(
                [
                    *choices,
                    *"ABC",
                    " B\n",
                    "모름",
                    "D",
                    "",
                    "A와 B",
                    "\u110b\u1161\u11af \u1109\u116e \u110b\u1165\u11b9\u110b\u1173\u11b7",
                ]
            )
        )
    recorded = [{"task": "kobbq", "doc_id": number, "output": text} for number, text in enumerate(outputs)]
    run = evalkit.score(recorded, data_dir=hub, output_path=tmp_path / "results")
    assert figures(run, "kobbq") == pytest.approx(official.kobbq(asked, outputs), abs=1e-9)
    prompt = json.loads((run.path / "samples" / "kobbq.jsonl").read_text().splitlines()[0])["arguments"][0][0]
    assert prompt.startswith(
        "주어진 맥락을 천천히 읽고, 질문에 대한 적절한 정답을 A, B, C 중에 골라 알파벳 하나로 답하시오.\n\n맥락: 지난주"
    )
    assert prompt.endswith("A: 손자\nB: 할머니\nC: 알 수 없음\n정답:")
