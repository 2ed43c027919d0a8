"""Numbers, words, sentences and copied runs in both languages."""

from __future__ import annotations

import unicodedata
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.checks import check
from evalkit.checks.numerals import numbers_in
from evalkit.checks.text import characters, sentences, words
from tests.helpers.check_cases import ARTICLE

NUMBERS = [
    ("1,234.5 and -7", ["1234.5", "-7"]),
    ("３만 2천 500원", ["32500"]),
    ("1억 2,000만 달러", ["120000000"]),
    ("3.5만 명, 150만", ["35000", "1500000"]),
    ("1.5 million, two billion, 30K", ["1500000", "2000000000", "30000"]),
    ("1.5M, 2bn and 3 m", ["1500000", "2000000000", "3"]),
    ("minus 4, 영하 5도, 6-7", ["-4", "-5", "6", "7"]),
    ("twenty-five people, three hundred and five days", ["25", "305"]),
    ("삼십이 명, 이천이십사 년, 만 이천 권, 스물다섯 살", ["32", "2024", "12000", "25"]),
    ("3경기, 2조각, 5백화점", ["3", "2", "5"]),
    ("이만 가겠다. 하지만 일은 많다. 사천으로 간다.", []),
    ("COVID-19, A4, 2024-05-01", ["19", "4", "2024", "5", "1"]),
    ("12%와 12퍼센트", ["12", "12"]),
]


@pytest.mark.parametrize(("text", "values"), NUMBERS)
def test_numbers_in_digits_and_in_words(text: str, values: list[str]) -> None:
    assert [number.value for number in numbers_in(text)] == [Decimal(value) for value in values]


@given(st.integers(min_value=1, max_value=99_999_999))
def test_a_number_is_the_same_however_it_is_written(number: int) -> None:
    high, low = divmod(number, 10_000)
    korean = f"{high}만" * bool(high) + f" {low}" * bool(low)
    wide = str(number).translate({ord(str(d)): 0xFF10 + d for d in range(10)})
    for text in (str(number), f"{number:,}", wide, korean.strip()):
        assert Decimal(number) in {v for n in numbers_in(text) for v in (n.value, *n.others)}, text


def test_words_sentences_and_characters_in_both_languages() -> None:
    assert len(words("도서관이 - 새로 열렸다! It's a well-known fact.")) == 7
    assert len(words("今日は雨")) == 4
    assert sentences("Dr. Kim came at 3 p.m. today. 비가 옵니다. 그래요? 네！좋아요。") == [
        "Dr. Kim came at 3 p.m. today.",
        "비가 옵니다.",
        "그래요?",
        "네!",
        "좋아요.",
    ]
    assert len(sentences("# 제목\n- 하나\n- 둘")) == 3
    assert len(sentences("회의는 2024. 5. 3. 오후에 열렸다. 다음은 2024.6.1.")) == 2
    assert characters(unicodedata.normalize("NFD", "한글 문서\n둘")) == 6


@given(st.integers(min_value=0, max_value=40), st.integers(min_value=1, max_value=12))
def test_the_longest_copied_run_is_found_wherever_it_stands(start: int, length: int) -> None:
    source = ARTICLE.split()
    start = min(start, len(source) - length)
    answer = " ".join(["미리", *source[start : start + length], "나중"])
    spec = {"kind": "copy", "source": ARTICLE}
    assert check({**spec, "max_run": length}, answer).passed_strict
    if length > 1:
        assert check({**spec, "max_run": length - 1}, answer).passed_strict is False
