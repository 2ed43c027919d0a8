"""Checks on text, from outside: a spec and an answer in, an outcome out. The examples stand in check_cases.py."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.checks import Outcome, check, kinds, needs_sandbox, programs, validate
from evalkit.checks.numerals import numbers_in
from evalkit.checks.text import characters, sentences, words
from evalkit.errors import ConfigError
from evalkit.sandbox import Sandbox
from evalkit.types import Verdict
from tests.helpers.check_cases import ARTICLE, CASES, STAFF, Case

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


# ── the examples ─────────────────────────────────────────────────────────────


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


# ── what holds for every text ────────────────────────────────────────────────

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


# ── errors are neither passes nor fails ──────────────────────────────────────

BROKEN: list[tuple[Any, str]] = [
    ({"kind": "jsn"}, "did you mean json"),
    ({}, "`kind:` is missing"),
    ("json", "a mapping with `kind:`"),
    ({"kind": "json", "shema": {}}, "unknown parameter 'shema'; did you mean schema"),
    ({"kind": "json", "schema": {"type": "objekt"}}, "no JSON Schema"),
    ({"kind": "json", "schema": {"$ref": "file:///etc/hostname"}}, "nothing is fetched"),
    ({"kind": "json", "schema": {"properties": {"a": {"$ref": "#/$defs/none"}}}}, "'#/$defs/none' is no part"),
    ({"kind": "sql", "schema": "CREATE TABLE t (a)"}, "either query"),
    ({"kind": "sql", "schema": "CREATE TABLE t (a)", "query": "SELECT b FROM t"}, "no such column: b"),
    ({"kind": "sql", "schema": "CREATE TABEL t (a)", "rows": []}, "does not run on SQLite"),
    ({"kind": "sql", "schema": "", "rows": [[1], [1, 2]]}, "rows of one length"),
    ({"kind": "length"}, "a limit is wanted"),
    ({"kind": "length", "min_words": 9, "max_words": 3}, "min_words is above max_words"),
    ({"kind": "length", "max_words": "3"}, "a whole number is wanted, this is '3'"),
    ({"kind": "length", "max_words": True}, "a whole number is wanted"),
    ({"kind": "length", "max_words": -1}, "a number from 0 is wanted"),
    ({"kind": "language", "language": "kor"}, "'kor' is unknown"),
    ({"kind": "language"}, "language is missing"),
    ({"kind": "choice", "equals": "E"}, "none of the options A, B, C"),
    ({"kind": "choice", "options": []}, "a list of texts"),
    ({"kind": "bullets"}, "count, min or max"),
    ({"kind": "bullets", "count": 2, "max": 3}, "count stands alone"),
    ({"kind": "regex", "pattern": "(["}, "no regular expression"),
    ({"kind": "email", "language": "en", "parts": ["subjet"]}, "'subjet' is none of subject"),
    ({"kind": "starts_with"}, "either text or any"),
    ({"kind": "contains"}, "all or any"),
    ({"kind": "forbidden", "words": []}, "a list of texts"),
    ({"kind": "secret", "secret": "a"}, "three letters"),
    ({"kind": "copy", "source": "a"}, "max_run or max_overlap"),
    (
        {"kind": "ifeval", "instruction": "length_constraints:number_word"},
        "did you mean length_constraints:number_words",
    ),
    ({"kind": "ifeval", "instruction": "keywords:existence"}, "not told its keywords"),
]


@pytest.mark.parametrize(("spec", "said"), BROKEN, ids=[str(spec)[:50] for spec, _ in BROKEN])
def test_a_spec_that_cannot_judge_is_named_and_is_an_error_of_the_row(spec: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=r"my\.yaml.*") as caught:
        validate(spec, "my.yaml")
    assert said in str(caught.value)
    outcome = check(spec, "an answer")
    assert (outcome.passed_strict, outcome.passed_loose) == (None, None)
    assert outcome.error
    assert said in outcome.error


def test_what_raises_inside_a_check_is_an_error_and_not_a_fail() -> None:
    slow = check({"kind": "regex", "pattern": "^(a|a)*$"}, "a" * 60 + "!")
    assert (slow.passed_strict, slow.passed_loose) == (None, None)
    assert "Timeout" in str(slow.error)
    unresolved = check({"kind": "json", "schema": {"$ref": "https://example.com/schema.json"}}, "{}")
    assert (unresolved.passed_strict, unresolved.passed_loose) == (None, None)
    assert unresolved.error


def test_parameters_may_be_fields_of_the_document() -> None:
    spec = {"kind": "numbers", "source": {"$field": "text"}}
    validate(spec)
    assert verdict(check(spec, "12,500권", {"text": "책 1만 2,500권"})) == (True, True)
    assert verdict(check(spec, "1만 3천 권", {"text": "책 1만 2,500권"})) == (False, False)
    lost = check(spec, "1", {"txt": "1"})
    assert lost.passed_loose is None
    assert "did you mean txt" in str(lost.error)
    with pytest.raises(ConfigError, match="text is wanted"):
        validate(spec, "t", {"text": 3})


# ── SQL on SQLite ────────────────────────────────────────────────────────────

NAMES = {"kind": "sql", "schema": STAFF, "query": "SELECT name FROM staff ORDER BY pay"}


@pytest.mark.parametrize(
    "statement",
    [
        "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT count(*) FROM t",
        "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT n FROM t",
        "SELECT hex(zeroblob(1000000000))",
        "SELECT printf('%.*c', 1000000000, 'x')",
        "SELECT 1 FROM " + ", ".join(f"staff s{number}" for number in range(11)),
        "ATTACH DATABASE '/tmp/evalkit-check.db' AS other",
        "PRAGMA writable_schema = 1",
        "SELECT load_extension('x')",
        "UPDATE staff SET pay = 0",
        "VACUUM INTO '/tmp/evalkit-check.db'",
        "CREATE TABLE x (a)",
        "SELECT " + "(" * 5_000 + "1" + ")" * 5_000,
        "\x00",
        "SELECT '\ud800'",
    ],
)
def test_statements_that_write_reach_out_or_never_end_are_refused(statement: str) -> None:
    assert verdict(check(NAMES, statement)) == (False, False)


def test_order_counts_where_the_reference_orders() -> None:
    assert verdict(check(NAMES, "SELECT name FROM staff ORDER BY pay ASC")) == (True, True)
    assert verdict(check(NAMES, "SELECT name FROM staff ORDER BY pay DESC")) == (False, False)
    assert verdict(check({**NAMES, "ordered": False}, "SELECT name FROM staff ORDER BY pay DESC")) == (True, True)
    inner = {**NAMES, "query": "SELECT name FROM (SELECT * FROM staff ORDER BY pay)"}
    assert verdict(check(inner, "SELECT name FROM staff ORDER BY pay DESC")) == (True, True)


def test_expected_rows_columns_and_other_data() -> None:
    rows = {"kind": "sql", "schema": STAFF, "rows": [["sales", 250], ["tech", 400.0]], "names": ["team", "mean"]}
    mean = "SELECT team, avg(pay) AS mean FROM staff GROUP BY team"
    assert verdict(check(rows, mean)) == (True, True)
    assert verdict(check({**rows, "columns": True}, mean)) == (True, True)
    assert verdict(check({**rows, "columns": True}, mean.replace("mean", "pay"))) == (False, False)
    guess = "SELECT 'sales', 250 UNION SELECT 'tech', 400"
    assert verdict(check(rows, guess)) == (True, True)
    query = {"kind": "sql", "schema": STAFF, "query": mean}
    more = {**query, "more_data": ["INSERT INTO staff VALUES ('Di', 'tech', 100)"]}
    assert verdict(check(query, guess)) == (True, True)
    assert verdict(check(more, guess)) == (False, False)
    assert verdict(check(more, mean)) == (True, True)


def test_one_fence_may_be_asked_for() -> None:
    fenced = "```sql\nSELECT name FROM staff ORDER BY pay\n```"
    assert verdict(check(NAMES, fenced)) == (False, True)
    assert verdict(check({**NAMES, "fence": True}, fenced)) == (True, True)
    assert verdict(check({**NAMES, "fence": True}, f"Here:\n{fenced}")) == (False, True)


def test_a_broken_statement_is_not_cut_until_it_runs() -> None:
    spec = {"kind": "sql", "schema": STAFF, "query": "SELECT name FROM staff"}
    for answer in (
        "```sql\nSELECT name FROM staff WHERE\n```",
        "SELECT name FROM staff ORDER BY nothing_like_it",
        "SELECT name FROM staff\nWHERE pay >>> 3",
        "SELECT name FROM staff JOIN JOIN teams",
    ):
        assert verdict(check(spec, answer)) == (False, False), answer


# ── JSON ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "answer", ["1" * 5_000, "[" * 100_000, '{"a": 1e999}', "Infinity", "nul", '"\\ud800', "{}{}", "{},"]
)
def test_what_python_reads_and_json_does_not_have_is_refused(answer: str) -> None:
    assert check({"kind": "json", "schema": {"type": "object", "required": ["b"]}}, answer).passed_loose is False
    assert check({"kind": "json"}, answer).passed_strict is False


def test_keys_and_values_are_compared_composed_and_depth_is_the_answers_fault() -> None:
    apart = unicodedata.normalize("NFD", '{"이름": "김철수"}').encode("ascii", "backslashreplace").decode()
    assert "\\u" in apart
    assert verdict(check({"kind": "json", "equals": {"이름": "김철수"}}, apart)) == (True, True)
    schema = {"$defs": {"node": {"properties": {"n": {"$ref": "#/$defs/node"}}}}, "$ref": "#/$defs/node"}
    assert verdict(check({"kind": "json", "schema": schema}, '{"n":' * 400 + "{}" + "}" * 400)) == (False, False)


def test_an_object_inside_a_list_that_was_cut_off_is_not_the_answer() -> None:
    spec = {"kind": "json", "schema": {"type": "object", "required": ["name"]}}
    assert verdict(check(spec, '{"people": [{"name": "Ann"}, {"name": "Bo')) == (False, False)
    assert verdict(check(spec, 'As in [1] and {x}: {"name": "김"}')) == (False, True)


# ── code, in the sandbox ─────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox.start() as started:
        yield started


PROSE = "함수는 다음과 같습니다.\n\n{}\n이 함수는 두 배를 돌려줍니다."
ANSWERS = [
    (RIGHT, True, True),
    (f"# 두 배\nimport math\n\n{RIGHT}", True, True),
    (f"```python\n{RIGHT}```", False, True),
    (
        f"Here is the function:\n```python\n{RIGHT}```\nIt doubles n. Use it so:\n```python\nprint(double(2))\n```",
        False,
        True,
    ),
    (PROSE.format(RIGHT), False, True),
    (PROSE.format(f"```\n{RIGHT}```"), False, True),
    (f"@staticmethod\ndef helper(x):\n    return x\n\n{RIGHT}\nThat's all.", False, True),
    ("1. Code:\n\n   ```python\n   def double(n):\n       return 2 * n\n   ```", False, True),
    (
        "First:\n```py\ndef twice(x):\n    return 2 * x\n```\nThen:\n```py\ndef double(n):\n    return twice(n)\n```",
        False,
        True,
    ),
    ("<think>\n```python\ndef double(n): return 0\n```\n</think>\n" + RIGHT, False, True),
    ('def double(n):\n    """두 배.\n\nTwice n.\n    """\n    return 2 * n\n\nIt doubles n.', False, True),
    ("Use `def double(n): return 2 * n` here.", False, True),
    (WRONG, False, False),
    (PROSE.format(f"```py\n{WRONG}```"), False, False),
    ("저는 코드를 쓸 수 없습니다.", False, False),
    ("def triple(n):\n    return 3 * n\n", False, False),
    ("", False, False),
]


@pytest.mark.parametrize(("answer", "strict", "loose"), ANSWERS)
def test_functions_are_found_and_judged_by_their_tests(
    sandbox: Sandbox, answer: str, strict: bool, loose: bool
) -> None:
    assert needs_sandbox(CODE)
    made = programs(CODE, answer)
    outcome = check(CODE, answer, None, sandbox.judge(list(made)))
    assert verdict(outcome) == (strict, loose)
    assert bool(outcome.reason) != strict


def test_a_fence_alone_is_strict_where_it_was_asked_for(sandbox: Sandbox) -> None:
    spec, answer = {**CODE, "fence": True}, f"```python\n{RIGHT}```"
    (program,) = programs(spec, answer)
    assert verdict(check(spec, answer, None, sandbox.judge([program]))) == (True, True)


def test_code_that_was_not_judged_is_an_error() -> None:
    assert check(CODE, RIGHT).passed_strict is None
    lost = [Verdict("sandbox_error", "the sandbox died", 0.0)] * len(programs(CODE, RIGHT))
    outcome = check(CODE, RIGHT, None, lost)
    assert (outcome.passed_strict, outcome.passed_loose, outcome.error) == (None, None, "sandbox: the sandbox died")
    assert programs({"kind": "json"}, "{}") == ()


# ── numbers, words, sentences ────────────────────────────────────────────────

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
