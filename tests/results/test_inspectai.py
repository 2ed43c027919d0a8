"""Logs of inspect_ai, from outside: what it really writes goes in, its own figures come out."""

from __future__ import annotations

import importlib.util
import json
import math
import shutil
from pathlib import Path
from typing import Any

import pytest

from evalkit.comparison import compare
from evalkit.errors import UnknownRun
from evalkit.gating import gate
from evalkit.policy import Policy
from evalkit.results import Run, find, find_foreign
from evalkit.results.foreign.inspect_values import to_float
from tests.helpers.foreign import WHOLE, board, log_of, typed
from tests.helpers.runfolders import TaskRows, results_of, write_run


def test_a_log_pairs_with_a_run_of_evalkit_by_its_questions(logs: Path, tmp_path: Path) -> None:
    rows = [
        {
            "doc_id": 7 - a,
            "doc": {"question": f"What is {a}+2?"},
            "arguments": [[f"Question: What is {a}+2?\nAnswer:", {}]],
            "resps": [[f"{a}"]],
        }
        for a in range(8)
    ]
    ours = write_run(tmp_path, "ours", {"sums": TaskRows([1.0] * 8)}, samples={"sums": rows})
    compared = compare(Run.open(ours), [find(str(log_of(logs, "plain")))]).against[0]
    assert (compared.tasks[0].metric, compared.tasks[0].n) == ("exact_match,strict-match", 8)
    assert "8 of 8 documents of sums" in compared.notes[0]


def figures(read: Run) -> dict[str, Any]:
    found: dict[str, Any] = results_of(read)["tasks"]["sums"]["metrics"]
    return found


@pytest.mark.parametrize("name", [*WHOLE, "bare"])
def test_inspects_figures_are_read_as_its_own_reader_reads_them(name: str, logs: Path) -> None:
    read = find(str(log_of(logs, name)))
    said = json.loads((logs / f"{name}.said").read_text())
    shown = figures(read)
    count = 0
    for score in said["scores"]:
        whole = score["name"] if score["name"] == score["scorer"] else f"{score['scorer']}/{score['name']}"
        whole += f":{score['reducer']}" if score["reducer"] else ""
        for key, metric in score["metrics"].items():
            if key == "stderr":
                main = next(k for k in ("accuracy", "mean") if k in score["metrics"])
                assert shown[f"{main},{whole}"]["stderr"] == metric["value"]
            else:
                assert shown[f"{key},{whole}"]["value"] == metric["value"]
                count += 1
    assert count == len(shown)


@pytest.mark.parametrize("name", WHOLE)
def test_its_samples_come_to_its_figures(name: str, logs: Path) -> None:
    read = find(str(log_of(logs, name)))
    table = read.scores().to_pylist()
    means = [key for key in figures(read) if key.partition(",")[0] in ("accuracy", "mean")]
    assert means
    for key in means:
        metric, _, filter_name = key.partition(",")
        values = [row["value"] for row in table if (row["metric"], row["filter"]) == (metric, filter_name)]
        known = [value for value in values if value is not None]
        assert math.fsum(known) / len(known) == pytest.approx(figures(read)[key]["value"], abs=1e-9)


def test_the_same_log_as_json_is_the_same_run(logs: Path) -> None:
    plain, other = find(str(log_of(logs, "plain"))), find(str(log_of(logs, "json")))
    assert plain.record.results.tasks == other.record.results.tasks
    assert plain.scores().equals(other.scores())
    assert list(plain.rows("sums")) == list(other.rows("sums"))


def test_logs_are_compared_and_gated_on_every_scorer(logs: Path) -> None:
    plain, other = find(str(log_of(logs, "plain"))), find(str(log_of(logs, "other")))
    for metric in ("accuracy,match", "mean,sized/length", "accuracy,lenient"):
        [against] = compare(plain, [other], metric=metric, flips=4).against
        [task] = against.tasks
        assert task.n == (7 if metric == "accuracy,lenient" else 8)
        assert task.baseline == pytest.approx(figures(plain)[metric]["value"])
        assert task.candidate == pytest.approx(figures(other)[metric]["value"])
        assert task.unpaired.total == 0
    flips = compare(plain, [other], flips=4).against[0].tasks[0].flips
    assert flips
    assert all(flip.question.startswith("What is") and flip.baseline != flip.candidate for flip in flips)
    assert gate(plain, other, Policy()).tasks[0].metric == "accuracy,match"


def test_epochs_are_averaged_and_pair_with_single_ones(logs: Path) -> None:
    [against] = compare(find(str(log_of(logs, "plain"))), [find(str(log_of(logs, "epochs")))]).against
    assert against.tasks[0].n == 8
    rows = [row for row in find(str(log_of(logs, "epochs"))).rows("sums") if row["filter"] == "match"]
    assert [len(row["resps"][0]) for row in rows] == [3] * 8


