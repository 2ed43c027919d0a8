"""Tables at the width of the terminal: nothing is cut, no word is broken, no line is too long."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from evalkit.reporting.tables import Cell, Column, Table, lay_out
from evalkit.reporting.wrapping import wrapped

COLUMNS = (
    Column("task"),
    Column("filter", drop=1),
    Column("value", "figure"),
    Column("95% interval", "figure", drop=2),
    Column("what it is", "prose"),
)
ROWS = (
    (
        Cell("한국어-모델-이름", "bold"),
        "none",
        "0.1234",
        "0.100 – 0.200",
        "긴 설명이 여기에 있고 어떤 단어도 잘리면 안 된다",
    ),
    ("  gsm8k", "strict-match", "0.5000", "0.400 – 0.600", "Grade-school arithmetic word problems, worked out in text"),
)


def lines(table: Table, width: int) -> list[str]:
    return [line.plain for line in lay_out(table, width)]


@pytest.mark.parametrize("width", [30, 40, 60, 80, 120, 200])
def test_no_line_is_wider_than_the_terminal_and_no_word_is_broken(width: int) -> None:
    shown = lines(Table(COLUMNS, ROWS, "a title"), width)
    assert max(map(cell_len, shown)) <= width
    words = {word for line in shown for word in line.split()}
    for row in ROWS:
        cells = [cell if isinstance(cell, str) else cell.text for cell in row]
        assert all(word in words for cell in (cells[0], cells[2], cells[4]) for word in cell.split())


def test_columns_go_one_after_the_other_and_are_named() -> None:
    table = Table(COLUMNS, ROWS)
    assert "filter" in lines(table, 200)[0]
    narrow = lines(table, 70)
    assert "filter" not in narrow[0]
    assert "interval" in narrow[0] + narrow[1]
    assert narrow[-1] == "too narrow for: filter"


def test_rows_become_blocks_where_even_that_is_too_wide() -> None:
    shown = lines(Table(COLUMNS, ROWS), 32)
    assert shown[0] == "한국어-모델-이름"
    assert any(line.split() == ["value"] or "0.1234" in line for line in shown)


def test_figures_stand_under_each_other() -> None:
    table = Table((Column("task"), Column("n", "figure")), (("a", "1"), ("가나다", "1,000")))
    assert lines(table, 80) == ["task        n", "─" * 13, "a           1", "가나다  1,000"]


def test_text_keeps_its_own_lines() -> None:
    table = Table((Column("code", "text"), Column("other", "text")), (("def f():\n    return 1", "x"),))
    assert [line.split("  x")[0].rstrip() for line in lines(table, 80)[2:]] == ["def f():", "    return 1"]


def test_escape_sequences_are_written_out() -> None:
    shown = "\n".join(lines(Table((Column("model"), Column("note", "prose")), (("\x1b[31mred", "a\x9b2Jb"),)), 80))
    assert "\x1b" not in shown
    assert "\x9b" not in shown
    assert "\\x1b[31mred" in shown


@given(st.text(alphabet="ab가나 /-", max_size=60), st.integers(min_value=4, max_value=40))
def test_wrapping_loses_nothing_and_stays_within_the_width(text: str, width: int) -> None:
    found = wrapped(text, width)
    assert all(cell_len(line) <= width for line in found)
    assert "".join("".join(found).split()) == "".join(text.split())


@given(
    st.lists(st.text(alphabet="ab가나", min_size=1, max_size=5), min_size=1), st.integers(min_value=10, max_value=40)
)
def test_a_word_that_fits_a_line_is_never_broken(words: list[str], width: int) -> None:
    assert [word for line in wrapped(" ".join(words), width) for word in line.split()] == words
