"""Run folders, from outside: what is written is read back, whole or not at all."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit import results
from evalkit.errors import OutputError, RunFolderError, UnknownRun, UsageError
from evalkit.results import Manifest, Run, RunWriter, all_runs, bless, find, same_settings, slug
from evalkit.types import Figure, Row
from tests.helpers.runfolders import commit, manifest_of, results_of


def row(doc_id: int, value: Any = 1.0, *, task: str = "quiz", flags: tuple[str, ...] = (), **sample: Any) -> Row:
    metrics = {} if value is None else {"acc": value}
    return Row(task, doc_id, f"d{doc_id}", f"p{doc_id}", "none", {"doc_id": doc_id, **sample}, metrics, flags=flags)


def manifest(**more: Any) -> dict[str, Any]:
    return {
        "created": "2026-01-01T00:00:00+00:00",
        "finished": "2026-01-01T00:10:00+00:00",
        "requested": ["quiz"],
        "limit": None,
        "model": {"typed": "nano", "alias": "nano", "source": "org/nano", "fingerprint": "f0"},
        **more,
    }


def figures(n: int = 1, status: str = "complete", **more: Any) -> dict[str, Any]:
    task = {"version": 1.0, "num_fewshot": 0, "n": n, "missing": 0, "metrics": {"acc,none": {"value": 1.0}}}
    return {"model": "nano", "requested": ["quiz"], "status": status, "tasks": {"quiz": task}, **more}


def make(root: Path, run_id: str = "r1", model: str = "nano", rows: list[Row] | None = None, **more: Any) -> Run:
    with RunWriter(root, model, run_id) as writer:
        writer.rows("quiz", rows or [row(0)])
        return commit(writer, manifest(**more), figures())


# ── writing and reading back ─────────────────────────────────────────────────


def test_a_run_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    rows = [row(0, 1.0, doc={"q": "수도는?"}, resps=[["서울"]]), row(1, 0.0), row(2, None, flags=("missing",))]
    with RunWriter(tmp_path, "nano", "r1") as writer:
        assert writer.rows("quiz", iter(rows)) == 3
        commit(writer, manifest(), figures(3), report="# 보고서\n")
    run = Run.open(tmp_path / "nano" / "r1")
    assert run.run_id == manifest_of(run)["run_id"] == results_of(run)["run_id"] == "r1"
    assert [line["doc_id"] for line in run.rows("quiz")] == [0, 1, 2]
    assert next(run.rows("quiz"))["doc"] == {"q": "수도는?"}
    assert "수도는?" in (run.path / "samples" / "quiz.jsonl").read_text("utf-8")
    table = run.scores().to_pydict()
    assert list(table) == list(results.COLUMNS)
    assert table["value"] == [1.0, 0.0, None]
    assert table["flags"] == ["", "", "missing"]
    assert table["metric"] == ["acc"] * 3
    assert (run.path / "report.md").read_text("utf-8") == "# 보고서\n"
    assert {path.name for path in tmp_path.iterdir()} == {"nano"}, "no staging folder is left"


def test_numbers_are_numbers_and_nan_is_null_with_a_reason(tmp_path: Path) -> None:
    sample = {"acc": np.float32(0.5), "n": np.int64(3), "bad": float("nan"), "resps": [[float("-inf"), False]]}
    with RunWriter(tmp_path, "nano", "r1") as writer:
        writer.rows("quiz", [row(0, float("nan"), **sample), row(1, np.bool_(True))])
        bad = {"acc,none": {"value": float("nan"), "stderr": np.float64("inf")}}
        commit(writer, manifest(), {**figures(2), "groups": {"all": {"n": 2, "metrics": bad}}})
    run = Run.open(tmp_path / "nano" / "r1")
    for path in (run.path / "results.json", run.path / "samples" / "quiz.jsonl"):
        assert "NaN" not in path.read_text()
        assert "Infinity" not in path.read_text()
    line = next(run.rows("quiz"))
    assert (line["acc"], line["n"]) == (0.5, 3)
    assert (line["bad"], line["bad_reason"]) == (None, "not a number")
    assert (line["resps"], line["resps_reason"]) == ([[None, False]], "infinite")
    found = results_of(run)["groups"]["all"]["metrics"]["acc,none"]
    assert found == {"value": None, "reason": "not a number", "stderr": None, "stderr_reason": "infinite"}
    assert run.scores().to_pydict()["value"] == [None, 1.0]
    assert run.scores().to_pydict()["flags"] == ["error", ""]


def test_figures_are_unrounded_and_say_why_they_are_unknown() -> None:
    third = results.figure(Figure(1 / 3, 0.1, (0.2, 0.4)))
    assert third.as_json() == {"value": 1 / 3, "stderr": 0.1, "ci95": (0.2, 0.4), "higher_is_better": True}
    assert results.figure(Figure(None, reason="no document")).reason == "no document"
    assert results.figure(Figure(None)).reason


def test_rows_without_any_figure_still_stand_in_the_table(tmp_path: Path) -> None:
    with RunWriter(tmp_path, "nano", "r1") as writer:
        writer.rows("quiz", [row(0, None, flags=("missing",)), row(1, None, flags=("missing",))], metrics=["acc"])
        run = commit(writer, manifest(), figures(2, "partial"))
    table = run.scores().to_pydict()
    assert (table["metric"], table["value"], table["flags"]) == (["acc"] * 2, [None] * 2, ["missing"] * 2)


@pytest.mark.parametrize("text", ["a\u2028b\x85c\x0bd\r", "\ud800 broken", '"quoted"\\', "a\nb"])
def test_odd_text_stays_on_its_line(tmp_path: Path, text: str) -> None:
    run = make(tmp_path, rows=[row(0, text=text), row(1, text="next")])
    assert [line["text"] for line in run.rows("quiz")] == [text, "next"]


@given(st.text(max_size=150))
def test_any_name_becomes_one_harmless_path_component(name: str) -> None:
    made = slug(name)
    assert results.is_plain(made)
    assert slug(made) == made
    assert (made == name) == results.is_plain(name)


def test_task_names_that_look_like_paths_stay_in_the_folder(tmp_path: Path) -> None:
    names = ["../../etc/passwd", "a/b", "한국어", "영어", "..", "x" * 300]
    with RunWriter(tmp_path, "nano", "r1") as writer:
        for name in names:
            writer.rows(name, [row(0, task=name, marker=name)])
        run = commit(writer, manifest(), figures())
    assert [next(run.rows(name))["marker"] for name in names] == names
    assert len(list((run.path / "samples").iterdir())) == len(names)


@pytest.mark.parametrize("name", ["", "a/b", "..", ".hidden", "-x", "이 름", "x" * 101, "a b", "a\n"])
def test_a_name_that_cannot_be_a_folder_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="--name"):
        results.check_name(name)


def test_run_ids_and_slugs_are_usable_names() -> None:
    first, second = results.new_run_id(), results.new_run_id()
    assert results.check_name(first) == first
    assert first[:15] <= second[:15]
    assert results.model_slug("base", "ko") == "base+ko"
    assert results.member_id("X", "a") == "X+a"
    assert results.is_plain(results.member_id("x" * 100, "org/name"))


# ── whole or not at all ──────────────────────────────────────────────────────


def test_nothing_is_left_of_a_run_that_was_not_committed(tmp_path: Path) -> None:
    def rows() -> Iterator[Row]:
        yield row(0)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), RunWriter(tmp_path, "nano", "r1") as writer:
        writer.rows("quiz", rows())
    assert list(tmp_path.rglob("*.*")) == []
    assert all_runs(tmp_path).runs == ()


def test_readers_see_the_old_run_or_the_new_one_while_it_is_replaced(tmp_path: Path) -> None:
    make(tmp_path, rows=[row(0, 0.0, turn=0)])
    stop, seen, problems = threading.Event(), set(), []

    def read() -> None:
        while not stop.is_set():
            try:
                run = Run.open(tmp_path / "nano" / "r1")
                turn, value = next(run.rows("quiz"))["turn"], run.scores().column("value")[0].as_py()
            except RunFolderError as error:
                if "replaced by a newer one" not in str(error):
                    problems.append(error)
                continue
            if turn != value:
                problems.append((turn, value))
            seen.add(turn)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for turn in range(1, 60):
            make(tmp_path, rows=[row(0, float(turn), turn=turn)])
    finally:
        stop.set()
        reader.join()
    assert problems == []
    assert seen


def test_a_file_system_that_cannot_swap_still_ends_with_the_new_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path, rows=[row(0, 0.0)])
    monkeypatch.setattr("evalkit.results.disk._exchange", lambda one, other: False)
    assert make(tmp_path, rows=[row(0, 1.0)]).scores().column("value").to_pylist() == [1.0]
    assert [path.name for path in (tmp_path / "nano").iterdir()] == ["r1"]


def test_a_replaced_run_keeps_what_others_put_into_its_folder(tmp_path: Path) -> None:
    run = make(tmp_path)
    with RunWriter.amend(run) as writer:
        writer.judgments("helpful@org/judge", [{"doc_id": 0, "score": 4}])
        commit(writer, manifest_of(run), {**results_of(run), "judged": True})
    amended = Run.open(run.path)
    assert results_of(amended)["judged"] is True
    assert amended.scores().num_rows == 1
    assert next(amended.rows("quiz"))["doc_id"] == 0
    [judgments] = (run.path / "judgments").iterdir()
    assert json.loads(judgments.read_text())["score"] == 4
    again = make(tmp_path, rows=[row(0), row(1)])
    assert (again.path / "judgments" / judgments.name).is_file()
    assert again.scores().num_rows == 2


def test_a_run_with_other_settings_is_never_overwritten(tmp_path: Path) -> None:
    make(tmp_path, limit=100)
    with pytest.raises(UsageError, match="limit: 100 → 200"):
        make(tmp_path, limit=200)
    assert manifest_of(Run.open(tmp_path / "nano" / "r1"))["limit"] == 100


def test_what_a_killed_process_staged_is_swept_and_never_read(tmp_path: Path) -> None:
    program = """
        import os, signal, sys
        from evalkit.results import RunWriter
        writer = RunWriter(sys.argv[1], "nano", "r1")
        writer.judgments("a@b", [{"x": 1}])
        os.kill(os.getpid(), signal.SIGKILL)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(program), str(tmp_path)], check=False)
    assert list((tmp_path / ".staging").iterdir())
    assert all_runs(tmp_path).runs == ()
    make(tmp_path)
    assert not (tmp_path / ".staging").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="file size limits are set with Linux's rlimits here")
