"""Results of lm-eval that were edited, cut or made up: read, or refused in one line."""

from __future__ import annotations

import json
import math
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evalkit.errors import RunFolderError
from evalkit.results import find
from tests.helpers.foreign import board, copied, edited, junk, places, readable, replaced, results_file, typed, written
from tests.helpers.runfolders import results_of


def test_a_figure_that_its_rows_do_not_come_to_is_refused(theirs: dict[str, Path], tmp_path: Path) -> None:
    file = copied(theirs["one"], tmp_path / "edited")
    edited(file, lambda content: content["results"]["told"].update({"exact_match,loose": 0.987}))
    with pytest.raises(RunFolderError, match=r"told come to exact_match,loose = .*says 0.987"):
        find(str(file))


def test_a_filters_name_may_hold_a_comma(tmp_path: Path) -> None:
    said = {"exact_match,maj,3": 0.5, "exact_match_stderr,maj,3": 0.25}
    read = find(str(written(tmp_path, said)))
    assert results_of(read)["tasks"]["told"]["metrics"] == {"exact_match,maj,3": {"value": 0.5, "stderr": 0.25}}
    shown = typed("compare", tmp_path, tmp_path / "model", "--tasks", "told")
    assert shown.exit_code == 0, shown.stderr


def test_a_date_is_read_from_the_name_and_never_from_the_copy(tmp_path: Path) -> None:
    folder = written(tmp_path / "dated", {"exact_match,maj,3": 0.5})
    assert find(str(folder)).dated == datetime(2026, 11, 21, 10, tzinfo=UTC)
    [file] = folder.glob("model/results_*.json")
    read = find(str(shutil.copy(file, tmp_path / "undated.json")))
    assert read.dated is None
    assert read.finished is not None, "it came to its end"
    [row] = board("--import", tmp_path / "undated.json", "--output-path", tmp_path)
    assert row["date"]["value"] is None


def test_rows_without_figures_are_no_contradiction(tmp_path: Path) -> None:
    folder = written(tmp_path, {}, counted=0)
    assert find(str(folder)).record.results.tasks["told"].metrics == {}
    shown = typed("compare", folder, folder / "model")
    assert shown.exit_code == 4
    assert "no figure of told" in " ".join(shown.stderr.split())


def test_rows_that_were_lost_are_noticed(theirs: dict[str, Path], tmp_path: Path) -> None:
    file = copied(theirs["one"], tmp_path / "short")
    [samples] = file.parent.glob("samples_told_*.jsonl")
    lines = samples.read_text().splitlines(keepends=True)
    samples.write_text("".join(lines[:-1]))
    with pytest.raises(RunFolderError, match=r"9 documents.*counts 10"):
        find(str(file))
    samples.write_text("".join([*lines, lines[0]]))
    with pytest.raises(RunFolderError, match="stands twice"):
        find(str(file))


def test_nan_is_no_figure(theirs: dict[str, Path], tmp_path: Path) -> None:
    file = copied(theirs["one"], tmp_path / "nan")
    edited(file, lambda content: content["results"]["told"].update({"exact_match,strict": math.nan}))
    read = find(str(file))
    assert results_of(read)["tasks"]["told"]["metrics"]["exact_match,strict"]["value"] is None
    shown = typed("compare", file, theirs["two"], "--metric", "exact_match,strict", "--tasks", "told")
    assert shown.exit_code == 4
    assert "not a number" in shown.stderr
    [samples] = file.parent.glob("samples_colours_*.jsonl")
    samples.write_text(re.sub(r'"acc": [01]\.0', '"acc": NaN', samples.read_text(), count=1))
    shown = typed("compare", file, theirs["two"])
    assert shown.exit_code == 4, shown.stderr
    assert len(shown.stderr.strip().splitlines()) == 1


def test_a_task_name_never_becomes_a_path(theirs: dict[str, Path], tmp_path: Path) -> None:
    file = copied(theirs["one"], tmp_path / "out" / "in")
    date = file.stem.rpartition("_")[2]
    [samples] = file.parent.glob("samples_told_*.jsonl")
    (tmp_path / "out" / f"samples_told_{date}.jsonl").write_bytes(samples.read_bytes())
    name = "../../told"
    (file.parent / "samples_..").mkdir()

    def rename(content: Any) -> None:
        for part in ("results", "configs", "versions", "n-shot", "n-samples", "higher_is_better"):
            content[part][name] = content[part].pop("told")

    edited(file, rename)
    assert not find(str(file)).has_rows(name)


@pytest.mark.parametrize(
    ("content", "code", "says"),
    [
        ("", 4, "not JSON"),
        ('{"results": {', 4, "not JSON"),
        ("[" * 100_000, 4, "not JSON"),
        ("[]", 2, "results_<date>.json"),
        ('{"a": 1}', 2, ".eval"),
        ('{"results": {"t": 3}, "configs": {}}', 4, "not an object"),
        ('{"results": {"t": {"acc,none": 1}}, "configs": [], "n-samples": 5}', 4, "not an object"),
        ('{"version": 2, "status": "success", "eval": {"task": 5}}', 4, "not a name"),
    ],
)
def test_a_file_that_is_none_is_one_line(content: str, code: int, says: str, tmp_path: Path) -> None:
    file = tmp_path / "results_2026-01-01T00-00-00.json"
    file.write_text(content)
    shown = typed("leaderboard", file)
    assert shown.exit_code == code, shown.stderr
    assert says in shown.stderr
    assert len(shown.stderr.strip().splitlines()) == 1


def test_groups_that_hold_each_other_many_times_are_walked_once(tmp_path: Path) -> None:
    """Forty groups that each hold the next one twice stand for 2**40 members: the file is refused, and at once."""
    groups = {f"g{n}": [f"g{n + 1}"] * 2 for n in range(40)} | {"g40": ["t"]}
    content = {"results": {"t": {"acc,none": 0.5}}, "configs": {"t": {}}, "group_subtasks": groups}
    file = tmp_path / "results_2026-01-01T00-00-00.json"
    file.write_text(json.dumps(content))
    shown = typed("leaderboard", file)
    assert shown.exit_code == 4, shown.stderr
    assert "written out" in " ".join(shown.stderr.split())


def test_a_folder_without_any_run_says_what_is_read(tmp_path: Path) -> None:
    shown = typed("compare", tmp_path, tmp_path)
    assert shown.exit_code == 2
    assert "inspect_ai" in shown.stderr
    shown = typed("leaderboard", "--import", tmp_path)
    assert shown.exit_code == 2
    assert "results_<date>.json" in shown.stderr


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_stands_in_results_is_read_or_refused_in_one_line(
    data: st.DataObject, theirs: dict[str, Path], tmp_path: Path
) -> None:
    content = json.loads(results_file(theirs["one"]).read_text())
    content = {key: value for key, value in content.items() if key != "pretty_env_info"}
    path = data.draw(st.sampled_from(list(places(content))))
    file = tmp_path / "results_2026-01-01T00-00-00.json"
    file.write_text(json.dumps(replaced(content, path, data.draw(junk()))))
    readable(file)
