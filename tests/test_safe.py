"""Text from outside, in each of the places where it is shown."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit import safe

ESCAPES = {
    "clear the screen": "\x1b[2J",
    "set the clipboard": "\x1b]52;c;cm0gLXJmIH4=\x07",
    "the same in one character": "\x9b2J",
    "overwrite the line": "PASS\rFAIL",
    "erase what stands before": "FAIL\b\b\b\bPASS",
    "turn the direction": "\u202egnp.exe",
    "a link": "\x1b]8;;http://evil.example\x1b\\click\x1b]8;;\x1b\\",
    "device control": '\x90$q"p\x9c',
}


@pytest.mark.parametrize("text", ESCAPES.values(), ids=ESCAPES)
def test_no_escape_sequence_is_left_in_any_place(text: str) -> None:
    shown = [
        safe.terminal(text),
        safe.line(text),
        safe.markdown(text),
        safe.code(text),
        safe.fenced(text),
        safe.xml(text),
    ]
    shown.append(str(safe.csv_cell(text)).replace("\r", ""))
    for place in shown:
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", place)


@given(st.text())
def test_nothing_that_a_terminal_obeys_is_left(text: str) -> None:
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", safe.terminal(text))
    assert "\n" not in safe.line(text)


@pytest.mark.parametrize("text", ["plain", "두 줄\n\t한국어", "héllo 👩‍👩‍👧 ∑ – “”"])
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert safe.terminal(text) == text
    assert safe.csv_cell(text) == text
    assert safe.xml(text) == text


def test_a_line_end_of_windows_is_a_line_end() -> None:
    assert safe.terminal("one\r\ntwo") == "one\ntwo"


@given(st.text())
def test_a_markdown_cell_opens_no_column_and_no_tag(text: str) -> None:
    shown = safe.markdown(text)
    assert "\n" not in shown
    assert "<" not in shown
    assert "`" not in shown
    for found in re.finditer(r"\\*\|", shown):
        assert found[0].count("\\") % 2 == 1


def test_markdown_mentions_nobody_and_links_nowhere() -> None:
    assert "@\u200beveryone" in safe.markdown("hello @everyone")
    assert "](" not in safe.markdown("[click](http://x)")


@given(st.text())
def test_a_fence_is_longer_than_any_in_the_text(text: str) -> None:
    first, *inside, last = safe.fenced(f"```{text}```").split("\n")
    assert first == f"{last}text"
    assert not any(line.lstrip().startswith(last) for line in inside)


@given(st.text())
def test_xml_can_be_read_again(text: str) -> None:
    case = ElementTree.Element("case")
    case.text = safe.xml(text)
    assert ElementTree.fromstring(ElementTree.tostring(case, encoding="unicode")).tag == "case"


@given(st.text(max_size=20) | st.sampled_from(["＝1+1", "＋1", "－1", "＠SUM(1)", "\n=1", "\x1b=1"]))
def test_no_csv_cell_is_run_as_a_formula(text: str) -> None:
    shown = safe.csv_cell(text)
    assert isinstance(shown, str)
    assert not shown.startswith(("=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r", "\n"))


def test_numbers_and_blanks_of_a_csv_stay_what_they_are() -> None:
    assert safe.csv_cell(-0.25) == -0.25
    assert safe.csv_cell(None) == ""


def test_letters_that_nobody_sees_are_written_out() -> None:
    assert safe.line("a\U000e0041\u206ab") == "a\\U000e0041\\u206ab"


@pytest.mark.parametrize(
    "text", ["see https://evil.example", "HTTP://evil.example", "www.evil.example", "ftp://evil.example"]
)
def test_an_address_in_markdown_is_no_link(text: str) -> None:
    shown = safe.markdown(text)
    assert not re.search(r"(?i)://|www\.", shown)
    assert shown.replace("\u200b", "") == text


@pytest.mark.parametrize("text", ["x;=1+1", "x; +1", "x\t-1", "x;@SUM(1)", "x\n=1+1"])
def test_no_formula_begins_after_what_another_country_takes_for_a_comma(text: str) -> None:
    assert not re.search("[;\t\n] *[=+@-]", str(safe.csv_cell(text)))
