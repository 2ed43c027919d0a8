"""Results in files: whole or not at all, and so that the program that usually opens them reads them right."""

from __future__ import annotations

from pathlib import Path

import pytest

from evalkit.api.output import write_to


def test_a_csv_with_korean_opens_right_in_excel(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_to(str(tmp_path / "board.csv"), "모델,점수\r\n가,1\r\n")
    assert (tmp_path / "board.csv").read_bytes() == b"\xef\xbb\xbf" + "모델,점수\r\n가,1\r\n".encode()
    write_to(str(tmp_path / "marked.csv"), "\ufeffrank\r\n")  # as a leaderboard's text begins
    assert (tmp_path / "marked.csv").read_bytes() == b"\xef\xbb\xbfrank\r\n"
    write_to(str(tmp_path / "plain.csv"), "model,score\r\n")
    assert (tmp_path / "plain.csv").read_bytes() == b"model,score\r\n"  # every program reads it as it is
    write_to(str(tmp_path / "board.json"), '{"모델": 1}')
    assert not (tmp_path / "board.json").read_bytes().startswith(b"\xef\xbb\xbf")
    write_to("-", "모델,점수\n")
    assert capsys.readouterr().out == "모델,점수\n"
