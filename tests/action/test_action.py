"""The GitHub Action: its own scripts, run in a shell with a job's variables."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

import evalkit as ek
from evalkit import safe
from evalkit.reporting import github
from tests.helpers import warm
from tests.helpers.runfolders import TaskRows, write_run

ROOT = Path(__file__).resolve().parents[2]
ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    good = [1.0] * 300 + [0.0] * 100
    write_run(tmp_path / "runs", "base", {"gsm8k": TaskRows(good)}, model="m")
    write_run(tmp_path / "runs", "same", {"gsm8k": TaskRows(good)}, model="n")
    write_run(tmp_path / "runs", "worse", {"gsm8k": TaskRows([0.0] * 400)}, model="o")
    write_run(tmp_path / "runs", "small", {"gsm8k": TaskRows([1.0] * 15 + [0.0] * 5)}, model="p")
    write_run(tmp_path / "runs", "small2", {"gsm8k": TaskRows([1.0] * 14 + [0.0] * 6)}, model="q")
    return tmp_path


def step(name: str, root: Path, **env: str) -> tuple[subprocess.CompletedProcess[str], dict[str, str], str]:
    """Run a script of the action; its outputs and its summary as a job would read them."""
    programs = root / "bin"
    programs.mkdir(exist_ok=True)
    warm.program(programs)
    output, summary = root / "output", root / "summary.md"
    output.write_text("")
    variables = {
        **{key: value for key, value in os.environ.items() if not key.startswith("GITHUB_")},
        "PATH": f"{programs}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "GITHUB_OUTPUT": str(output),
        "GITHUB_STEP_SUMMARY": str(summary),
        "RUNNER_TEMP": str(root),
        "OUTPUT_PATH": str(root / "runs"),
        **env,
    }
    script = ROOT / "tools" / "action" / f"{name}.sh"
    done = subprocess.run(["bash", str(script)], env=variables, capture_output=True, text=True, cwd=root)
    written = dict(re.findall(r"(?m)^([\w-]+)<<(?:evalkit-\w+)\n(.*)\nevalkit-", output.read_text()))
    written |= dict(re.findall(r"(?m)^([\w-]+)=(.*)$", output.read_text()))
    return done, written, summary.read_text() if summary.exists() else ""


@pytest.mark.parametrize(
    ("pair", "verdict", "code"),
    [
        (("base", "same"), "pass", 0),
        (("base", "worse"), "regression", 1),
        (("small", "small2"), "cannot_tell", 3),
    ],
)
def test_each_verdict_reaches_summary_outputs_and_annotations(
    pair: tuple[str, str], verdict: str, code: int, root: Path
) -> None:
    done, outputs, summary = step("gate", root, BASELINE=pair[0], CANDIDATE=pair[1])
    assert done.returncode == code, done.stderr
    assert outputs["verdict"] == verdict
    assert outputs["exit-code"] == str(code)
    assert "gsm8k" in summary
    comment = Path(outputs["comment"]).read_text()
    assert comment.startswith(github.MARKER)
    kinds = re.findall(r"(?m)^::(\w+) title=gsm8k", done.stderr)
    assert kinds == {"pass": [], "regression": ["error"], "cannot_tell": ["warning"]}[verdict]


@pytest.mark.parametrize(("way", "code"), [("fail", 3), ("warn", 0), ("pass", 0)])
def test_what_a_gate_that_cannot_tell_does_is_chosen(way: str, code: int, root: Path) -> None:
    done, outputs, _ = step("gate", root, BASELINE="small", CANDIDATE="small2", CANNOT_TELL=way)
    assert done.returncode == code
    assert outputs["verdict"] == "cannot_tell"
    assert ("::warning::evalkit cannot tell" in done.stdout) == (way == "warn")


def test_wrong_inputs_are_named(root: Path) -> None:
    done, _, _ = step("gate", root, BASELINE="base", CANDIDATE="same", CANNOT_TELL="explode\n::error::x")
    assert done.returncode == 2
    assert "fail, warn or pass" in done.stdout
    assert "\n::error::x" not in done.stdout
    done, outputs, _ = step("gate", root, BASELINE="base", CANDIDATE="nobody; touch pwned")
    assert done.returncode == 2
    assert outputs == {}
    assert not (root / "pwned").exists()
    done, outputs, _ = step("gate", root, BASELINE="base", CANDIDATE="--allow=limit")
    assert done.returncode == 2, "a branch of that name is no flag"
    assert outputs == {}
    done, _, _ = step("evaluate", root, MODEL="nano", TASKS="", NAME="x")
    assert done.returncode == 2


def test_the_report_is_written_and_named(root: Path) -> None:
    done, outputs, _ = step("report", root, BASELINE="base", CANDIDATE="same")
    assert done.returncode == 0, done.stderr
    assert Path(outputs["report"]).read_text().startswith("<!doctype html>")


def test_the_comment_is_written_over_the_one_that_is_there(root: Path) -> None:
    """`gh` is GitHub's own program and needs GitHub: what it is asked is written down instead."""
    programs = root / "bin"
    programs.mkdir(exist_ok=True)
    gh = programs / "gh"
    gh.write_text('#!/bin/sh\necho "$@" >>calls\ncase "$*" in *--paginate*) cat there;; esac\n')
    gh.chmod(0o755)
    comment = root / "comment.md"
    comment.write_text(f"{github.MARKER}\n# PASS\n")
    for there, call in (
        ("", "--method POST repos/o/r/issues/7/comments"),
        ("41\n42\n", "PATCH repos/o/r/issues/comments/41"),
    ):
        (root / "there").write_text(there)
        (root / "calls").write_text("")
        done, _, _ = step("comment", root, COMMENT=str(comment), NUMBER="7", GITHUB_REPOSITORY="o/r")
        assert done.returncode == 0, done.stderr
        listing, write = (root / "calls").read_text().splitlines()
        assert github.MARKER in listing
        assert call in write
        assert f"body=@{comment}" in write


