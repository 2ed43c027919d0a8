"""evalkit gate: exit codes and files."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from evalkit.cli import main
from tests.helpers.gates import GSM8K, changed, spoil, values
from tests.helpers.runfolders import TaskRows, write_run


def typed(capsys: pytest.CaptureFixture[str], *argv: str | Path) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stop:
        main([str(arg) for arg in argv])
    said = capsys.readouterr()
    return int(stop.value.code or 0), said.out, said.err


def test_exit_codes_of_the_verb(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = values(GSM8K, 600)
    for name, rows in {"base": base, "same": base, "worse": changed(base, 120, 10)}.items():
        write_run(tmp_path, name, {"gsm8k": TaskRows(rows)})
    write_run(tmp_path, "small", {"gsm8k": TaskRows(base[500:700], hashes=[f"gsm8k-{i}" for i in range(500, 700)])})
    write_run(tmp_path, "other", {"mmlu": TaskRows(base)})
    spoil(write_run(tmp_path, "broken", {"gsm8k": TaskRows(base)}), "cut parquet")
    (tmp_path / "bad.yaml").write_text("tasks: {gsm8k: {max_drp: 0.1}}")
    root = ("--output-path", tmp_path)

    code, out, _ = typed(capsys, "gate", "base", "same", *root)
    assert (code, out.startswith("## ✅ PASS")) == (0, True)
    assert typed(capsys, "gate", "base", "worse", *root)[0] == 1
    code, out, _ = typed(capsys, "gate", "small", "base", *root)
    assert code == 3
    assert "needs about" in out
    for wrong, said in (
        (("gate", "base", "nowhere"), "no run nowhere"),
        (("gate", "base", "other"), "share no task"),
        (("gate", "base", "same", "--policy", tmp_path / "bad.yaml"), "did you mean max_drop"),
    ):
        code, out, err = typed(capsys, *wrong, *root)
        assert (code, out) == (2, "")
        assert said in err
        assert "Traceback" not in err
    code, out, err = typed(capsys, "gate", "base", "broken", *root)
    assert (code, out) == (4, "")
    assert "scores.parquet" in err


def test_the_verb_writes_what_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = values(GSM8K, 600)
    write_run(tmp_path, "base", {"gsm8k": TaskRows(base)})
    write_run(tmp_path, "worse", {"gsm8k": TaskRows(changed(base, 120, 10))})
    assert typed(capsys, "gate", "--bless", "base", "--output-path", tmp_path)[0] == 0
    files = {kind: tmp_path / f"out.{kind}" for kind in ("json", "junit", "markdown")}
    flags = [part for kind, path in files.items() for part in (f"--{kind}", path)]
    code, _, _ = typed(capsys, "gate", "@baseline", "worse", *flags, "--output-path", tmp_path)
    assert code == 1
    assert json.loads(files["json"].read_text())["verdict"] == "regression"
    assert ElementTree.fromstring(files["junit"].read_text()).tag == "testsuites"
    assert files["markdown"].read_text().startswith("## ❌ REGRESSION: gsm8k")
