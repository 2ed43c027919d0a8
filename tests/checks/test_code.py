"""Answers in Python, judged in the sandbox."""

from __future__ import annotations

import pytest

from evalkit.checks import check, needs_sandbox, programs
from evalkit.sandbox import Sandbox
from evalkit.types import Verdict
from tests.helpers.checking import CODE, RIGHT, WRONG, verdict

PROSE = "함수는 다음과 같습니다.\n\n{}\n이 함수는 두 배를 돌려줍니다."
ANSWERS = [
    (RIGHT, True, True),
    (f"# 두 배\nimport math\n\n{RIGHT}", True, True),
    (f"```python\n{RIGHT}```", False, True),
    (
        f"Here is the function:\n```python\n{RIGHT}```\nIt doubles n. Use it so:\n```python\nprint(double(2))\n```",
        False,
        True,
    ),
    (PROSE.format(RIGHT), False, True),
    (PROSE.format(f"```\n{RIGHT}```"), False, True),
    (f"@staticmethod\ndef helper(x):\n    return x\n\n{RIGHT}\nThat's all.", False, True),
    ("1. Code:\n\n   ```python\n   def double(n):\n       return 2 * n\n   ```", False, True),
    (
        "First:\n```py\ndef twice(x):\n    return 2 * x\n```\nThen:\n```py\ndef double(n):\n    return twice(n)\n```",
        False,
        True,
    ),
    ("<think>\n```python\ndef double(n): return 0\n```\n</think>\n" + RIGHT, False, True),
    ('def double(n):\n    """두 배.\n\nTwice n.\n    """\n    return 2 * n\n\nIt doubles n.', False, True),
    ("Use `def double(n): return 2 * n` here.", False, True),
    (WRONG, False, False),
    (PROSE.format(f"```py\n{WRONG}```"), False, False),
    ("저는 코드를 쓸 수 없습니다.", False, False),
    ("def triple(n):\n    return 3 * n\n", False, False),
    ("", False, False),
]


@pytest.mark.parametrize(("answer", "strict", "loose"), ANSWERS)
def test_functions_are_found_and_judged_by_their_tests(
    sandbox: Sandbox, answer: str, strict: bool, loose: bool
) -> None:
    assert needs_sandbox(CODE)
    made = programs(CODE, answer)
    outcome = check(CODE, answer, None, sandbox.judge(list(made)))
    assert verdict(outcome) == (strict, loose)
    assert bool(outcome.reason) != strict


def test_a_fence_alone_is_strict_where_it_was_asked_for(sandbox: Sandbox) -> None:
    spec, answer = {**CODE, "fence": True}, f"```python\n{RIGHT}```"
    (program,) = programs(spec, answer)
    assert verdict(check(spec, answer, None, sandbox.judge([program]))) == (True, True)


def test_code_that_was_not_judged_is_an_error() -> None:
    assert check(CODE, RIGHT).passed_strict is None
    lost = [Verdict("sandbox_error", "the sandbox died", 0.0)] * len(programs(CODE, RIGHT))
    outcome = check(CODE, RIGHT, None, lost)
    assert (outcome.passed_strict, outcome.passed_loose, outcome.error) == (None, None, "sandbox: the sandbox died")
    assert programs({"kind": "json"}, "{}") == ()