def test_a_comment_on_57_subjects_stays_below_githubs_limit(tmp_path: Path) -> None:
    names = [f"mmlu_{'주제_' * 20}{number:02}" for number in range(57)]
    tasks = {name: TaskRows([1.0] * 30 + [0.0] * 10) for name in names}
    worse = {name: TaskRows([0.0] * 40) for name in names}
    write_run(tmp_path, "base", tasks, model="m", groups={"mmlu": names}, requested=names)
    write_run(tmp_path, "worse", worse, model="n", groups={"mmlu": names}, requested=names)
    result = ek.gate("base", "worse", output_path=tmp_path, allow=[]).result
    comment = github.comment(result)
    assert len(comment.encode()) <= 65_536
    assert "REGRESSION" in comment
    assert len(github.annotation_lines(result)) == 10
    assert len(github.summary(result).encode()) <= 1 << 20


def test_a_name_cannot_smuggle_in_a_command(tmp_path: Path) -> None:
    name = "gsm8k\n::set-output name=verdict::pass"
    write_run(tmp_path, "base", {name: TaskRows([1.0] * 40)}, model="m")
    write_run(tmp_path, "worse", {name: TaskRows([0.0] * 40)}, model="n")
    result = ek.gate("base", "worse", output_path=tmp_path).result
    (line,) = github.annotation_lines(result)
    assert "\n" not in line
    assert line.startswith("::error title=gsm8k %3A%3Aset-output name=verdict%3A%3Apass")


