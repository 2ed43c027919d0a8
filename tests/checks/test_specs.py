"""A spec that cannot judge is an error, neither a pass nor a fail."""

from __future__ import annotations

from typing import Any

import pytest

from evalkit.checks import check, validate
from evalkit.errors import ConfigError
from tests.helpers.checking import verdict

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