def test_a_disk_that_takes_no_more_leaves_the_old_run_whole(tmp_path: Path) -> None:
    make(tmp_path, rows=[row(0, 0.0)])
    program = """
        import resource, sys
        from evalkit.errors import OutputError
        from evalkit.results import RunWriter
        from evalkit.types import Row
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
        try:
            with RunWriter(sys.argv[1], "nano", "r1") as writer:
                rows = (Row("quiz", i, "h", None, "none", {"text": "x" * 1000}, {"acc": 1.0}) for i in range(1000))
                writer.rows("quiz", rows)
                commit(writer, {"model": {"typed": "nano"}}, {"status": "complete", "tasks": {}})
        except OutputError as error:
            print(error)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert "can't write" in done.stdout
    assert Run.open(tmp_path / "nano" / "r1").scores().column("value").to_pylist() == [0.0]
    assert [path.name for path in tmp_path.iterdir()] == ["nano"]


def test_a_folder_that_cannot_be_written_is_said_early(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="--output-path"):
        results.check_writable(tmp_path / "file" / "results")
    assert results.check_writable(tmp_path / "new" / "deep").is_dir()
    assert list((tmp_path / "new" / "deep").iterdir()) == []
    with pytest.raises(OutputError, match="free some space"):
        results.check_space(tmp_path, 10**18)
    assert results.check_space(tmp_path, 1) > 0


# ── broken folders ───────────────────────────────────────────────────────────


@pytest.mark.parametrize("gone", ["manifest.json", "results.json", "scores.parquet"])
@pytest.mark.parametrize("how", ["missing", "empty", "cut"])
def test_a_half_written_folder_is_named_as_such(tmp_path: Path, gone: str, how: str) -> None:
    path = make(tmp_path).path / gone
    if how == "missing":
        path.unlink()
    else:
        path.write_bytes(b"" if how == "empty" else path.read_bytes()[:-20])
    with pytest.raises(RunFolderError, match=gone):
        find("r1", tmp_path).scores()


def test_a_table_that_lacks_a_listed_task_is_broken(tmp_path: Path) -> None:
    run = make(tmp_path)
    pq.write_table(run.scores().slice(0, 0), run.path / "scores.parquet")
    with pytest.raises(RunFolderError, match="quiz"):
        Run.open(run.path).scores()


@pytest.mark.parametrize(
    ("content", "message"),
    [("[]", "list"), ('{"schema": 2}', "schema"), ('{"status": "fine"}', "status"), ('{"tasks": []}', "tasks")],
)
def test_results_of_the_wrong_shape_are_refused(tmp_path: Path, content: str, message: str) -> None:
    run = make(tmp_path)
    (run.path / "results.json").write_text(content)
    with pytest.raises(RunFolderError, match=message):
        Run.open(run.path)


def test_a_broken_row_is_named_with_its_line(tmp_path: Path) -> None:
    run = make(tmp_path, rows=[row(0), row(1)])
    with run.rows_path("quiz").open("a") as file:
        file.write('{"doc_id": 2')
    with pytest.raises(RunFolderError, match=r"quiz\.jsonl:3"):
        list(run.rows("quiz"))


@pytest.mark.parametrize("flags", [pa.array([["cut", "missing"]]), pa.array(["cut,missing"]), pa.array([None]), None])
def test_a_table_from_elsewhere_is_read_leniently(tmp_path: Path, flags: Any) -> None:
    columns: dict[str, Any] = {"task": ["quiz"], "doc_id": pa.array([0], pa.int32()), "doc_hash": ["h"]}
    columns |= {"metric": pa.array(["acc"]).dictionary_encode(), "value": pa.array([1], pa.int8()), "more": [1]}
    if flags is not None:
        columns["flags"] = flags
    run = make(tmp_path)
    pq.write_table(pa.table(columns), run.path / "scores.parquet")
    [line] = Run.open(run.path).scores().to_pylist()
    assert line["flags"] in ("cut,missing", "")
    assert (line["flags"] == "") == (flags is None or flags[0].as_py() is None)
    assert (line["value"], line["filter"], line["prompt_hash"]) == (1.0, "none", None)


def test_a_table_without_what_pairing_needs_is_refused(tmp_path: Path) -> None:
    run = make(tmp_path)
    pq.write_table(pa.table({"task": ["quiz"], "value": [1.0]}), run.path / "scores.parquet")
    with pytest.raises(RunFolderError, match="doc_hash"):
        Run.open(run.path).scores()


def test_a_bare_hand_written_run_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "m" / "r"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text('{"model": "m"}')
    (folder / "results.json").write_text('{"tasks": {}}')
    run = find("m@latest", tmp_path)
    assert (run.label, run.run_id, run.status, run.requested) == ("m", "r", "complete", [])


# ── references ───────────────────────────────────────────────────────────────


def test_a_run_is_found_by_path_and_by_id(tmp_path: Path) -> None:
    run = make(tmp_path)
    for ref in ("r1", str(run.path), f"{run.path}/", "nano/r1"):
        assert find(ref, tmp_path).path.resolve() == run.path.resolve()


def test_two_runs_of_one_id_are_both_listed(tmp_path: Path) -> None:
    make(tmp_path, model="a")
    make(tmp_path, model="b")
    with pytest.raises(UnknownRun) as caught:
        find("r1", tmp_path)
    assert caught.value.exit_code == 2
    assert "a/r1" in str(caught.value)
    assert "b/r1" in str(caught.value)
    assert find("a/r1", tmp_path).path == tmp_path / "a" / "r1"


def test_an_unknown_run_names_the_nearest(tmp_path: Path) -> None:
    make(tmp_path, "mistral-monday")
    with pytest.raises(UnknownRun, match="mistral-monday"):
        find("mistral-munday", tmp_path)
    with pytest.raises(UnknownRun, match="nano@latest"):
        find("nono@latest", tmp_path)
    with pytest.raises(UnknownRun, match="--output-path"):
        find("r1", tmp_path / "nowhere")


@pytest.mark.parametrize("asked", ["nano", "org/nano"])
def test_latest_is_the_newest_finished_run_of_that_model(tmp_path: Path, asked: str) -> None:
    make(tmp_path, "old", finished="2026-01-01T00:00:00Z")
    make(tmp_path, "new", finished="2026-01-02T00:00:00+00:00")
    make(tmp_path, "interrupted", finished=None, created="2026-01-03T00:00:00Z")
    with RunWriter(tmp_path, "x", "other") as writer:
        newer = manifest(finished="2026-01-04T00:00:00Z")
        commit(writer, {**newer, "model": {"typed": "x", "source": "org/x"}}, {**figures(), "tasks": {}})
    assert find(f"{asked}@latest", tmp_path).run_id == "new"


def test_latest_knows_other_names_of_a_model(tmp_path: Path) -> None:
    make(tmp_path)
    aliases = {"tiny": ["org/nano"]}
    assert find("tiny@latest", tmp_path, lambda name: aliases.get(name, [])).run_id == "r1"


def test_latest_by_path_however_it_is_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my-finetune").mkdir()
    root = tmp_path / "results"
    monkeypatch.chdir(tmp_path)
    with RunWriter(root, slug("./my-finetune"), "r1") as writer:
        writer.rows("quiz", [row(0)])
        model = {"typed": "./my-finetune", "source": str(tmp_path / "my-finetune")}
        commit(writer, {**manifest(), "model": model}, figures())
    for typed in ("./my-finetune", "my-finetune", "my-finetune/", str(tmp_path / "my-finetune")):
        assert find(f"{typed}@latest", root).run_id == "r1"


def test_the_base_and_its_adapter_are_two_models(tmp_path: Path) -> None:
    make(tmp_path, "base", adapter=None, finished="2026-01-01T00:00:00Z")
    make(tmp_path, "tuned", model="nano+ko", adapter={"name": "ko"}, finished="2026-01-02T00:00:00Z")
    assert find("nano@latest", tmp_path).run_id == "base"
    assert find("nano+ko@latest", tmp_path).run_id == "tuned"


def test_a_broken_newest_run_is_not_passed_over_in_silence(tmp_path: Path) -> None:
    old = make(tmp_path, "old")
    new = make(tmp_path, "new", finished="2026-02-01T00:00:00Z")
    (new.path / "results.json").unlink()
    os.utime(old.path, (1, 1))
    with pytest.raises(RunFolderError, match=r"results\.json"):
        find("nano@latest", tmp_path)
    listed = all_runs(tmp_path)
    assert [run.run_id for run in listed.runs] == ["old"]
    assert "results.json" in listed.warnings[0]


def test_latest_of_runs_that_never_finished_says_so(tmp_path: Path) -> None:
    make(tmp_path, finished=None)
    with pytest.raises(UnknownRun, match="has finished"):
        find("nano@latest", tmp_path)


def test_the_baseline_is_the_run_that_was_blessed(tmp_path: Path) -> None:
    with pytest.raises(UnknownRun, match="--bless"):
        find("@baseline", tmp_path)
    run = make(tmp_path)
    written = json.loads(bless(run, tmp_path).read_text())
    assert (written["schema"], written["run"], written["run_id"]) == (1, "nano/r1", "r1")
    assert find("@baseline", tmp_path).path.resolve() == run.path.resolve()
    run.path.rename(run.path.with_name("elsewhere"))
    assert find("@baseline", tmp_path).run_id == "r1", "a run that was moved is found by its id"
    make(tmp_path, "r2", model="other").path.rename(run.path)
    with pytest.raises(RunFolderError, match="r2"):
        find("@baseline", tmp_path)


# ── settings ─────────────────────────────────────────────────────────────────


def test_what_cannot_change_an_answer_is_no_setting() -> None:
    other = manifest(command=["evalkit", "run", "--batch-size", "8"], hardware={"gpu": "x"}, created="later")
    other["requested"] = list(reversed(other["requested"]))
    other["engine"] = {"name": "vllm", "version": "1"}
    other["model_args"] = {"gpu_memory_utilization": 0.5}
    assert (
        same_settings(
            *map(Manifest.model_validate, (manifest(engine={"name": "vllm", "version": "2"}, model_args={}), other))
        )
        == []
    )


@pytest.mark.parametrize(
    "change",
    [
        {"limit": 5},
        {"requested": ["quiz", "more"]},
        {"model": {"typed": "nano", "source": "org/nano", "fingerprint": "f1"}},
        {"adapter": {"name": "ko", "fingerprint": "a"}},
        {"engine": {"name": "huggingface"}},
        {"chat_template": {"applied": True}},
        {"seeds": {"random": 1}},
        {"sampling": {"temperature": 1.0}},
        {"model_args": {"dtype": "float16"}},
        {"tasks": {"quiz": {"num_fewshot": 5}}},
    ],
)
def test_what_can_change_an_answer_is_named(change: dict[str, Any]) -> None:
    base = manifest(
        adapter=None,
        engine={"name": "vllm"},
        chat_template={"applied": False},
        seeds={"random": 0},
        sampling={},
        model_args={},
        tasks={"quiz": {"num_fewshot": 0}},
    )
    [difference] = same_settings(*map(Manifest.model_validate, (base, {**base, **change})))
    assert "→" in difference


# ── keys ─────────────────────────────────────────────────────────────────────


def test_no_key_reaches_any_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    canary, typed = 'canary-"8f3a"-값-key', "typed-on-the-command-line"
    monkeypatch.setenv("SOME_API_KEY", canary)
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "tokenizers")
    with RunWriter(tmp_path, "nano", "r1") as writer:
        writer.rows("quiz", [row(0, doc={canary: f"it is {canary}"}, target="tokenizers")])
        writer.judgments("a@b", [{"reply": canary}])
        command = ["run", "--model-args", f"base_url=x,api_key={typed}"]
        engine = {"api_key": typed, "note": canary, "tokenizer": "kept"}
        run = commit(writer, manifest(command=command, engine=engine), figures(), report=f"# {canary}")
    for path in run.path.rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        assert json.dumps(canary)[1:-1].encode() not in content
        assert json.dumps(canary, ensure_ascii=False)[1:-1].encode() not in content
        assert canary.encode() not in content
        assert typed.encode() not in content
    line = next(run.rows("quiz"))
    assert line["target"] == "tokenizers", "a variable that only sounds like a key strikes nothing out"
    assert line["doc"] == {"[SOME_API_KEY]": "it is [SOME_API_KEY]"}
    assert manifest_of(run)["engine"]["tokenizer"] == "kept"
    assert manifest_of(run)["command"][2] == "base_url=x,api_key=[key]"


# ── docs/files.md ────────────────────────────────────────────────────────────

DOCS = (Path(__file__).parents[2] / "docs" / "files.md").read_text("utf-8")
TYPES: dict[str, tuple[type, ...]] = {
    "text": (str,),
    "integer": (int,),
    "number": (int, float),
    "list": (list,),
    "object": (dict,),
    "true or false": (bool,),
    "null": (type(None),),
    "any": (object,),
}


def documented(section: str) -> dict[str, tuple[str, bool]]:
    """Of a section's table: each entry's type, and whether it is optional."""
    body = DOCS.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in body.splitlines() if line.startswith("| `")]
    return {name.strip("`"): (kind.removesuffix(", optional"), kind.endswith(", optional")) for name, kind, *_ in cells}


def fits(value: Any, kind: str) -> bool:
    allowed = {found for name, found in TYPES.items() if name in kind for found in found}
    return isinstance(value, tuple(allowed)) and (not isinstance(value, bool) or bool in allowed or object in allowed)


def entries(value: Any, table: dict[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """The entries of an object under their names in the table. Where it says "object", the inside is open."""
    for key, item in value.items():
        inside = [f"{path}.{name}" if path else name for name in (key, "*")]
        here = next(
            (name for name in inside if any(known == name or known.startswith(f"{name}.") for known in table)), None
        )
        if here is not None and here not in table and isinstance(item, dict):
            yield from entries(item, table, here)
        else:
            yield here or inside[0], item


def disagreements(content: dict[str, Any], section: str, ignore: set[str] | None = None) -> list[str]:
    table = documented(section)
    found = [(name, value) for name, value in entries(content, table) if name not in (ignore or set())]
    problems = [f"{name} is not documented" for name, _ in found if name not in table]
    problems += [
        f"{name}: {value!r} is not {table[name][0]}"
        for name, value in found
        if name in table and not fits(value, table[name][0])
    ]
    here = {name for name, _ in found}
    for name, (_, optional) in table.items():
        # What belongs to each of many is asked for where there is one.
        parent = name.rpartition("*.")[0]
        if not optional and name not in here and (not parent or any(other.startswith(parent) for other in here)):
            problems.append(f"{name} is not there")
    return problems


@pytest.fixture(scope="module")
def real_run(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One run of the command line, on tasks of every kind that come with evalkit."""
    root = tmp_path_factory.mktemp("real")
    command = ["run", "--model", str(tiny_model), "--engine", "hf", "--tasks", "mini", "--limit", "2", "--name", "r1"]
    done = subprocess.run(
        [sys.executable, "-m", "evalkit", *command, "--output-path", str(root)],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr
    return find("r1", root)


@pytest.mark.parametrize("name", ["manifest.json", "results.json"])
def test_the_files_of_a_real_run_are_as_documented(real_run: Run, name: str) -> None:
    assert disagreements(json.loads((real_run.path / name).read_text("utf-8")), name) == []


def test_the_rows_of_a_real_run_are_as_documented(real_run: Run) -> None:
    for task in real_run.record.results.tasks:
        for line in real_run.rows(task):
            assert disagreements(line, r"samples/\<task\>.jsonl", ignore=set(line["metrics"])) == []


def test_the_score_table_is_as_documented(real_run: Run) -> None:
    written = pq.read_schema(real_run.path / "scores.parquet")
    aliases = {"double": "float64"}
    found = {field.name: aliases.get(str(field.type), str(field.type)) for field in written}
    assert found == {name: kind for name, (kind, _) in documented("scores.parquet").items()} == results.COLUMNS


def test_the_baseline_is_as_documented(real_run: Run, tmp_path: Path) -> None:
    assert disagreements(json.loads(bless(real_run, tmp_path).read_text()), "baseline.json") == []


def test_the_journal_is_as_documented(real_run: Run) -> None:
    connection = sqlite3.connect(real_run.path.parent.parent / ".journal" / "answers.db")
    names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    found = {
        name: ", ".join(f"`{column[1]}`" for column in connection.execute(f"PRAGMA table_info({name})"))
        for name in names
    }
    connection.close()
    assert found == {name: columns for name, (columns, _) in documented(".journal/").items()}


def test_the_check_of_the_documents_can_fail(real_run: Run) -> None:
    content = json.loads((real_run.path / "results.json").read_text("utf-8"))
    content["news"] = 1
    content["tasks"]["mini_code"]["n"] = "two"
    del content["timing"]["load"]
    assert sorted(disagreements(content, "results.json")) == [
        "news is not documented",
        "tasks.*.n: 'two' is not integer",
        "timing.load is not there",
    ]
