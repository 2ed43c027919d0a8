"""The person at the terminal: flags, exit codes, one clear line."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from evalkit import __version__
from tests.helpers import warm

ROOT = Path(__file__).resolve().parents[2]


def evalkit(*argv: str, cwd: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
    return warm.run(*argv, cwd=cwd, env={**os.environ, **env})


def test_help_names_every_verb_and_version_says_which() -> None:
    done = evalkit("--help")
    assert done.returncode == 0
    for verb in ("run", "score", "compare", "gate", "leaderboard", "tasks", "models", "data", "cache", "doctor"):
        assert f"\n  {verb} " in done.stdout
    assert __version__ in evalkit("--version").stdout


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["rnu"], "did you mean run?"),
        (["run", "--modle", "nano"], "--model"),
        (["run", "--tasks", "mini"], "--model is missing"),
        (["run", "--model", "nano"], "--tasks is missing"),
        (["run", "--model", "nano", "--tasks", "mmul"], "did you mean mmlu"),
        (["run", "--model", "mistral-7b-instuct", "--tasks", "mini"], "mistral-7b-instruct"),
        (["run", "--model", "nano", "--tasks", "mini", "--limit", "0"], "--limit 0"),
        (["run", "--model", "nano", "--tasks", "mini", "--engine", "vlm"], "did you mean vllm"),
        (["run", "--model", "nano", "--tasks", "mini", "--name", "a/b"], "--name"),
        (["run", "--model", "nano", "--tasks", "mini", "--model-args", "dtyp=float32", "--engine", "hf"], "dtype"),
        (["run", "--config", "nowhere.yaml"], "nowhere.yaml"),
        (["gate", "no-such-run", "other"], "no-such-run"),
        (["score", "nowhere.jsonl"], "nowhere.jsonl"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_is_asked_wrongly_is_one_line_and_exit_2(argv: list[str], says: str, tmp_path: Path) -> None:
    done = evalkit(*argv, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    complaint = [line for line in done.stderr.splitlines() if line.startswith("evalkit: ")]
    assert len(complaint) == 1, done.stderr


def test_debug_shows_where_an_error_came_from() -> None:
    assert "Traceback" in evalkit("run", "--tasks", "mini", "--debug").stderr


def test_flags_take_dashes_underscores_variables_and_a_file(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("model: nano\ntasks: [mini_knowledge]\nnum_fewshot: 0\nengine: vlm\n")
    # The file names an engine that does not exist; a variable beats the file, and a flag the variable.
    assert "vlm:" in evalkit("run", "--config", str(file)).stderr
    assert "fromvar:" in evalkit("run", "--config", str(file), EVALKIT_ENGINE="fromvar").stderr
    done = evalkit("run", "--config", str(file), "--num_fewshot", "0", "--engine", "fromflag", EVALKIT_ENGINE="fromvar")
    assert "fromflag:" in done.stderr


def test_a_file_may_hold_every_setting_as_yaml_writes_it(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(
        "model: nano\ntasks: [mini_arithmetic]\nmodel-args: {dtype: float32, max_length: 512}\nlimit: 2\nquiet: true\n"
        "num_fewshot: 1\napply_chat_template: true\nfewshot_as_multiturn: false\nsystem_instruction: Be brief.\n"
        "gen_kwargs: {max_gen_toks: 6, until: ['a, b', Q]}\nbatch_size: 4\nseed: [1, 2, 3, 4]\nengine: hf\n"
        f"device: cpu\nname: all\noutput_path: {tmp_path / 'out'}\n"
    )
    done = evalkit("run", "--config", str(file))
    assert (done.returncode, done.stderr) == (0, "")
    manifest = json.loads((tmp_path / "out" / "nano" / "all" / "manifest.json").read_text())
    assert manifest["limit"] == 2
    assert manifest["seeds"] == {"random": 1, "numpy": 2, "torch": 3, "fewshot": 4}
    assert manifest["sampling"] == {"max_gen_toks": 6, "until": ["a, b", "Q"]}
    assert manifest["engine"]["dtype"] == "float32"
    assert manifest["chat_template"]["applied"]
    assert not manifest["chat_template"]["fewshot_as_multiturn"]
    assert manifest["chat_template"]["system_instruction"] == "Be brief."
    file.write_text("model: nano\ntasks: mini\nlimit: {mini: 3}\n")
    refused = evalkit("run", "--config", str(file))
    assert refused.returncode == 2
    assert "limit is a value or a list" in refused.stderr


def test_another_run_of_the_same_name_says_what_differs_in_a_readable_line(tmp_path: Path) -> None:
    asked = ["run", "--model", "nano", "--tasks", "mini_knowledge", "--name", "x", "--output-path", str(tmp_path)]
    assert evalkit(*asked, "--limit", "1").returncode == 0
    done = evalkit(*asked, "--limit", "2", "-q")
    assert done.returncode == 2
    assert "limit: 1" in done.stderr
    assert not re.search(r"[0-9a-f]{20}", done.stderr)


def test_an_unknown_key_in_a_file_names_the_nearest(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("model: nano\ntaks: mini\n")
    done = evalkit("run", "--config", str(file))
    assert done.returncode == 2
    assert "tasks" in done.stderr


def test_an_output_folder_that_cannot_be_written_is_found_before_the_model(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = evalkit("run", "--model", "nano", "--tasks", "mini", "--output-path", str(tmp_path / "file" / "results"))
    assert done.returncode in (2, 4)
    assert "loading" not in done.stderr
    assert str(tmp_path / "file") in done.stderr


def test_the_flags_are_documented_as_they_are() -> None:
    spec = importlib.util.spec_from_file_location("write_docs", ROOT / "tools" / "write_docs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.TARGET.read_text(encoding="utf-8") == module.cli_markdown(), "run `make docs`"
