"""Wheel and sdist: built twice, byte for byte; then installed where there is nothing else, outside the checkout."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest

from tests.helpers.runfolders import TaskRows, write_run

ROOT = Path(__file__).resolve().parents[2]
Run = Callable[..., "subprocess.CompletedProcess[str]"]

NOT_IN_BASE = ("torch", "transformers", "vllm", "lm_eval", "datasets", "accelerate", "openai", "scikit-learn")
"""What reading and judging results does not need."""


def name_of(requirement: str) -> str:
    found = re.match(r"[\w.-]+", requirement)
    assert found is not None
    return re.sub(r"[-_.]+", "-", found.group()).lower()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two folders with a wheel and an sdist each."""
    if importlib.util.find_spec("build") is None or importlib.util.find_spec("hatchling") is None:
        pytest.skip("build and hatchling make the distributions: pip install build hatchling")
    folders = [tmp_path_factory.mktemp(name) for name in ("once", "again")]
    for folder in folders:
        command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
        env = {**os.environ, "SOURCE_DATE_EPOCH": "1764500000"}
        done = subprocess.run(command, env=env, cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    return folders


@pytest.fixture(scope="module")
def wheel(built: list[Path]) -> Path:
    [found] = built[0].glob("*.whl")
    return found


def test_the_same_source_gives_the_same_bytes(built: list[Path]) -> None:
    once, again = ({path.name: path.read_bytes() for path in folder.iterdir()} for folder in built)
    assert {name.rpartition(".")[2] for name in once} == {"whl", "gz"}
    assert once == again


def test_both_hold_all_that_is_used_and_nothing_of_this_machine(built: list[Path], wheel: Path) -> None:
    [sdist] = built[0].glob("*.tar.gz")
    inside = set(zipfile.ZipFile(wheel).namelist())
    with tarfile.open(sdist) as archive:
        source = {member.name.partition("/")[2] for member in archive.getmembers() if member.isfile()}
    for folder, place in (("tasks", "evalkit/_data/tasks"), ("judges", "evalkit/_data/judges")):
        wanted = {path.relative_to(ROOT / folder).as_posix() for path in (ROOT / folder).rglob("*.yaml")}
        assert wanted
        assert {f"{place}/{name}" for name in wanted} <= inside
        assert {f"{folder}/{name}" for name in wanted} <= source
    for name in (
        "nano/model.safetensors",
        "nano-tuned/adapter_model.safetensors",
        "nano-overtrained/adapter_config.json",
    ):
        assert f"evalkit/_models/{name}" in inside & source
    assert "evalkit/_data/tasks/mini/data/code.test.jsonl" in inside
    assert {"pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md"} <= source
    strange = [
        name for name in inside | source if name.startswith((".venv", "results/", "tests/")) or "__pycache__" in name
    ]
    assert not strange


def test_the_index_takes_both(built: list[Path]) -> None:
    if importlib.util.find_spec("twine") is None:
        pytest.skip("twine checks them: pip install twine")
    files = [str(path) for path in built[0].iterdir()]
    done = subprocess.run([sys.executable, "-m", "twine", "check", "--strict", *files], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("PASSED") == 2


# ── installed alone ──────────────────────────────────────────────────────────


def closure(requirements: list[str], extras: set[str]) -> dict[str, metadata.Distribution]:
    """The installed distributions that requirements bring with them, as pip would choose them."""
    from packaging.requirements import Requirement

    found: dict[str, metadata.Distribution] = {}
    waiting = [(Requirement(text), extras) for text in requirements]
    seen = set()
    while waiting:
        wanted, given = waiting.pop()
        if wanted.marker and not any(wanted.marker.evaluate({"extra": extra}) for extra in given or {""}):
            continue
        key = name_of(wanted.name), frozenset(wanted.extras)
        if key in seen or key[0] == "lm-evalkit":
            if key[0] == "lm-evalkit" and key not in seen:
                seen.add(key)
                waiting += [(Requirement(text), set(wanted.extras) | {""}) for text in requirements]
            continue
        seen.add(key)
        try:
            found[key[0]] = metadata.distribution(wanted.name)
        except metadata.PackageNotFoundError:
            pytest.skip(f"{wanted.name} is not installed here, and the wheel needs it")
        waiting += [(Requirement(text), set(wanted.extras) | {""}) for text in found[key[0]].requires or ()]
    return found


def environment(folder: Path, wheel: Path, extras: set[str]) -> tuple[Run, set[str]]:
    """An empty environment with the wheel and, by links, what the wheel's requirements bring: nothing is downloaded.

    The packages are those of the running environment, one by one, so one that the wheel forgets to require is absent.
    """
    venv.create(folder, with_pip=False, symlinks=True)
    [site] = folder.glob("lib/python3*/site-packages")
    zipfile.ZipFile(wheel).extractall(site)
    [information] = site.glob("lm_evalkit-*.dist-info")
    requirements = metadata.PathDistribution(information).requires or []
    found = closure(requirements, extras | {""})
    for distribution in found.values():
        tops = {file.parts[0] for file in distribution.files or ()} - {"..", "__pycache__"}
        for top in tops:
            source = Path(str(distribution.locate_file(top)))
            if source.exists() and not (site / top).exists():
                (site / top).symlink_to(source)

    def run(*argv: str, timeout: float = 600) -> subprocess.CompletedProcess[str]:
        kept = ("PATH", "HOME", "TMPDIR", "LANG", "OMP_NUM_THREADS")
        env = {name: os.environ[name] for name in kept if name in os.environ}
        command = [str(folder / "bin" / "python"), "-P", "-m", "evalkit", *argv]
        return subprocess.run(command, env=env, cwd=folder, capture_output=True, text=True, timeout=timeout)

    return run, set(found)


@pytest.fixture(scope="module")
def base(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, set[str]]:
    return environment(tmp_path_factory.mktemp("base"), wheel, set())


def test_the_base_install_is_light(base: tuple[Run, set[str]]) -> None:
    _, packages = base
    assert not packages & {name_of(name) for name in NOT_IN_BASE}
    assert len(packages) <= 30, sorted(packages)


def test_the_base_install_gates_recorded_runs(base: tuple[Run, set[str]], tmp_path: Path) -> None:
    run, _ = base
    good = [1.0] * 300 + [0.0] * 100
    write_run(tmp_path, "base", {"gsm8k": TaskRows(good)}, model="m")
    write_run(tmp_path, "same", {"gsm8k": TaskRows(good)}, model="n")
    write_run(tmp_path, "worse", {"gsm8k": TaskRows([0.0] * 400)}, model="o")
    for candidate, code, verdict in (("same", 0, "PASS"), ("worse", 1, "REGRESSION")):
        done = run("gate", "base", candidate, "--output-path", str(tmp_path))
        assert done.returncode == code, done.stderr
        assert verdict in done.stdout
    board = run("leaderboard", "--output-path", str(tmp_path), "--csv", "-")
    assert board.returncode == 0, board.stderr
    page = run("report", "base", "worse", "--output-path", str(tmp_path), "--html", str(tmp_path / "r.html"))
    assert page.returncode == 0, page.stderr
    assert (tmp_path / "r.html").stat().st_size > 10_000


def test_the_base_install_says_what_running_needs(base: tuple[Run, set[str]]) -> None:
    run, _ = base
    for argv in (["run", "--model", "nano", "--tasks", "mini"], ["tasks", "list"]):
        done = run(*argv)
        assert done.returncode == 2, done.stderr
        assert 'pip install "lm-evalkit[' in done.stderr
        assert "Traceback" not in done.stderr


def test_the_first_run_of_the_readme_works_from_the_wheel(wheel: Path, tmp_path: Path) -> None:
    assert "evalkit run --model nano --tasks mini" in (ROOT / "README.md").read_text(encoding="utf-8")
    run, packages = environment(tmp_path / "environment", wheel, {"hf"})
    assert {"torch", "transformers", "lm-eval"} <= packages
    done = run("run", "--model", "nano", "--tasks", "mini", "--limit", "2", "--output-path", str(tmp_path / "results"))
    assert done.returncode == 0, done.stderr
    assert "mini_arithmetic" in done.stdout
    assert list((tmp_path / "results" / "nano").glob("*/results.json"))


def test_every_extra_that_a_message_names_exists() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    files = [*(ROOT / "evalkit").rglob("*.py"), ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    named = {
        extra
        for path in files
        for group in re.findall(r"lm-evalkit\[([\w,-]+)\]", path.read_text(encoding="utf-8"))
        for extra in group.split(",")
    }
    assert {"hf", "vllm", "wandb", "mlflow"} <= named
    assert named <= set(extras)
    assert not [path for path in files if re.search(r'pip install "?evalkit\b', path.read_text(encoding="utf-8"))]
