"""The report without a browser's script, and what the verb says when it writes no page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from evalkit.cli import main
from evalkit.gating import gate
from evalkit.policy import Policy
from evalkit.reporting.gate_view import headline
from evalkit.results import Run
from tests.helpers.pages import ATTACK, Content, page_of, pair_of_runs
from tests.helpers.runfolders import TaskRows, write_run


def without_scripts(html: str) -> str:
    return re.sub(r"<(script|style).*?</\1>", "", html, flags=re.DOTALL)


def test_verdict_and_tables_stand_in_the_page_itself(tmp_path: Path) -> None:
    base, cand = pair_of_runs(tmp_path)
    shown = without_scripts(page_of(base, cand))
    result = gate(Run.open(base), Run.open(cand), Policy())
    assert headline(result) in shown
    assert all(f"<td>{task.name}</td>" in shown for task in result.tasks)
    assert "<td>model-base</td>" in shown
    assert "exact_match,strict-match" in shown


def test_names_in_those_tables_are_text(tmp_path: Path) -> None:
    folders = [write_run(tmp_path, name, {ATTACK: TaskRows([1.0, 0.0])}, model="m") for name in ("a", "b")]
    assert "<img" not in without_scripts(page_of(*folders))


def test_the_tasks_of_a_bare_group_are_listed_once(tmp_path: Path) -> None:
    tasks = {"mini_one": TaskRows([1.0, 0.0]), "mini_two": TaskRows([1.0, 1.0])}
    bare = {"groups": {"mini": {"members": list(tasks), "metrics": {}}}}
    folder = write_run(tmp_path, "a", tasks, requested=["mini"], results=bare)
    assert [row["name"] for row in Content.of(page_of(folder)).data["troubles"]] == ["mini_one", "mini_two"]


def test_a_report_without_a_page_says_how_to_have_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base, _ = pair_of_runs(tmp_path)
    with pytest.raises(SystemExit):
        main(["report", str(base)])
    assert "--html report.html" in capsys.readouterr().err
