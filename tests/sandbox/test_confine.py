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
groups = json.load(sys.stdin)
if uid:
    os.setgroups([]); os.setresgid(uid, uid, uid); os.setresuid(uid, uid, uid)
sys.path.insert(0, root)
from evalkit.sandbox import Limits, Sandbox
from evalkit.types import Program
found = []
for seconds, programs in groups:
    with Sandbox.start(tier, workers=4, limits=Limits(seconds=seconds)) as box:
        verdicts = [[v.verdict, v.reason] for v in box.judge([Program(**p) for p in programs])]
        found.append({"verdicts": verdicts, "about": box.describe(), "server": box.server_pid, "uid": os.getuid()})
json.dump(found, sys.stdout)
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


def judged_as(user: str, tier: str, groups: list[tuple[float, list[dict[str, Any]]]]) -> list[list[list[str]]]:
    """The verdicts on each group of programs under its limit in seconds."""
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
        command, input=json.dumps(groups), capture_output=True, text=True, timeout=300, check=False, cwd="/",
        env={**os.environ, **secret},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    for box in found:
        assert box["about"]["tier"] == tier
        assert box["uid"] == (uid or os.getuid())
        assert box["about"]["server_restarts"] == 0
        assert in_session(box["server"]) == []
    return [box["verdicts"] for box in found]


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
    # What can only end at the limit gets a short one. Others keep theirs, which might hide how they end otherwise.
    endless = [attack for attack in hostile() if attack["expected"] == ["timed_out"]]
    others = [attack for attack in hostile() if attack["expected"] != ["timed_out"]]
    groups = [
        (seconds, [{"source": attack["code"], "tests": ADD, "entry_point": "add"} for attack in attacks])
        for seconds, attacks in ((0.5, endless), (1.5, others))
    ]
    verdicts = [verdict for group in judged_as(user, tier, groups) for verdict in group]
    wrong = [
        (attack["name"], attack["expected"], found)
        for attack, found in zip(endless + others, verdicts, strict=True)
        if found[0] not in attack["expected"]
    ]
    assert wrong == []
    assert canary.read_text() == "canary"
    assert not list(Path("/dev/shm").glob("*evalkit*"))
