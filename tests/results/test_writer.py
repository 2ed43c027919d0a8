"""Run folders, from outside: what is written is read back, whole or not at all."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit import results
from evalkit.errors import OutputError, RunFolderError, UsageError
from evalkit.results import Run, RunWriter, all_runs, slug
from evalkit.types import Figure, Row
from tests.helpers.quizruns import figures, make, manifest, row
from tests.helpers.runfolders import commit, manifest_of, results_of

# ── writing and reading back ───────────────────────────────────────────────────


def test_a_run_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    rows = [row(0, 1.0, doc={"q": "수도는?"}, resps=[["서울"]]), row(1, 0.0), row(2, None, flags=("missing",))]
    with RunWriter(tmp_path, "nano", "r1") as writer:
        assert writer.rows("quiz", iter(rows)) == 3
        commit(writer, manifest(), figures(3), report=lambda run, path: "# 보고서\n")
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


# ── whole or not at all ────────────────────────────────────────────────────────


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
        while not seen and not problems:  # on a busy machine each read may have been overtaken
            time.sleep(0.01)
    finally:
        stop.set()
        reader.join()
    assert problems == []
    assert seen


def test_a_newer_run_is_known_also_under_the_inode_of_the_old_one(tmp_path: Path) -> None:
    """A file system gives the inode of a removed folder to the next one."""
    run = make(tmp_path, rows=[row(0, 0.0)])
    manifest = run.path / "manifest.json"
    manifest.rename(run.path / "older")
    manifest.write_bytes((run.path / "older").read_bytes())
    with pytest.raises(RunFolderError, match="replaced by a newer one"):
        run.scores()


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


# ── keys ───────────────────────────────────────────────────────────────────────


def test_no_key_reaches_any_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    canary, typed = 'canary-"8f3a"-값-key', "typed-on-the-command-line"
    monkeypatch.setenv("SOME_API_KEY", canary)
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "tokenizers")
    with RunWriter(tmp_path, "nano", "r1") as writer:
        writer.rows("quiz", [row(0, doc={canary: f"it is {canary}"}, target="tokenizers")])
        writer.judgments("a@b", [{"reply": canary}])
        command = ["run", "--model-args", f"base_url=x,api_key={typed}"]
        engine = {"api_key": typed, "note": canary, "tokenizer": "kept"}
        written = manifest(command=command, engine=engine)
        run = commit(writer, written, figures(), report=lambda run, path: f"# {canary}")
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
