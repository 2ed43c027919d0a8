"""What the command line says when it is asked wrongly, and with which exit code."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from evalkit.cli import main

ROOT = Path(__file__).resolve().parents[2]


def run(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stop:
        main(list(argv))
    shown = capsys.readouterr()
    return int(stop.value.code or 0), shown.out, shown.err


@pytest.mark.parametrize(
    ("argv", "hint"),
    [
        (["data", "check", "--nothing"], "(evalkit data check --help)"),
        (["cache", "prune", "--nothing"], "(evalkit cache prune --help)"),
        (["judge", "run", "--nothing"], "(evalkit judge run --help)"),
        (["gate", "--nothing"], "(evalkit gate --help)"),
        (["--nothing"], "(evalkit --help)"),
        (["nothing"], "(evalkit --help)"),
    ],
    ids=" ".join,
)
def test_a_hint_names_the_whole_command(argv: list[str], hint: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, said = run(capsys, *argv)
    assert code == 2
    assert said.strip().endswith(hint)


@pytest.mark.parametrize("argv", [[], ["cache"], ["judge"], ["tasks"], ["data"]], ids=str)
def test_a_verb_without_anything_prints_its_help(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    code, shown, said = run(capsys, *argv)
    assert (code, said) == (0, "")
    assert shown.startswith("Usage: evalkit")


@pytest.mark.parametrize(
    ("variable", "said"),
    [("EVALKIT_LIMT", "did you mean EVALKIT_LIMIT?"), ("EVALKIT_OUTPUT_PAHT", "did you mean EVALKIT_OUTPUT_PATH?")],
)
def test_a_misspelt_variable_is_an_error(
    variable: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(variable, "5")
    code, _, complaint = run(capsys, "run", "--model", "nano", "--tasks", "mini")
    assert code == 2
    assert variable in complaint
    assert said in complaint


def test_a_variable_of_another_verb_or_of_somebody_else_is_none_of_ours(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("EVALKIT_OLDER_THAN", "EVALKIT_CHROMIUM", "EVALKIT_IMPORT", "EVALKIT_BLESS"):
        monkeypatch.setenv(name, "1")
    code, _, complaint = run(capsys, "gate", "nothing", "nowhere", "--output-path", "/nonexistent")
    assert "EVALKIT" not in complaint or "--bless" in complaint
    assert code == 2


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["run", "--model", "nano", "--tasks", "mini", "--limit", "1.5"], "--limit 1.5"),
        (["score", "nofile.jsonl"], "no file nofile.jsonl"),
        (["gate", "a", "b", "--policy", "empty.yaml"], "empty.yaml is empty"),
        (["gate", "a", "b", "--policy", "bomb.yaml"], "more than 100,000 values"),
        (["run", "--config", "bomb.yaml"], "more than 100,000 values"),
        (["data", "check", "empty"], "can serve no benchmark"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_was_taken_silently_is_an_error(
    argv: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty.yaml").write_text("# nothing yet\n")
    lines = ["l0: &l0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"l{level}: &l{level} [{', '.join([f'*l{level - 1}'] * 9)}]" for level in range(1, 30)]
    (tmp_path / "bomb.yaml").write_text("\n".join(lines))
    code, _, complaint = run(capsys, *argv)
    assert code == 2
    assert said in complaint


def test_a_broken_stderr_does_not_change_the_exit_code() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full here")
    for broken in (">/dev/full", ">&-"):
        command = f'"{sys.executable}" -m evalkit gate --nothing 2{broken}'
        done = subprocess.run(["sh", "-c", command], cwd=ROOT, env={**os.environ}, capture_output=True)
        assert done.returncode == 2, broken


def test_flags_complete_on_tab() -> None:
    env = {**os.environ, "_EVALKIT_COMPLETE": "bash_complete", "COMP_WORDS": "evalkit gate --pol", "COMP_CWORD": "2"}
    probe = "import sys; sys.argv = ['evalkit']; from evalkit.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", probe], env=env, capture_output=True, text=True)
    assert "--policy" in done.stdout
