"""A check of an answer in one call, and the examples by name."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st

from evalkit.checks import Outcome
from tests.helpers.check_cases import CASES

CODE = {
    "kind": "code",
    "entry_point": "double",
    "tests": "def check(candidate):\n    assert candidate(3) == 6\n    assert candidate(-1) == -2\n",
}
RIGHT = "def double(n):\n    return 2 * n\n"
WRONG = "def double(n):\n    return n + 3\n"
by_name = pytest.mark.parametrize("case", CASES, ids=[f"{number}-{case.name}" for number, case in enumerate(CASES)])
a_case = st.sampled_from(CASES)


def verdict(outcome: Outcome) -> tuple[bool | None, bool | None]:
    assert outcome.error is None, outcome.error
    return outcome.passed_strict, outcome.passed_loose
