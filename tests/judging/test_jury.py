"""A jury of several judges: weights from people's labels, figures that compare corrects with the same labels."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

import evalkit as ek
from evalkit.cli import cli
from evalkit.errors import JudgeError, NotComparable, RunFolderError, UsageError
from evalkit.judging.items import items_of
from evalkit.judging.judgment import Judge, Judgment
from evalkit.judging.rubric import Rubric, find_rubric
from evalkit.judging.run import Judged, write_judged
from evalkit.results import Run
from tests.helpers.judged import RUBRIC, make_run, write

N = 120
"""Answers of each run, two of which share a cluster."""
Scores = Mapping[str, Callable[[int], float | None]]


def rubric_in(root: Path) -> Rubric:
    path = root / "one.yaml"
    path.write_text(RUBRIC)
    return find_rubric(str(path))


def judged(root: Path, run_id: str, scores: Scores, fingerprints: Mapping[str, str] = {}, model: str = "nano") -> Run:
    """A run that these judges scored, each by a call of its own."""
    run, rubric = make_run(root, N, run_id, model=model), rubric_in(root)
    for name, score in scores.items():
        judgments = [
            Judgment(item, "quality", value, None if value is not None else "refusal", "logprobs")
            for item in items_of(run, rubric)
            for value in (score(item.doc_id),)
        ]
        judge = Judge(name, fingerprints.get(name, f"f-{name}"))
        run = write_judged(run, Judged(rubric, [judge], [judgments], described=[{}]), lambda judges, answers: [])
    return run


def people(run_id: str) -> np.ndarray:
    return np.random.default_rng([5, run_id == "tuned"]).integers(1, 6, N).astype(float)


def judges(run_id: str) -> dict[str, Callable[[int], float | None]]:
    """One that agrees well with people, one less so, and one that draws lots."""
    rng = np.random.default_rng([6, run_id == "tuned"])
    noise = rng.normal(size=(3, N))
    near, far = (np.clip(people(run_id) + size * noise[k], 1, 5) for k, size in enumerate((0.7, 1.5)))
    lots = np.clip(3 + noise[2], 1, 5)
    return {name: lambda i, v=v: float(v[i]) for name, v in (("j:near", near), ("j:far", far), ("j:lots", lots))}


def labels(root: Path, runs: tuple[str, ...] = ("base", "tuned"), count: int = 60, name: str = "labels.jsonl") -> Path:
    chosen = np.random.default_rng(7).permutation(N)[:count]
    return write(
        root / name,
        [
            {"item": f"chat/{i}|{run_id}", "dimension": "quality", "human": people(run_id)[i]}
            for run_id in runs
            for i in chosen
        ],
    )


@pytest.fixture(scope="module")
def two_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("jury")
    for run_id in ("base", "tuned"):
        judged(root, run_id, judges(run_id))
    labels(root)
    return root


def jury(
    root: Path, *runs: str, judges: str = "j:near,j:far,j:lots", file: str = "labels.jsonl"
) -> ek.api.juries.JudgedByJury:
    return ek.jury(*runs, judges=judges, labels=root / file, rubric=str(root / "one.yaml"), output_path=root)


def test_the_better_judge_weighs_more_and_compare_reads_the_jury(two_runs: Path) -> None:
    made = jury(two_runs, "base", "tuned")
    frame = made.frame().set_index("judge")
    assert frame["weight"].sum() == pytest.approx(1)
    assert frame["weight"]["j:near"] > 0.6 > 0.3 > frame["weight"]["j:far"] > frame["weight"]["j:lots"]
    assert frame["correlation"]["j:near"] > 0.8 > frame["correlation"]["j:far"]
    assert set(frame["labelled"]) == {120}
    assert "j:near" in repr(made)
    assert "j:near" in made._repr_html_()

    metric = "quality,one@jury"
    figures = [run.stored.record.results.tasks["chat"].metrics for run in made.runs]
    assert figures[0][metric].fingerprint == figures[1][metric].fingerprint
    assert {"quality,one@j:near", "quality,one@j:far", "quality,one@j:lots", metric} <= set(figures[0])
    assert "jury (j:near 0." in str(figures[0][metric].method)
    ends = []
    for name in (metric, "quality,one@j:near", "quality,one@j:far"):
        compared = ek.compare("base", "tuned", output_path=two_runs, metric=name, labels=two_runs / "labels.jsonl")
        assert any("corrected by 60 documents" in note for note in compared.notes)
        row = compared.frame().iloc[0]
        assert row["low"] < people("tuned").mean() - people("base").mean() < row["high"]
        ends.append(row["high"] - row["low"])
    assert ends[0] < min(ends[1:])
    settings = made.runs[0].stored.record.manifest.judging["one@jury"]["judges"][0]["engine"]
    assert list(settings["members"].values()) == ["f-j:near", "f-j:far", "f-j:lots"]
    assert settings["labels"]["file"] == "labels.jsonl"


def test_no_score_rests_on_the_label_of_its_own_document(two_runs: Path) -> None:
    """Other ratings of one cluster move other documents' scores, and leave its own as they were."""

    def scores() -> dict[str, float]:
        run = jury(two_runs, "base", "tuned").runs[0].stored
        return {row["item"]: row["score"] for row in run.judgments("one@jury")}

    before, text = scores(), (two_runs / "labels.jsonl").read_text()
    rows = [json.loads(line) for line in text.splitlines()]
    doc = int(rows[0]["item"].split("/")[1].split("|")[0])
    own = {f"chat/{i}|nano" for i in (doc // 2 * 2, doc // 2 * 2 + 1)}
    moved = [
        {**row, "human": 6 - row["human"]} if int(row["item"].split("/")[1].split("|")[0]) // 2 == doc // 2 else row
        for row in rows
    ]
    write(two_runs / "labels.jsonl", moved)
    try:
        after = scores()
    finally:
        (two_runs / "labels.jsonl").write_text(text)
    assert {item for item in own if before[item] != pytest.approx(after[item], abs=1e-12)} == set()
    assert sum(before[item] != pytest.approx(after[item], abs=1e-12) for item in before) > N / 2


def test_few_labels_or_judges_alike_weigh_the_same_and_say_so(two_runs: Path, tmp_path: Path) -> None:
    labels(two_runs, count=10, name="few.jsonl")
    made = jury(two_runs, "base", "tuned", file="few.jsonl")
    assert set(made.frame()["weight"].round(6)) == {0.333333}
    assert "equal weights: labelled documents that all judges scored: 10; 20 at least" in made.notes[0].replace(
        "\n", " "
    )

    near = judges("base")["j:near"]
    judged(tmp_path, "base", {"j:a": near, "j:b": near})
    labels(tmp_path, ("base",))
    made = jury(tmp_path, "base", judges="j:a,j:b")
    assert made.frame()["weight"].tolist() == pytest.approx([0.5, 0.5])
    assert "do not tell the judges apart" in made.notes[0]


def test_an_answer_that_a_member_did_not_score_is_missing(tmp_path: Path) -> None:
    scores = judges("base")
    near, lots = scores["j:near"], scores["j:lots"]
    judged(tmp_path, "base", {"j:near": lambda i: None if i == 3 else near(i), "j:far": scores["j:far"]})
    labels(tmp_path, ("base",))
    run = jury(tmp_path, "base", judges="j:near,j:far").runs[0].stored
    by_item = {row["doc_id"]: row for row in run.judgments("one@jury")}
    assert by_item[3]["score"] is None
    assert by_item[3]["reason"] == "j:near: refusal"
    figure = run.record.results.tasks["chat"].metrics["quality,one@jury"]
    assert figure.n == N - 1
    assert figure.coverage == pytest.approx((N - 1) / N)

    judged(tmp_path, "thin", {"j:near": lambda i: near(i) if i % 4 else None, "j:lots": lots})
    labels(tmp_path, ("thin",), name="thin.jsonl")
    with pytest.raises(JudgeError, match="covered 75"):
        jury(tmp_path, "thin", judges="j:near,j:lots", file="thin.jsonl")


def test_what_is_asked_wrongly_is_said(two_runs: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="two members at least"):
        jury(two_runs, "base", judges="j:near")
    with pytest.raises(UsageError, match=r"no figure of it by one; did you mean j:near"):
        jury(two_runs, "base", judges="j:nerr,j:far")
    with pytest.raises(UsageError, match="no run is named"):
        jury(two_runs)
    write(two_runs / "others.jsonl", [{"item": "chat/0|other", "dimension": "quality", "human": 3}])
    with pytest.raises(UsageError, match=r"chat/0\|base \(the labels have chat/0\|other\)"):
        jury(two_runs, "base", "tuned", file="others.jsonl")

    scores = judges("base")
    none = {"j:near": scores["j:near"], "j:far": lambda i: None}
    judged(tmp_path, "silent", none)
    labels(tmp_path, ("silent",))
    with pytest.raises(JudgeError, match="j:far gave no score of quality"):
        jury(tmp_path, "silent", judges="j:near,j:far")
    judged(tmp_path, "changed", scores, {"j:far": "f-another"})
    judged(tmp_path, "base", scores)
    with pytest.raises(NotComparable, match="j:far changed between these judgments"):
        jury(tmp_path, "base", "changed", judges="j:near,j:far")
    path = next((tmp_path / "nano" / "changed" / "judgments").glob("*far*"))
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    write(path, [{**rows[0], "doc_id": "x"}, *rows[1:]])
    with pytest.raises(RunFolderError, match="lacks its item, dimension, task or doc_id"):
        jury(tmp_path, "changed", judges="j:near,j:far")
    bare = {key: value for key, value in rows[0].items() if key not in ("group", "system", "answer", "doc_hash")}
    write(path, [{**bare, "against": 3, "score": "4"}, {**rows[1], "item": "chat/gone", "task": "gone"}, *rows[2:]])
    labels(tmp_path, ("changed",))
    found = jury(tmp_path, "changed", judges="j:near,j:far").runs[0].stored.judgments("one@jury")
    assert [row["doc_id"] for row in found if row["score"] is None] == [1]
    write(path, [{**row, "rubric_hash": "other"} for row in rows])
    with pytest.raises(NotComparable, match="another version of rubric one"):
        jury(tmp_path, "changed", judges="j:near,j:far")


def test_the_verb_shows_weights_and_figures(
    two_runs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    command = ["judge", "jury", "base", "tuned", "--judges", "j:near,j:far", "--labels", str(two_runs / "labels.jsonl")]
    command += ["--rubric", str(two_runs / "one.yaml"), "--output-path", str(two_runs)]
    with pytest.raises(SystemExit) as left:
        cli.main([*command, "--json", str(two_runs / "out.json")])
    assert not left.value.code
    shown = capsys.readouterr().out
    assert "Weights of the jury" in shown
    assert "quality,one@jury" in shown
    content = json.loads((two_runs / "out.json").read_text())
    assert [row["judge"] for row in content["weights"]] == ["j:near", "j:far"]
    assert content["runs"]["base"]["chat"]["quality,one@jury"]["value"] > 1
