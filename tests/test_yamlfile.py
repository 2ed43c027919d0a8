"""YAML that a person wrote, read within bounds."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from evalkit.errors import ConfigError
from evalkit.yamlfile import parse_yaml, read_yaml


def bomb(levels: int = 30) -> str:
    lines = ["l0: &l0 [x, x, x, x, x, x, x, x, x]"]
    for level in range(1, levels):
        lines.append(f"l{level}: &l{level} [{', '.join([f'*l{level - 1}'] * 9)}]")
    return "\n".join(lines)


def merge_bomb(levels: int = 40) -> str:
    lines = ["l0: &l0 {a: 1, b: 2, c: 3}"]
    for level in range(1, levels):
        lines.append(f"l{level}: &l{level} {{<<: [{', '.join([f'*l{level - 1}'] * 9)}]}}")
    return "\n".join(lines)


def test_values_come_as_yaml_writes_them() -> None:
    text = "a: 1\nb: [x, 2.5, true, null]\nbase: &b {x: 1, y: 2}\nmore: {<<: *b, y: 3}\n"
    assert parse_yaml(text, "file") == {
        "a": 1,
        "b": ["x", 2.5, True, None],
        "base": {"x": 1, "y": 2},
        "more": {"x": 1, "y": 3},
    }
    assert parse_yaml("", "file") is None
    assert parse_yaml("# nothing\n", "file") is None
    assert parse_yaml("\ufeffa: 1".encode(), "file") == {"a": 1}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (bomb(), "more than 100,000 values"),
        (merge_bomb(), "more than 100,000 values"),
        ("a: &a [*a]", "contains itself"),
        ("a: &a {b: *a}", "contains itself"),
        ("[" * 200_000, "nested too deeply"),
        ("a: " * 3000 + "1", "is not YAML"),
        ("a: 1\na: 2\n", "line 2: a stands twice"),
        ("? [a, b]\n: 1\n", "can't be a list"),
        ("a: [1", "is not YAML"),
        ("a: !!python/object/apply:os.system ['true']", "is not YAML"),
        ("a: " + "9" * 10_000, "is not YAML"),
        ("a: 1\n---\nb: 2\n", "is not YAML"),
        ("a: 9999-99-99", "is not YAML"),
        (b"a: \xff\xfe", "UTF-8"),
        ("a: \x00", "is not YAML"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_cannot_be_read_safely_is_refused_in_one_short_line(content: str | bytes, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_yaml(content, "gate.yaml")
    message = str(caught.value)
    assert message.startswith("gate.yaml")
    assert said in message
    assert "\n" not in message
    assert len(message) < 700


def test_a_file_that_is_missing_a_folder_or_too_large_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        read_yaml(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match="can't be read"):
        read_yaml(tmp_path)
    large = tmp_path / "large.yaml"
    large.write_text("a: " + "x" * 2_000_000)
    with pytest.raises(ConfigError, match="--policy large is larger than 1 MiB"):
        read_yaml(large, "--policy large")
    small = tmp_path / "small.yaml"
    small.write_text(textwrap.dedent("a:\n  b: 1\n"))
    assert read_yaml(small) == {"a": {"b": 1}}
