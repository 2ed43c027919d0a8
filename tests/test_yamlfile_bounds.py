"""Bombs in YAML are refused at once, by parse_yaml and by compose_yaml alike."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.errors import ConfigError
from evalkit.yamlfile import compose_yaml, construct_yaml, parse_yaml, read_bounded

ALIASES = "a0: &a0 [x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
)  # 300 bytes that stand for 10^11 values
LONG_TEXT = f"a: &a {'x' * 900_000}\nb: [{', '.join(['*a'] * 30_000)}]\n"


@pytest.mark.parametrize("read", [parse_yaml, compose_yaml], ids=["values", "nodes"])
@pytest.mark.parametrize(
    ("text", "message"),
    [
        (ALIASES, "stands for more than 100,000 values"),
        (LONG_TEXT, "stands for more than 16 MiB"),
        ("a: &a\n- *a\n", "line 2 contains itself through an alias"),
        ("[" * 5000 + "]" * 5000, "nested too deeply"),
        ("".join(" " * n + "-\n" for n in range(400)), "nested too deeply"),
        ("a: 1" + ":59" * 300_000, "line 1: a number of 900,001 characters"),
        ("a: 1\n b: 2\n", "not (valid )?YAML"),
        ("a: *b\n", "not (valid )?YAML"),
        ("a: \x00\n", "not (valid )?YAML"),
    ],
    ids=lambda value: str(value)[:12],
)
def test_a_bomb_is_refused_in_one_line(read: Callable[[str, str], Any], text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        read(text, "f.yaml")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\n b: 2\n", r"f\.yaml:2: not valid YAML"),
        ("a: {{b}}\n", "a template that begins with {{ stands in quotes"),
        ("a: !function os.system\n", r"f\.yaml:1: not valid YAML"),
        ("a: !!python/object/apply:os.system [ls]\n", r"f\.yaml:1: not valid YAML"),
        ("a: 2000-99-99\n", r"f\.yaml: not valid YAML"),
    ],
)
def test_an_error_among_nodes_names_its_line(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        values(text)


def test_a_tag_can_be_read_as_text() -> None:
    node = compose_yaml("a: !function x.y\n", "f.yaml")
    assert node is not None
    assert construct_yaml(node, "f.yaml", tags_as_text=True) == {"a": "x.y"}


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    with pytest.raises(ConfigError, match="a file is wanted"):
        read_bounded(tmp_path / "pipe.yaml", "pipe.yaml")


@given(st.text(max_size=200))
def test_any_text_is_values_or_one_error(text: str) -> None:
    for read in (values, lambda text: parse_yaml(text, "f.yaml")):
        with contextlib.suppress(ConfigError):
            read(text)


def values(text: str) -> Any:
    node = compose_yaml(text, "f.yaml")
    return None if node is None else construct_yaml(node, "f.yaml")


@pytest.mark.parametrize(
    "text", ["!!bool maybe", "!!int ''", "!!float ''", "!!timestamp x", "{? !!set {a} : 1}", "!!omap 5"]
)
def test_a_value_that_is_not_what_its_tag_says_is_one_line(text: str) -> None:
    for read in (parse_yaml, lambda text, what: construct_yaml(compose_yaml(text, what), what)):
        with pytest.raises(ConfigError) as caught:
            read(f"a: {text}", "f.yaml")
        assert "\n" not in str(caught.value)
