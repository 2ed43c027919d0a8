"""Hostile programs reach nothing, as any user, in each tier."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.helpers.sandboxes import ADD, GOLDEN, ROOT, SAFE, in_session, tiers_here

COLLECTION = Path(os.environ.get("EVALKIT_HOSTILE_DIR", ROOT.parent / "shared" / "sandbox")) / "hostile.jsonl"
"""More programs of the same kind, where they are at hand."""


_AS_ANOTHER = """\
import json, os, sys
uid, root, tier = int(sys.argv[1]), sys.argv[2], sys.argv[3]
programs = json.load(sys.stdin)
if uid:
    os.setgroups([]); os.setresgid(uid, uid, uid); os.setresuid(uid, uid, uid)
sys.path.insert(0, root)
from evalkit.sandbox import Limits, Sandbox
from evalkit.types import Program
with Sandbox.start(tier, workers=4, limits=Limits(seconds=1.5)) as box:
    verdicts = box.judge([Program(**p) for p in programs])
    about, server = box.describe(), box.server_pid
verdicts = [[v.verdict, v.reason] for v in verdicts]
json.dump({"verdicts": verdicts, "about": about, "server": server, "uid": os.getuid()}, sys.stdout)
"""


_SOMEBODY = 54321


def interpreter_for(uid: int) -> str:
    """This Python, where that user can run it, or another of the machine's."""
    for found in filter(None, (sys.executable, shutil.which("python3", path="/usr/bin:/usr/local/bin:/bin"))):
        tried = subprocess.run(
            ["/bin/sh", "-c", 'exec "$0" -c "import sys; sys.exit(sys.version_info < (3, 11))"', found],
            user=uid, group=uid, extra_groups=[], cwd="/", capture_output=True, check=False,
        )  # fmt: skip
        if tried.returncode == 0:
            return found
    return pytest.skip("no Python 3.11 that an ordinary user can run: this one lies in a private folder")


def judged_as(user: str, tier: str, programs: list[dict[str, Any]]) -> list[list[str]]:
    if tier not in tiers_here():
        pytest.skip(f"the tier {tier} does not work on this machine")
    uid = 0
    if user == "another user":
        if os.geteuid() != 0:
            pytest.skip("only root can become another user; as an ordinary user the other case covers it")
        uid = _SOMEBODY
    command = [interpreter_for(uid) if uid else sys.executable, "-c", _AS_ANOTHER, str(uid), str(ROOT), tier]
    secret = {"CANARY_API_KEY": "sk-canary", "HF_TOKEN": "canary"}
    done = subprocess.run(
        command, input=json.dumps(programs), capture_output=True, text=True, timeout=300, check=False, cwd="/",
        env={**os.environ, **secret},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    assert found["about"]["tier"] == tier
    assert found["uid"] == (uid or os.getuid())
    assert found["about"]["server_restarts"] == 0
    assert in_session(found["server"]) == []
    return list(found["verdicts"])


@pytest.fixture
def canary() -> Iterator[Path]:
    """A file that anybody may change, outside."""
    folder = Path("/tmp/evalkit-canary")
    folder.mkdir(exist_ok=True)
    file = folder / "file"
    file.write_text("canary")
    with contextlib.suppress(PermissionError):
        folder.chmod(0o777)
        file.chmod(0o666)
    yield file
    shutil.rmtree(folder, ignore_errors=True)


def hostile() -> list[dict[str, Any]]:
    """The attacks kept with these tests, and those of a shared collection where one is at hand."""
    found: list[dict[str, Any]] = yaml.safe_load((GOLDEN / "attacks.yaml").read_text())
    if COLLECTION.exists():
        found += [json.loads(line) for line in COLLECTION.read_text().splitlines()]
    return found


@pytest.mark.parametrize("user", ["this user", "another user"])
@pytest.mark.parametrize("tier", SAFE)
def test_hostile_programs_get_an_expected_verdict(tier: str, user: str, canary: Path) -> None:
    attacks = hostile()
    programs = [{"source": a["code"], "tests": ADD, "entry_point": "add"} for a in attacks]
    verdicts = judged_as(user, tier, programs)
    wrong = [
        (attack["name"], attack["expected"], found)
        for attack, found in zip(attacks, verdicts, strict=True)
        if found[0] not in attack["expected"]
    ]
    assert wrong == []
    assert canary.read_text() == "canary"
    assert not list(Path("/dev/shm").glob("*evalkit*"))
