"""Answers in JSON."""

from __future__ import annotations

import unicodedata

import pytest

from evalkit.checks import check
from tests.helpers.checking import verdict


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