def test_a_reducer_is_part_of_the_name(logs: Path) -> None:
    assert set(figures(find(str(log_of(logs, "mode"))))) == {
        f"accuracy,{scorer}:{reducer}" for scorer in ("includes", "match") for reducer in ("mode", "pass_at_2")
    }


def test_what_was_not_scored_is_no_zero(logs: Path) -> None:
    read = find(str(log_of(logs, "plain")))
    rows = {row["doc_id"]: row for row in read.scores().to_pylist() if row["filter"] == "lenient"}
    assert (rows[4]["value"], rows[4]["flags"]) == (None, "error")
    assert (rows[3]["value"], rows[3]["flags"]) == (0.0, "unparsed")
    assert (rows[2]["value"], rows[2]["flags"]) == (1.0, "")
    assert rows[5]["flags"] == "unfinished"
    assert {row["cluster"] for row in rows.values()} == {"odd", "even"}


@pytest.mark.parametrize(
    ("name", "status"), [("plain", "complete"), ("limited", "limited"), ("errors", "partial"), ("failed", "partial")]
)
def test_a_log_that_is_not_whole_is_stamped(name: str, status: str, logs: Path) -> None:
    read = find(str(log_of(logs, name)))
    assert read.status == status
    assert len(board("--import", log_of(logs, name), "--output-path", logs)) == (status == "complete")


@pytest.mark.parametrize("name", ["failed", "killed"])
def test_a_log_without_figures_says_so(name: str, logs: Path) -> None:
    shown = typed("compare", log_of(logs, "plain"), log_of(logs, name))
    assert shown.exit_code == 4, shown.stderr
    assert "inspect eval-retry" in " ".join(shown.stderr.split())
    assert find(str(log_of(logs, name))).status == "partial"


def test_samples_that_all_failed_are_no_complete_run(logs: Path, tmp_path: Path) -> None:
    content = json.loads(log_of(logs, "json").read_text())
    content.pop("reductions", None)
    content["results"] = None
    for sample in content["samples"]:
        sample |= {"scores": {}, "error": {"message": "boom", "traceback": "", "traceback_ansi": ""}}
    (tmp_path / "all.json").write_text(json.dumps(content))
    read = find(str(tmp_path / "all.json"))
    assert (read.status, results_of(read)["tasks"]["sums"]["errors"]) == (
        "partial",
        len({s["id"] for s in content["samples"]}),
    )
    assert "no sample was scored" in next(iter(figures(read).values()))["reason"]


def test_logs_are_found_in_the_folders_of_a_folder(logs: Path, tmp_path: Path) -> None:
    for name in ("plain", "other"):
        (tmp_path / "all" / name).mkdir(parents=True)
        shutil.copy(log_of(logs, name), tmp_path / "all" / name)
    assert len(find_foreign(tmp_path / "all")[0]) == 2


def test_another_prompt_is_another_measurement(logs: Path) -> None:
    shown = typed("compare", log_of(logs, "plain"), log_of(logs, "prompted"))
    assert shown.exit_code == 2
    assert "--allow prompts" in shown.stderr
    assert typed("compare", log_of(logs, "plain"), log_of(logs, "prompted"), "--allow", "prompts").exit_code == 0


def test_a_folder_of_logs_is_one_run_of_their_tasks(logs: Path, tmp_path: Path) -> None:
    shutil.copy(log_of(logs, "plain"), tmp_path / "a.eval")
    read = find(str(tmp_path))
    assert read.requested == ["sums"]
    shutil.copy(log_of(logs, "other"), tmp_path / "b.eval")
    with pytest.raises(UnknownRun, match=r"2 logs of sums.*a\.eval.*b\.eval"):
        find(str(tmp_path))
    runs, broken = find_foreign(tmp_path)
    assert (len(runs), broken) == (2, [])
    (tmp_path / "c.eval").write_bytes(b"no zip at all")
    runs, broken = find_foreign(tmp_path)
    assert len(runs) == 2
    assert "no zip file" in broken[0][1]


@pytest.mark.parametrize(
    ("value", "number"),
    [
        *(("C", 1.0), ("I", 0.0), ("P", 0.5), ("N", 0.0), ("yes", 1.0), ("No", 0.0), ("TRUE", 1.0), ("0.25", 0.25)),
        *(("", 0.0), ("inf", 0.0), ("nan", 0.0), ("c", 0.0), ("1e2", 100.0), (" 1", 1.0), ("1_0", 10.0), ("٣", 3.0)),
        *((True, 1.0), (3, 3.0), (0.1, 0.1), ([1], 0.0), ({"a": 1}, 0.0)),
    ],
)
def test_values_are_read_as_inspect_reads_them(value: Any, number: float) -> None:
    if importlib.util.find_spec("inspect_ai") is not None:
        from inspect_ai.scorer import value_to_float

        assert value_to_float()(value) == number
    assert to_float(value) == number
