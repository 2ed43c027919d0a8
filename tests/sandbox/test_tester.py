"""What the tests' process says of a program, and that no program harms it or changes it for the next."""

from __future__ import annotations

import pytest

from evalkit.sandbox import Sandbox
from evalkit.types import Program
from tests.helpers.sandboxes import ADD, one


@pytest.mark.parametrize(
    ("source", "verdict", "reason"),
    [
        ("def add(a, b): return a", "failed", "assertion: line 2: assert candidate(2, 3) == 5"),
        ("def add(a, b): raise ValueError('no')", "failed", "exception: ValueError: no"),
        ("def add(a, b) return", "failed", "syntax: SyntaxError"),
        ("raise SystemExit(0)", "failed", "exit: SystemExit 0"),
        ("import os; os._exit(3)", "failed", "exit: the program ended with status 3"),
        (
            "import os; os.kill(os.getpid(), 11)\nimport ctypes; ctypes.string_at(0)",
            "failed",
            "exit: killed by SIGSEGV",
        ),
        ("def sub(a, b): return a", "failed", "no such function: add"),
        ("add = 5", "failed", "no such function: add is not callable"),
        ("def add(a, b): return bytearray(10**12)", "memory", "out of memory"),
        ("def add(a, b):\n    while True: pass", "timed_out", "more than 1.5 s"),
        ("", "failed", "no such function: add"),
        ("x = 1 / 0", "failed", "exception: ZeroDivisionError"),
    ],
)
def test_a_verdict_says_why(box: Sandbox, source: str, verdict: str, reason: str) -> None:
    found = one(box, source, ADD, "add")
    assert (found.verdict, found.reason[: len(reason)]) == (verdict, reason)


def test_plain_asserts_say_why_too(box: Sandbox) -> None:
    assert one(box, "x = 1", "assert f(1) == 2").reason.startswith("no such function: name 'f'")
    assert one(box, "def f(x): return 0", "assert f(1) == 2").reason == "assertion: line 1: assert f(1) == 2"


def test_broken_tests_are_nobodys_wrong_answer(box: Sandbox) -> None:
    right = "def add(a, b): return a + b"
    for tests, prelude in (("def check(", ""), (ADD, "import nothing_of_this_name"), ("  ", "")):
        found = one(box, right, tests, "add", prelude)
        assert found.verdict == "sandbox_error"
        assert found.reason.startswith("tests: ")


def test_helpers_come_from_the_trusted_side(box: Sandbox) -> None:
    prelude = "def double(x):\n    return 2 * x\n\ndef f(x):\n    '''Stub.'''\n"
    tests = "def check(candidate):\n    assert candidate(4) == double(4)\n"
    assert one(box, prelude + "    return 2 * x\n", tests, "f", prelude).verdict == "passed"
    cheat = "def double(x):\n    return 0\ndef f(x):\n    return 0\n"
    assert one(box, cheat, tests, "f", prelude).verdict == "failed"
    shadow = "abs = len = lambda x: 0\ndef add(a, b):\n    return 0\n"
    assert one(box, shadow, ADD, "add").verdict == "failed"
    module = "class math:\n    @staticmethod\n    def sqrt(x): return x\ndef f(x): return 4\n"
    assert one(box, module, "import math\nassert f(4) == math.sqrt(4)").verdict == "failed"


def test_one_program_leaves_nothing_for_the_next(box: Sandbox) -> None:
    stain = (
        "import builtins, math, sys, os\nbuiltins.STAIN = math.STAIN = 1\nsys.modules['stain'] = sys\n"
        "os.environ['STAIN'] = '1'\nsys.setrecursionlimit(60)\ndef f(): return 1\n"
    )
    clean = (
        "import builtins, math, sys, os\ndef f():\n    return not hasattr(builtins, 'STAIN')"
        " and not hasattr(math, 'STAIN') and 'stain' not in sys.modules and 'STAIN' not in os.environ"
        " and sys.getrecursionlimit() == 1000\n"
    )
    tests = "import builtins\nassert not hasattr(builtins, 'BY_TESTS')\nbuiltins.BY_TESTS = 1\nassert f()"
    programs = [Program(source, tests) for _ in range(6) for source in (stain, clean)]
    verdicts = box.judge(programs)
    assert {v.verdict for v in verdicts[1::2]} == {"passed"}, verdicts


def test_a_dead_tester_is_a_sandbox_error_only_when_it_stays_so(box: Sandbox) -> None:
    found = one(box, "def f(): pass", "import os\nos._exit(1)")
    assert found.verdict == "sandbox_error"
    assert "tester ended" in found.reason
    assert one(box, "def f(): return 1", "assert f() == 1").verdict == "passed"


def test_a_tester_that_is_killed_each_time_fails_the_program(box: Sandbox) -> None:
    """One answer must not make a run incomplete: a program that crashes its tests' process is a wrong answer."""
    found = one(box, "def f(): return 1", "import ctypes\nassert f() == 1\nctypes.string_at(0)")
    assert (found.verdict, found.reason) == ("failed", "exit: the tests' process was killed by SIGSEGV")
    assert one(box, "def f(): return 1", "assert f() == 1").verdict == "passed"
