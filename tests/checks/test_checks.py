"""Checks on text, from outside: a spec and an answer in, an outcome out. The examples stand in check_cases.py."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.checks import Outcome, check, kinds, validate
from tests.helpers.check_cases import CASES, Case
from tests.helpers.checking import a_case, by_name, verdict


@by_name
def test_what_is_right_is_accepted_as_it_is(case: Case) -> None:
    validate(case.spec)
    for answer in case.strict:
        assert check(case.spec, answer) == Outcome(case.spec["kind"], True, True), answer


@by_name
def test_what_a_careful_reader_forgives_is_accepted_loosely_alone(case: Case) -> None:
    for answer in case.loose:
        assert verdict(check(case.spec, answer)) == (False, True), answer


@by_name
def test_what_is_wrong_is_refused_with_a_reason(case: Case) -> None:
    assert case.refused
    for answer in case.refused:
        outcome = check(case.spec, answer)
        assert verdict(outcome) == (False, False), answer
        assert outcome.reason


def test_every_kind_has_examples_in_both_languages() -> None:
    languages = {name: {case.language for case in CASES if case.spec["kind"] == name} for name in kinds()}
    assert {name for name, found in languages.items() if found != {"en", "ko"}} == {"code"}  # below, in the sandbox


def test_every_kind_and_parameter_stands_in_the_docs() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "instruct.md").read_text(encoding="utf-8")
    table = [line for line in page.splitlines() if line.startswith("| `")]
    rows = {name: line for line in table for name in kinds() if f"`{name}`" in line.split(" | ")[0]}
    assert set(rows) == set(kinds())
    for name, kind in kinds().items():
        shared = {p for p in kind.params if re.match(r"(min|max)_(words|sentences|chars|lines)", p)}
        assert {p for p in kind.params if f"`{p}`" not in rows[name]} - shared == set(), name


SCRAPS = [
    *(
        "```",
        "```json\n",
        "```sql\n",
        "\n",
        "\n\n",
        "**",
        "*",
        "- ",
        "1. ",
        "# ",
        "{",
        "}",
        "[",
        "]",
        '"',
        "'",
        ":",
        ";",
        "(",
        ")",
    ),
    *(
        "Answer: ",
        "정답은 ",
        "입니다.",
        "A",
        "B",
        "긍정",
        "３만 2천",
        "1,234.5",
        "SELECT ",
        "FROM staff",
        "name",
        "안녕하세요.",
        "감사합니다.",
    ),
    *(
        "Subject: x",
        "제목: 회의",
        "Dear Kim,",
        "def f():\n",
        "    return 1\n",
        "\u200b",
        "\ufeff",
        "é",
        "e\u0301",
        "각",
        "각".encode().decode(),
    ),
]
TEXTS = st.text(max_size=120) | st.lists(st.sampled_from(SCRAPS), max_size=20).map("".join)
NEAR = st.builds(
    lambda case, before, after: (case, before + (case.strict or case.refused)[0] + after),
    a_case,
    st.sampled_from(["", "\n", " ", "Sure:\n", "```\n", "물론입니다.\n", '"']),
    st.sampled_from(["", "\n", " ", "\n```", "\nLet me know!", "\n더 필요하시면 말씀해 주세요.", '"', "\u3000"]),
)


@given(NEAR | st.tuples(a_case, TEXTS))
@settings(max_examples=1_500, deadline=None)
def test_no_text_is_an_error_and_loose_is_never_stricter(drawn: tuple[Case, str]) -> None:
    case, answer = drawn
    outcome = check(case.spec, answer)
    strict, loose = verdict(outcome)
    assert loose >= strict  # type: ignore[operator]
    assert bool(outcome.reason) != strict


@given(NEAR | st.tuples(a_case, TEXTS))
@settings(max_examples=400, deadline=None)
def test_composed_and_decomposed_text_are_the_same(drawn: tuple[Case, str]) -> None:
    case, answer = drawn
    apart = check(case.spec, unicodedata.normalize("NFD", answer))
    assert apart == check(case.spec, unicodedata.normalize("NFC", answer))
    split = {name: unicodedata.normalize("NFD", v) if isinstance(v, str) else v for name, v in case.spec.items()}
    assert verdict(check(split, answer)) == verdict(check(case.spec, answer))


WRAPS = [
    ("", "\n"),
    ("\n\n  ", "   \n"),
    ("```\n", "\n```"),
    ("~~~\n", "\n~~~\n"),
    ("Here is the answer:\n", ""),
    ("Sure! Here is what you asked for:\n\n", "\n\nI hope this helps!"),
    ("물론입니다. 아래는 요청하신 내용입니다.\n\n", "\n\n더 궁금한 점이 있으면 알려 주세요."),
    ("Here it is:\n```text\n", "\n```\nLet me know if you need anything else."),
    ("다음과 같습니다:\n```\n", "\n```"),
]


@pytest.mark.parametrize("case", [case for case in CASES if case.wrappable], ids=lambda case: case.name)
def test_fences_preambles_and_farewells_are_forgiven(case: Case) -> None:
    for answer in case.strict:
        for before, after in WRAPS:
            assert check(case.spec, f"{before}{answer}{after}").passed_loose, (before, answer, after)


@given(st.sampled_from([case for case in CASES if case.spec["kind"] in ("choice", "number", "one_word")]))
def test_full_width_letters_and_digits_are_read_loosely(case: Case) -> None:
    for answer in case.strict:
        wide = "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in answer)
        assert check(case.spec, wide).passed_loose, wide


HOSTILE = [
    "[",
    "{",
    "(",
    "*",
    "`",
    "```\n",
    "- \n",
    "\n",
    " ",
    "1,",
    "일 ",
    "십",
    "SELECT (",
    "a ",
    "가나다 ",
    '"',
    "'",
    "A\n",
    "제목:\n",
    "<<",
    "님, ",
]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("unit", HOSTILE)
def test_long_texts_of_one_mark_do_not_hold_up_the_run(unit: str) -> None:
    """A pattern that looks again from every place takes minutes for a single kind; all of them take seconds."""
    answer = unit * (40_000 // len(unit))
    for case in CASES:
        if case.spec["kind"] != "ifeval":  # its rules have a test of their own
            assert check(case.spec, answer).error is None
