"""A plug-in is installed with pip into an environment of its own, and used through `evalkit run` and `judge run`."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from evalkit import plugins
from evalkit.errors import PluginError, UsageError
from evalkit.judging.backends.spec import parse_judge
from evalkit.registry import kinds

ROOT = Path(__file__).resolve().parents[2]
SOURCE = Path(__file__).parent
DOCS = ROOT / "docs" / "extending.md"

Run = Callable[..., "subprocess.CompletedProcess[str]"]

TASK = """
task: capitals
dataset_path: json
dataset_kwargs: {data_files: {test: FILE}}
test_split: test
output_type: generate_until
doc_to_text: instruction
doc_to_target: reference
conversation: messages
checks:
  - {kind: shouted, min_letters: 2}
generation_kwargs: {until: ["\\n\\n"], do_sample: false, max_gen_toks: 16}
"""


def in_environment(folder: Path) -> Path:
    """A fresh virtual environment that also sees the packages of this one; its Python."""
    venv.create(folder, with_pip=False, symlinks=True)
    [site] = folder.glob("lib/python3*/site-packages")
    seen = [
        path for path in sys.path if path and Path(path).is_dir() and not Path(path).is_relative_to(sys.base_prefix)
    ]
    (site / "packages.pth").write_text("\n".join(dict.fromkeys([str(ROOT), *seen])) + "\n")
    return folder / "bin" / "python"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Run:
    for needed in ("hatchling", "pip"):
        if importlib.util.find_spec(needed) is None:
            pytest.skip(f"{needed} is not installed: pip install {needed}")
    folder = tmp_path_factory.mktemp("plugin")
    source = shutil.copytree(SOURCE, folder / "source", ignore=shutil.ignore_patterns("*.pyc", "test_*", "__pycache__"))
    python = in_environment(folder / "environment")
    install = ["install", "--quiet", "--no-deps", "--no-index", "--no-build-isolation", str(source)]
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", *install]
    done = subprocess.run(pip, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr

    def run(*argv: str, **environment: str) -> subprocess.CompletedProcess[str]:
        command = [str(python), "-m", "evalkit", *argv]
        env = {**os.environ, "OMP_NUM_THREADS": "1", **environment}
        return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)

    return run


@pytest.fixture
def tasks(tmp_path: Path) -> Path:
    rows = [{"instruction": f"Shout the number {number}.", "reference": "AYE"} for number in range(3)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "capitals.yaml").write_text(TASK.replace("FILE", str(tmp_path / "rows.jsonl")))
    return tmp_path


@pytest.mark.parametrize(("answer", "strict"), [("AYE AYE", 1.0), ("Aye aye", 0.0), ("!", 0.0)])
def test_its_engine_and_its_check_run_together(installed: Run, tasks: Path, answer: str, strict: float) -> None:
    asked = ["run", "--engine", "constant", "--model", answer, "--tasks", "capitals", "--include-path", str(tasks)]
    done = installed(*asked, "--output-path", str(tasks / "results"), "--name", "shouting", "--json", "-", "--quiet")
    assert done.returncode == 0, done.stderr
    [folder] = (tasks / "results").glob("*/shouting")
    results = json.loads((folder / "results.json").read_text())
    assert results["tasks"]["capitals"]["n"] == 3
    assert results["tasks"]["capitals"]["metrics"]["checks_strict,none"]["value"] == strict
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["engine"]["name"] == "constant"
    assert manifest["model"]["fingerprint"] == f"constant:{answer}"
    row = json.loads((folder / "samples" / "capitals.jsonl").read_text().splitlines()[0])
    assert row["resps"] == [[answer]]
    assert row["checks"][0]["kind"] == "shouted"


def test_its_engine_is_offered_and_named_like_the_others(installed: Run, tasks: Path) -> None:
    assert json.loads(installed("doctor", "--json", "-").stdout)["engines"]["constant"] == "installed"
    assert "constant" in installed("run", "--help").stdout
    done = installed("run", "--engine", "constnat", "--model", "x", "--tasks", "mini")
    assert done.returncode == 2
    assert "did you mean constant?" in done.stderr
    done = installed("run", "--engine", "constant", "--device", "cpu", "--model", "x", "--tasks", "mini_arithmetic")
    assert done.returncode == 2
    assert "--device goes with --engine hf" in done.stderr


def test_a_misspelt_parameter_of_its_check_names_the_nearest(installed: Run, tasks: Path) -> None:
    (tasks / "capitals.yaml").write_text((tasks / "capitals.yaml").read_text().replace("min_letters", "min_leters"))
    done = installed("run", "--engine", "constant", "--model", "x", "--tasks", "capitals", "--include-path", str(tasks))
    assert done.returncode == 2
    assert "did you mean min_letters?" in done.stderr


def test_its_kind_of_task_is_run_and_its_judge_judges_the_answers_by_its_rubric(installed: Run, tmp_path: Path) -> None:
    (tmp_path / "cards.txt").write_text("capital of Korea :: SEOUL\ncapital of Italy :: Roma\n\nno card\n")
    place = ["--output-path", str(tmp_path / "results"), "--quiet"]
    asked = ["--engine", "constant", "--model", "SEOul!", "--tasks", f"flashcards:{tmp_path / 'cards.txt'}"]
    done = installed("run", *asked, *place, "--name", "cards")
    assert done.returncode == 0, done.stderr
    [folder] = (tmp_path / "results").glob("*/cards")
    rubric = ["--rubric", str(SOURCE / "evalkit_example" / "shouting.yaml")]
    done = installed("judge", "run", str(folder), *rubric, "--judge", "capitals:any", *place)
    assert done.returncode == 0, done.stderr
    [task] = json.loads((folder / "results.json").read_text())["tasks"].values()
    assert task["n"] == 2
    figure = task["metrics"]["loudness,shouting@capitals:any"]
    assert (figure["value"], figure["n"], figure["method"]) == (pytest.approx(1 + 4 * 3 / 5), 2, "scalar")
    done = installed("judge", "run", str(folder), *rubric, "--judge", "capitls:any", *place)
    assert done.returncode == 2
    assert "capitals:MODEL is wanted; did you mean capitals?" in done.stderr


def declared(folder: Path, group: str, line: str, name: str = "broken") -> str:
    """A distribution that declares an entry point, found through PYTHONPATH."""
    info = folder / f"{name}-0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0\n")
    (info / "entry_points.txt").write_text(f"[{group}]\n{line}\n")
    return str(folder)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("broken = no_such_module:SPEC", "cannot be imported"),
        ("broken = json:dumps", "is a function, and a EngineSpec is wanted"),
        ("broken = evalkit.engines.mock:SPEC", "its spec is called 'mock'"),
        ("hf = evalkit.engines.mock:SPEC", "offers the same name"),
    ],
)
def test_a_broken_engine_is_named_and_the_others_work(tmp_path: Path, line: str, says: str) -> None:
    path = os.pathsep.join([declared(tmp_path / "broken", "evalkit.engines", line), str(ROOT)])
    name = line.partition(" ")[0]
    env = {**os.environ, "PYTHONPATH": path}
    asked = [sys.executable, "-m", "evalkit", "run", "--engine", name, "--model", "nano", "--tasks", "mini"]
    done = subprocess.run(asked, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 4, done.stderr
    assert says in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    doctor = [sys.executable, "-m", "evalkit", "doctor", "--json", "-"]
    engines = json.loads(subprocess.run(doctor, cwd=tmp_path, env=env, capture_output=True, text=True).stdout)[
        "engines"
    ]
    assert says in engines[name]
    assert engines["openai"] == "installed" or engines["openai"].startswith("needs")


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A judge and a kind of task that cannot be imported, both called `broken`."""
    for name, group in (("badjudge", "evalkit.judges"), ("badkind", "evalkit.task_kinds")):
        declared(tmp_path / "bad", group, "broken = no_such_module:SPEC", name)
    monkeypatch.syspath_prepend(str(tmp_path / "bad"))
    plugins.installed.cache_clear()
    kinds.kinds.cache_clear()
    yield
    plugins.installed.cache_clear()
    kinds.kinds.cache_clear()


@pytest.mark.usefixtures("broken")
def test_a_broken_judge_or_kind_of_task_is_named_and_the_others_work() -> None:
    for ask in (lambda: parse_judge("broken:x"), lambda: kinds.file_of("broken:x")):
        with pytest.raises(PluginError, match=r"plug-in broken .* cannot be imported"):
            ask()
    assert parse_judge("openai:gpt-4o").model == "gpt-4o"
    assert kinds.file_of("alpaca:x.jsonl") == Path("x.jsonl")
    with pytest.raises(UsageError, match="openai:MODEL"):
        parse_judge("other:x")


def test_the_documented_code_is_the_plug_in_that_was_just_run() -> None:
    blocks = re.findall(r"```\w+ (\S+)\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    files = {name: text for name, text in blocks if name == "pyproject.toml" or "/" in name}
    modules = {f"evalkit_example/{name}.py" for name in ("engine", "check", "judge", "flashcards")}
    assert set(files) == {"pyproject.toml", "evalkit_example/shouting.yaml", *modules}
    for name, text in files.items():
        assert text == (SOURCE / name).read_text(encoding="utf-8"), f"docs/extending.md: {name} is out of date"
