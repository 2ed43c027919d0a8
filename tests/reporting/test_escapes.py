"""Escape sequences in model answers, names, notes and errors: none reaches a terminal, a file or a log."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from evalkit.cli import main
from evalkit.comparison import compare
from evalkit.ranking import leaderboard
from evalkit.reporting import comparison_view, leaderboard_view
from evalkit.reporting.progress import Bars, Lines
from evalkit.results import Run
from tests.helpers.runfolders import TaskRows, write_run

CLIPBOARD = "\x1b]52;c;cm0gLXJmIH4=\x07"


@pytest.fixture
def runs(tmp_path: Path) -> list[Run]:
    row = {"filter": "strict-match", "doc": {"question": CLIPBOARD}, "target": CLIPBOARD, "resps": [[CLIPBOARD]]}
    folders = [
        write_run(
            tmp_path,
            name,
            {"sums": TaskRows([value, 1.0, 1.0])},
            model="m",
            manifest={"model": {"typed": f"m{CLIPBOARD}"}},
            samples={"sums": [{"doc_id": i, **row} for i in range(3)]},
        )
        for name, value in (("a", 1.0), ("b", 0.0))
    ]
    return [Run.open(folder) for folder in folders]


@pytest.mark.parametrize("terminal", [True, False])
def test_answers_do_not_write_to_the_clipboard(
    runs: list[Run], terminal: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if terminal:
        monkeypatch.setenv("FORCE_COLOR", "1")
    comparison_view.show(compare(runs[0], runs[1:], flips=3))
    shown = capsys.readouterr().out
    assert "\x1b]" not in shown
    assert "\x07" not in shown
    assert "\\x1b]52" in shown


@pytest.mark.parametrize("verb", ["leaderboard", "report", "curve"])
def test_names_above_columns_are_written_out(
    verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Models, tasks and metrics stand in headings too."""
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("FORCE_COLOR", "1")
    for name in ("r1", "r2"):
        tasks = {f"t{CLIPBOARD}": TaskRows([1.0, 0.0, 1.0], f"acc{CLIPBOARD},none")}
        write_run(tmp_path, name, tasks, model=f"m{name}", manifest={"model": {"typed": f"m{CLIPBOARD}{name}"}})
    places = tmp_path / "places.csv"
    places.write_text("run,step\nr1,1\nr2,2\n")
    argv = {"leaderboard": [], "report": ["r1", "r2"], "curve": ["r1", "r2", "--points", str(places)]}[verb]
    with pytest.raises(SystemExit):
        main([verb, *argv, "--output-path", str(tmp_path)])
    shown = capsys.readouterr().out
    assert "\x1b]" not in shown
    assert "\x07" not in shown
    assert "\\x1b]52" in shown


def test_no_table_of_a_file_holds_one(runs: list[Run]) -> None:
    board = leaderboard(runs, every=True)
    comparison = compare(runs[0], runs[1:], flips=3)
    files = [
        leaderboard_view.as_csv(board),
        leaderboard_view.as_markdown(board),
        comparison_view.as_markdown(comparison),
    ]
    assert not any("\x1b" in text or "\x07" in text for text in files)
    assert all("\\x1b]52" in text for text in files)


def test_notes_and_stages_are_written_out() -> None:
    for progress in (Lines(io.StringIO()), Bars(io.StringIO())):
        progress.note(f"the server replied {CLIPBOARD}")
        progress.finish()
        text = (progress.stream if isinstance(progress, Lines) else progress.console.file).getvalue()  # type: ignore[attr-defined]
        assert "\x1b]" not in text
        assert "\\x1b]52" in text


def test_an_error_message_is_written_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["report", f"nothing{CLIPBOARD}", "--output-path", str(tmp_path)])
    assert "\x1b" not in capsys.readouterr().err
