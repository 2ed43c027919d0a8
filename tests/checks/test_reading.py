"""Reading comprehension by the rules of the official scripts, held against the rules written a second time."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.checks.reading import RULES
from tests.helpers import official

PIECES = (
    *("the", "The", "a", "an", "Anna", "cat", "7", "1,234", "it's", "non-stop", "U.S.", "", " ", "\t", "\xa0", "_a_"),
    *(
        "서울",
        "서울특별시",
        "《서울》",
        "〈날〉",
        "‘말’",
        "“말”",
        "「말」",
        "(1989년)",
        "<b>",
        '"말"',
        "한",
        "각",
        "\u1100\u1161",
    ),
    *("é", "É", "é", "Straße", "。", "·", "\u200b"),
)
texts = st.lists(st.sampled_from(PIECES), max_size=5).map("".join) | st.lists(st.sampled_from(PIECES), max_size=5).map(
    " ".join
)


def one(answer: str, references: list[str]) -> tuple[dict[str, str], list[dict[str, Any]]]:
    return {"q": answer}, [{"id": "q", "answers": {"text": references}}]


@given(texts, st.lists(texts, min_size=1, max_size=3))
def test_squad_and_korquad_are_as_their_scripts(answer: str, references: list[str]) -> None:
    for name, korean in (("squad", False), ("korquad", True)):
        wanted = official.v1(*one(answer, references), korean=korean)
        found = {key: getattr(RULES[name], key)(answer, references) for key in ("exact_match", "f1")}
        assert found == pytest.approx(wanted, abs=1e-12), name


@given(texts, st.lists(texts, max_size=3))
def test_squad_v2_is_as_its_script(answer: str, references: list[str]) -> None:
    wanted = official.v2(*one(answer, references))
    rules = RULES["squad_v2"]
    assert rules.exact_match(answer, references) == wanted["exact_match"]
    assert rules.f1(answer, references) == pytest.approx(wanted["f1"], abs=1e-12)


@pytest.mark.parametrize(
    ("rules", "answer", "reference", "exact", "f1"),
    [
        ("squad", "The Cat.", "cat", 1.0, 1.0),
        ("squad", "the", "a", 1.0, 0.0),  # both are empty: equal texts, and no word in common
        ("squad_v2", "the", "a", 1.0, 1.0),
        ("squad_v2", "", "cat", 0.0, 0.0),
        ("korquad", "the cat", "cat", 0.0, 2 * 1.0 * 0.5 / 1.5),
        ("korquad", "《서울》", "서울", 1.0, 1.0),
        ("korquad", "“서울”", "서울", 0.0, 2 * 1.0 * 0.5 / 1.5),
        ("korquad", "서울 특별시", "서울특별시", 0.0, 1.0),
        ("korquad", "1,989년", "1989년", 1.0, 1.0),
    ],
)
def test_what_each_script_is_known_for(rules: str, answer: str, reference: str, exact: float, f1: float) -> None:
    assert RULES[rules].exact_match(answer, [reference]) == exact
    assert RULES[rules].f1(answer, [reference]) == pytest.approx(f1)


def test_decomposed_hangul_is_another_text_as_in_the_script() -> None:
    assert RULES["korquad"].exact_match("\u1112\u1161\u11ab", ["한"]) == 0.0
