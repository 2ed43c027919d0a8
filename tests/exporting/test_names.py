"""Names and sections as a target takes them; nothing is exported here."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.exporting.card import BEGIN, END, with_section


def test_keys_of_mlflow_are_what_it_takes() -> None:
    from evalkit.exporting.targets.mlflow import key_of

    assert key_of("humaneval/pass@1,create_test") == "humaneval/pass_at_1.create_test"
    assert key_of("질문/acc") == "질문/acc"
    assert len(key_of("x" * 400)) == 250
    assert key_of("x" * 10_000 + "/acc") != key_of("y" + "x" * 9_999 + "/acc")


@given(st.text())
def test_any_name_is_a_key_that_mlflow_takes(name: str) -> None:
    validation = pytest.importorskip("mlflow.utils.validation")
    from evalkit.exporting.targets.mlflow import key_of, unique

    key = key_of(name)
    validation._validate_metric_name(key)
    assert len(key) <= 250
    both = unique({name: 1, f"{name}\n": 2})
    assert sorted(both.values()) == [1, 2]
    for other in both:
        validation._validate_metric_name(other)


def test_a_section_replaces_the_one_that_is_there() -> None:
    section = f"{BEGIN}\nnew\n{END}\n"
    once = with_section("---\nlicense: mit\n---\n# Model\n", section)
    assert once.endswith(f"# Model\n\n{section}")
    assert with_section(once + "\nafter\n", section.replace("new", "newer")).count(BEGIN) == 1
    assert "after" in with_section(once + "\nafter\n", section)
    assert with_section("", section) == section
