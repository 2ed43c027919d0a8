"""Questions and answers of the user's own: a table is a task, and what is wrong with one is said in a line."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evalkit.errors import EvalkitError
from evalkit.registry import Registry, Task, validate_path
from evalkit.registry.kinds import FileOptions
from evalkit.registry.writing import task_file, write_task_file
from evalkit.types import Answer, Generated, Scored


def load(path: Path, **options: str) -> Task:
    return Registry(file_options=FileOptions(**options)).load([str(path)]).tasks[str(path)]


def figures(task: Task, answers: Sequence[str]) -> dict[str, float | None]:
    rows = []
    for document, text in zip(task.build(), answers, strict=True):
        rows += task.score(document, [[Generated(0, text, "stop", 1)]])
    assert not [row.sample["error"] for row in rows if row.sample["error"]]
    return {name.partition(",")[0]: figure.value for name, figure in task.aggregate(rows).items()}


def table(tmp_path: Path, text: str, name: str = "qa.csv") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("qa.csv", "question,answer\nCapital of Korea?,Seoul\n"),
        ("qa.csv", "\ufeffQuestion , ANSWER\r\nCapital of Korea?, Seoul \r\n\r\n"),
        ("qa.csv", "id;prompt;target\n1;Capital of Korea?;Seoul\n"),
        ("qa.tsv", "question\tanswer\nCapital of Korea?\tSeoul\n"),
        ("qa.jsonl", '{"question": "Capital of Korea?", "answer": "Seoul"}\n'),
        ("qa.json", '[{"query": "Capital of Korea?", "expected": "Seoul", "more": 1}]'),
    ],
)
def test_two_columns_are_a_task(tmp_path: Path, name: str, text: str) -> None:
    task = load(table(tmp_path, text, name))
    [document] = task.build()
    assert document.requests[0].context == "Question: Capital of Korea?\nAnswer:"
    assert document.doc == {"question": "Capital of Korea?", "answer": "Seoul"}
    assert (document.target, task.headline) == ("Seoul", "exact_match,none")


def test_parquet_is_read(tmp_path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    rows = pyarrow.table({"question": ["1+1?", "2+2?"], "answer": [2, 4]})
    pyarrow.parquet.write_table(rows, tmp_path / "qa.parquet")
    task = load(tmp_path / "qa.parquet")
    assert (task.size, task.headline) == (2, "numeric_match,none")


def test_korean_columns_and_questions_get_korean_words(tmp_path: Path) -> None:
    task = load(table(tmp_path, "질문,정답\n대한민국의 수도는?,서울\n"))
    assert task.build()[0].requests[0].context == "질문: 대한민국의 수도는?\n정답:"
    assert figures(task, ["서울입니다."])["contains"] == 1.0
    assert figures(task, [" 서울.\n"])["exact_match"] == 1.0


def test_named_columns_win(tmp_path: Path) -> None:
    path = table(tmp_path, "frage,antwort,answer\nHauptstadt?,Seoul,x\n")
    document = load(path, input="frage", target="antwort").build()[0]
    assert document.doc == {"question": "Hauptstadt?", "answer": "Seoul"}


@pytest.mark.parametrize(
    ("score", "target", "answer", "right"),
    [
        ("exact", "Seoul", "The answer is: Seoul.", 1.0),
        ("exact", "Seoul", "**seoul**", 1.0),
        ("exact", "Seoul", "<think>Busan?</think> Seoul", 1.0),
        ("exact", "Seoul", "Seoul or Busan", 0.0),
        ("contains", "Seoul", "I believe it is Seoul, in Korea", 1.0),
        ("contains", "12", "in 2012", 0.0),
        ("contains", "", "x", None),
        ("numeric", "1234.5", "that makes 1,234.50 won", 1.0),
        ("numeric", "12", "10 + 2 = 12", 1.0),
        ("numeric", "12", "12 + 2 = 14", 0.0),
        ("numeric", "12", "none", 0.0),
        ("regex", "^Seo(ul|hae)", "Seoul", 1.0),
        ("regex", "^Seo(ul|hae)", "In Seoul", 0.0),
        ("judge", "Seoul", "Seoul", 1.0),
    ],
)
def test_each_way_of_scoring(tmp_path: Path, score: str, target: str, answer: str, right: float | None) -> None:
    path = table(tmp_path, json.dumps({"question": "?", "answer": target}) + "\n", "qa.jsonl")
    if right is None:
        with pytest.raises(EvalkitError, match="line 1: answer is empty"):
            load(path, score=score)
        return
    task = load(path, score=score)
    assert figures(task, [answer])[task.headline.partition(",")[0]] == right


def test_any_of_several_answers_is_right(tmp_path: Path) -> None:
    path = table(tmp_path, 'question,answer\nCapital?,"[""Seoul"", ""서울""]"\n')
    assert figures(load(path), ["서울"])["exact_match"] == 1.0
    assert figures(load(path), ["부산"])["exact_match"] == 0.0


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("mc.csv", "question,A,B,C,answer\nRed?,sky,blood,grass,B\n"),
        ("mc.csv", "question,choice1,choice2,choice3,answer\nRed?,sky,blood,grass,blood\n"),
        ("mc.csv", "question,보기 1,보기 2,보기 3,정답\nRed?,sky,blood,grass,2\nGreen?,sky,blood,grass,3\n"),
        ("mc.csv", "질문,A,B,C,정답\nRed?,sky,blood,grass,B\n"),
        ("mc.csv", 'question,choices,label\nRed?,sky|blood|grass,1\nBlue?,sky|blood|grass,0\n'),
        ("mc.jsonl", '{"question": "Red?", "options": ["sky", "blood", "grass"], "answer": "(b)"}\n'),
    ],
)  # fmt: skip
def test_choices_in_columns_or_a_list(tmp_path: Path, name: str, text: str) -> None:
    task = load(table(tmp_path, text, name))
    document = task.build()[0]
    assert document.requests[0].context == "Question: Red?\nA. sky\nB. blood\nC. grass\nAnswer:"
    assert [request.continuation for request in document.requests] == [" A", " B", " C"]
    assert (document.target, task.headline) == (1, "acc,none")
    answers: list[list[Answer]] = [[Scored(0, value, False)] for value in (-3.0, -1.0, -2.0)]
    assert task.score(document, answers)[0].metrics["acc"] == 1.0


BROKEN = [
    ("qa.csv", b"", r"qa\.csv is empty: a line of column names"),
    ("qa.csv", b"question,answer\n", r"qa\.csv: no row can be used: only column names are there"),
    ("qa.csv", b"frage,antwort\na,b\n", r"no column is called question; it has frage, antwort: type --input NAME"),
    ("qa.csv", b"question,result\na,b\n", r"no column is called answer; it has question, result: type --target NAME"),
    ("qa.csv", "질문,정답\n수도는?,서울\n".encode("cp949"), r"qa\.csv:1: in CP949 \(EUC-KR\), as Excel .*CSV UTF-8"),
    ("qa.csv", "question,answer\n日本の首都は?,東京\n".encode("shift-jis"), r"qa\.csv:2: not UTF-8; save it so"),
    ("qa.csv", "question,answer\nCafé?,Zürich\n".encode("latin-1"), r"qa\.csv:2: not UTF-8; save it so"),
    ("qa.csv", "question,answer\nX?,Y\n".encode("utf-16-le"), r"qa\.csv:1: a NUL stands in it: the file is in UTF-16"),
    ("qa.csv", b"Question,Answer,answer\na,b,c\n", r"Answer and answer are both there: type --target NAME"),
    ("qa.csv", b"What is 1+1?,2\n", r"no column is called question; .*the first line is read as the columns' names"),
    ("qa.csv", b'question,answer\n"never closed,b\n', r"qa\.csv:2: not CSV .*quotation mark that was opened"),
    ("qa.csv", b"question,answer\na,b,c\n", r"line 2: 3 cells, the header has 2; a comma in a text needs quotes"),
    ("qa.csv", b"question,question,answer\na,b,c\n", r"qa\.csv:1: two columns are called 'question'"),
    ("qa.jsonl", b'{"question": "a", "answer": \n', r"qa\.jsonl: no row can be used \(line 1: not JSON"),
    ("qa.jsonl", b"[1, 2]\n", r"qa\.jsonl: no row can be used \(line 1: an object is wanted"),
    ("qa.parquet", b"PAR1 and no more", r"qa\.parquet is no Parquet file, or half of one"),
    ("qa.csv", b"PK\x03\x04 excel", r"qa\.csv is an Excel file or a zip: save it as CSV"),
    ("qa.xlsx", b"PK\x03\x04 excel", r"qa\.xlsx is an Excel file: save it as CSV"),
    ("qa.csv", b"question,A,B,answer\nx,y,z,Q\n", r"line 2: the answer 'Q' is none of the choices \(y / z\)"),
    ("qa.csv", b"question,A,B,C,answer\nx,q,r,s,1\nx,q,r,s,2\n", r"whether the first choice is 0 or 1 cannot be told"),
    ("qa.jsonl", b'{"instruction": "a", "output": "b"}\n', r"no column is called question; .*alpaca:"),
]


@pytest.mark.parametrize(("name", "content", "message"), BROKEN)
def test_a_broken_file_is_one_clear_line(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(EvalkitError, match=message) as caught:
        load(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_and_a_wrong_flag_name_the_nearest(tmp_path: Path) -> None:
    path = table(tmp_path, "question,answer\na,b\n")
    with pytest.raises(EvalkitError, match=r"no such file; did you mean qa\.csv\?"):
        load(tmp_path / "qs.csv")
    with pytest.raises(EvalkitError, match=r"--input qestion: .* has no such column; it has question, answer; did you"):
        load(path, input="qestion")
    with pytest.raises(EvalkitError, match=r"--score exakt: one of exact, contains, .* did you mean exact"):
        load(path, score="exakt")
    with pytest.raises(EvalkitError, match="--score choice needs choices"):
        load(path, score="choice")


def test_bad_rows_are_left_out_and_named_by_line(tmp_path: Path) -> None:
    path = table(tmp_path, "question,answer\n1+1?,2\n,3\n2+2?,\n3+3?,6\nx\n")
    suite = Registry().load([str(path)])
    task = suite.tasks[str(path)]
    assert task.size == 2
    assert list(suite.notes) == [
        f"{path}:3: question is empty; the row is left out",
        f"{path}:4: answer is empty; the row is left out",
        f"{path}:6: 1 cells, the header has 2; a comma in a text needs quotes; the row is left out",
    ]


def test_repeated_questions_are_named_and_count(tmp_path: Path) -> None:
    path = table(tmp_path, "question,answer\nA?,1\n,2\nA?,1\nB?,3\nA?,2\n")
    suite = Registry().load([str(path)])
    assert suite.tasks[str(path)].size == 4
    assert suite.notes[-1] == f"{path}: 2 rows ask what an earlier one asks, on lines 4, 6; each counts"


def test_the_written_task_file_is_the_same_task(tmp_path: Path) -> None:
    for number, text in enumerate(
        ("question,answer\nCapital?,Seoul\n", "질문,정답\n수도는?,서울\n", "question,A,B,answer\nRed?,sky,blood,B\n")
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        path = table(folder, text)
        written = write_task_file(path)
        plain = load(path)
        own = Registry([folder]).load(["qa"]).tasks["qa"]
        for ours, theirs in zip(own.build(), plain.build(), strict=True):
            assert (ours.doc_hash, ours.prompt_hash) == (theirs.doc_hash, theirs.prompt_hash)
            assert ours.target == theirs.target
        assert own.headline == plain.headline
        assert own.generation == plain.generation
        assert [shown.task for shown in validate_path(written).tasks] == ["qa"]
        with pytest.raises(EvalkitError, match="is there already"):
            write_task_file(path)


def test_what_a_task_file_says_stands_over_the_table(tmp_path: Path) -> None:
    path = table(tmp_path, "question,answer\nCapital?,Seoul\n")
    text = (
        task_file(path)
        .replace('"Question: {{question}}\\nAnswer:"', '"Q: {{question}}"')
        .replace(": exact", ": contains")
    )
    (tmp_path / "own.yaml").write_text(text)
    task = Registry([tmp_path]).load(["qa"]).tasks["qa"]
    assert task.build()[0].requests[0].context == "Q: Capital?"
    assert task.headline == "contains,none"
    (tmp_path / "own.yaml").write_text(text.replace("  input:", "  inptu:"))
    with pytest.raises(EvalkitError, match=r"questions: unknown key 'inptu'; did you mean input"):
        Registry([tmp_path]).load(["qa"])


def test_a_task_file_reads_no_table_elsewhere(tmp_path: Path) -> None:
    table(tmp_path, "question,answer\na,b\n")
    folder = tmp_path / "tasks"
    folder.mkdir()
    (folder / "own.yaml").write_text("task: own\nquestions: ../qa.csv\n")
    with pytest.raises(EvalkitError, match=r"would read .*qa\.csv"):
        Registry([folder]).load(["own"])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=80), st.sampled_from(["qa.csv", "qa.jsonl", "qa.tsv", "qa.json"]))
def test_whatever_stands_in_a_file_the_answer_is_one_line(tmp_path: Path, content: bytes, name: str) -> None:
    from evalkit.registry.questions import read_questions

    (tmp_path / name).write_bytes(b"question,answer\n" + content if content[:1] < b"8" else content)
    try:
        read_questions(tmp_path / name, None, None, None)
    except EvalkitError as error:
        text = str(error)
    else:
        text = ""
    assert "\n" not in text
