"""Which tier is taken, and what is refused with a reason that helps."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from evalkit.errors import UsageError
from evalkit.sandbox import Limits, Sandbox
from evalkit.types import Program
from tests.helpers.sandboxes import ROOT, SAFE, start, tiers_here


def test_a_tier_says_what_it_is(box: Sandbox) -> None:
    about = json.loads(json.dumps(box.describe()))
    assert about["tier"] in SAFE
    assert about["limits"]["seconds"] == 1.5
    assert about["seccomp"] is True
    assert len(about["canaries"]) >= 10
    with pytest.raises(UsageError, match="landlock"):
        Sandbox.start("landlok")


_WITHOUT = """\
import ctypes, struct, sys
sys.path.insert(0, sys.argv[1])
from evalkit.sandbox.inside.kernel import number, prctl
numbers = [number(n) for n in sys.argv[2].split(",")]
code = [(0x20, 0, 0, 0)] + [i for n in numbers for i in ((0x15, 0, 1, n), (0x06, 0, 0, 0x00050001))]
code += [(0x06, 0, 0, 0x7FFF0000)]
data = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *i) for i in code))
class Code(ctypes.Structure):
    _fields_ = [("n", ctypes.c_ushort), ("at", ctypes.c_void_p)]
prctl(38, 1)
prctl(22, 2, ctypes.byref(Code(len(code), ctypes.addressof(data))))
from evalkit.errors import SandboxError
from evalkit.sandbox import Sandbox
from evalkit.types import Program
try:
    with Sandbox.start(sys.argv[3]) as box:
        passed = box.judge([Program("def f(): return 1", "assert f() == 1")])[0].verdict
        print(box.describe()["tier"], passed, *box.describe()["refused"])
except SandboxError as error:
    print("refused", error.exit_code, error)
"""


@pytest.mark.parametrize(
    ("missing", "asked", "found"),
    [
        ("unshare", "auto", "landlock passed namespaces"),
        ("landlock_create_ruleset,unshare", "auto", "refused 4"),
        ("landlock_create_ruleset", "landlock", "refused 4"),
        ("landlock_create_ruleset,unshare", "unsafe-none", "unsafe-none passed"),
    ],
)
def test_the_strongest_tier_that_works_is_taken_or_none(missing: str, asked: str, found: str) -> None:
    """With kernel features really taken away, as a container does it."""
    if missing == "unshare" and "landlock" not in tiers_here():
        pytest.skip("the tier landlock does not work on this machine")
    done = subprocess.run(
        [sys.executable, "-c", _WITHOUT, str(ROOT), missing, asked],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.startswith(found), (done.stdout, done.stderr[-1000:])
    if found.startswith("refused"):
        assert "--sandbox unsafe-none" in done.stdout
        assert "Linux 5.13" in done.stdout


_WITH_FEW_FILES = """\
import resource, sys
most = int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
sys.path.insert(0, sys.argv[1])
from evalkit.errors import SandboxError
from evalkit.sandbox import Sandbox
from evalkit.types import Program
try:
    with Sandbox.start(sys.argv[3], workers=2) as box:
        print(box.judge([Program("def f(): return 1", "assert f() == 1")])[0].verdict)
except SandboxError as error:
    print("refused", error)
"""


def with_few_files(most: int, tier: str) -> str:
    command = [sys.executable, "-c", _WITH_FEW_FILES, str(ROOT), str(most), tier]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout


@pytest.mark.parametrize("most", [100, 900, 901, 902])
@pytest.mark.parametrize("tier", SAFE)
def test_it_works_with_a_low_limit_on_open_files(tier: str, most: int) -> None:
    if tier not in tiers_here():
        pytest.skip(f"the tier {tier} does not work on this machine")
    assert with_few_files(most, tier) == "passed\n"


def test_too_few_open_files_are_named_as_what_they_are() -> None:
    said = with_few_files(24, "auto")
    assert said.startswith("refused this process may open 24 files (ulimit -n)")
    assert "ulimit -n 1024" in said
    assert "unsafe-none" not in said


@pytest.mark.parametrize(
    "limits",
    [
        Limits(seconds=1e308),
        Limits(seconds=float("nan")),
        Limits(seconds=float("inf")),
        Limits(seconds=0),
        Limits(seconds=-1),
        Limits(cpu_seconds=1e308),
        Limits(wall_cap=float("nan")),
        Limits(memory=0),
        Limits(memory=1 << 70),
        Limits(threads=-1),
        Limits(files=1 << 62),
    ],
)
def test_limits_that_no_kernel_can_hold_are_usage_errors(limits: Limits) -> None:
    with pytest.raises(UsageError, match="a sandbox limit of"):
        Sandbox.start(limits=limits)


def test_as_many_threads_as_documented_run_at_once() -> None:
    source = (
        "import threading\n"
        "def f(n):\n"
        "    all_there = threading.Barrier(n + 1)\n"
        "    threads = [threading.Thread(target=all_there.wait) for _ in range(n)]\n"
        "    for thread in threads: thread.start()\n"
        "    all_there.wait()\n"
        "    for thread in threads: thread.join()\n"
        "    return n\n"
    )
    for tier in SAFE:
        if tier in tiers_here():
            with start(tier, workers=1) as box:
                verdict = box.judge([Program(source, f"assert f({Limits().threads}) == {Limits().threads}")])[0]
            assert (tier, verdict.verdict, verdict.reason) == (tier, "passed", "")
