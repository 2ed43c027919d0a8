"""Programs that are right pass, whatever passes between them and their tests."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evalkit.sandbox import Sandbox
from evalkit.types import Verdict
from tests.helpers.sandboxes import ADD, GOLDEN, one

GOOD: dict[str, dict[str, Any]] = yaml.safe_load((GOLDEN / "candidates.yaml").read_text("utf-8"))


@pytest.mark.parametrize("name", GOOD)
def test_tests_see_the_candidate_as_if_it_were_beside_them(box: Sandbox, name: str) -> None:
    assert one(box, **GOOD[name]) == Verdict("passed", "", pytest.approx(0, abs=1.5))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.text(max_size=300), st.binary(max_size=300).map(lambda b: b.decode("latin-1"))))
def test_any_text_as_source_gets_a_verdict(box: Sandbox, source: str) -> None:
    assert one(box, source, ADD, "add").verdict in ("failed", "memory", "timed_out")


@pytest.mark.parametrize(
    "source",
    [
        "x = " + "(" * 5000 + ")" * 5000,
        "x = " + "[" * 90 + "]" * 90,
        "x = " + "-" * 50_000 + "1",
        "x = " + "+".join(["1"] * 100_000),
        "x = '" + "a" * 5_000_000 + "'",
        "x = " + "9" * 100_000,
        "x = 0x" + "f" * 1_000_000,
        "x = " + "not " * 50_000 + "1",
        "x = a" + ".b" * 50_000,
        "x = f" + "(1)" * 5_000,
        "\n" * 1_000_000,
        "if 1:\n" + "".join(" " * n + "if 1:\n" for n in range(1, 200)) + " " * 200 + "pass",
        "def f(): pass\n" * 50_000,
        "lambda: " * 5000 + "1",
        "\x00", "\ufeff", "\ud800", "# coding: utf-99\n", "\\", "\t \tx",
    ],
    ids=range(20),
)  # fmt: skip
def test_strange_sources_before_a_right_program_do_no_harm(box: Sandbox, source: str) -> None:
    assert one(box, source, ADD, "add").verdict in ("failed", "memory", "timed_out")
    assert one(box, "def add(a, b): return a + b", ADD, "add").verdict == "passed"