@pytest.mark.parametrize("name", ["::set-output name=verdict::pass", "x ##[set-output name=verdict;]pass"])
def test_nothing_that_is_shown_in_a_job_is_a_command(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_run(tmp_path, "base", {name: TaskRows([1.0] * 40)}, model=name)
    write_run(tmp_path, "worse", {name: TaskRows([0.0] * 40)}, model=name)
    for job in (False, True):
        monkeypatch.setenv("GITHUB_ACTIONS", str(job).lower())
        result = ek.gate("base", "worse", output_path=tmp_path)
        result.show()
        shown = capsys.readouterr().out
        assert re.search(r"(?m)^\s*::|##\[", shown) is None if job else name in shown
        assert re.search(r"(?m)^\s*::|##\[", safe.terminal(f"{name}\n {name}")) is None or not job


def test_without_a_job_the_flag_says_so(tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_OUTPUT", raising=False)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    write_run(tmp_path, "base", {"gsm8k": TaskRows([1.0] * 40)}, model="m")
    ek.gate("base", "base", output_path=tmp_path, github=True)
    assert "no job to write to" in capsys.readouterr().err


# ── the file itself ──────────────────────────────────────────────────────────


def test_every_input_and_step_is_what_github_takes() -> None:
    assert set(ACTION) <= {"name", "description", "author", "branding", "inputs", "outputs", "runs"}
    assert ACTION["runs"]["using"] == "composite"
    for given in ACTION["inputs"].values():
        assert set(given) <= {"description", "required", "default"}
        assert given["description"]
    ids = [step["id"] for step in ACTION["runs"]["steps"] if "id" in step]
    assert len(ids) == len(set(ids))
    for one in ACTION["runs"]["steps"]:
        assert set(one) <= {"name", "id", "if", "uses", "with", "run", "shell", "env", "working-directory"}
        assert ("run" in one) != ("uses" in one)
        assert "run" not in one or one["shell"] == "bash"
    text = (ROOT / "action.yml").read_text(encoding="utf-8")
    for reference in re.findall(r"inputs\.([\w-]+)", text):
        assert reference in ACTION["inputs"], reference
    for reference in re.findall(r"steps\.([\w-]+)\.", text):
        assert reference in ids, reference


def test_no_input_is_pasted_into_a_command() -> None:
    """`${{ inputs.x }}` in a command lets a branch name run code: inputs go through variables."""
    for one in ACTION["runs"]["steps"]:
        assert "${{" not in one.get("run", "")
        for script in re.findall(r"tools/action/(\w+)\.sh", one.get("run", "")):
            path = ROOT / "tools" / "action" / f"{script}.sh"
            used = set(re.findall(r"\$\{?([A-Z_]+)", path.read_text())) - {"GITHUB_OUTPUT", "RUNNER_TEMP"}
            assert used - {"GITHUB_REPOSITORY"} <= set(one["env"]), path


# ── GitLab ───────────────────────────────────────────────────────────────────


def test_the_gitlab_example_does_what_the_page_says(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own command, with the runs of this test in place of the example's."""
    import shlex
    from xml.etree import ElementTree

    from evalkit.cli import main

    page = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
    [block] = re.findall(r"## GitLab\n\n```yaml\n(.*?)```", page, re.DOTALL)
    job = yaml.safe_load(block)["gate"]
    install, gate = job["script"]
    assert install == "pip install lm-evalkit"
    monkeypatch.chdir(root)
    (root / "gate.yaml").write_text("confidence: 0.95\n")
    ek.gate(bless="base", output_path=root / "runs")
    replaced = {"results/my-finetune/candidate": "worse"}
    argv = [replaced.get(word, word) for word in shlex.split(gate)[1:]]
    with pytest.raises(SystemExit) as stop:
        main([*argv, "--output-path", str(root / "runs")])
    assert stop.value.code == 1
    suite = ElementTree.parse(root / job["artifacts"]["reports"]["junit"]).getroot()
    assert [case.get("name") for case in suite.iter("testcase")] == ["gsm8k"]
    assert list(suite.iter("failure"))
    [note] = job["artifacts"]["paths"]
    assert "REGRESSION" in (root / note).read_text(encoding="utf-8")
