"""One document at a time: what fails alone, what is unparsed, and code that is judged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from evalkit.errors import ConfigError
from evalkit.registry import (
    Registry,
)
from evalkit.types import Answer, Failed, Generated, Scored, Verdict
from tests.helpers.oracle import assert_equal_to_lm_eval, manager_of, oracle, run, simple_evaluate, standing_in
from tests.helpers.owntasks import GENERATE, ROWS, generated, own_task


def test_a_document_that_raises_is_a_row_with_an_error_and_the_others_go_on(tmp_path: Path) -> None:
    body = GENERATE.replace('"{{a}}"', '"{{a.strip()}}"')
    rows: list[dict[str, Any]] = [*ROWS]
    own_task(tmp_path, body, rows)
    task = Registry([tmp_path]).load(["own"]).tasks["own"]
    documents = task.build()
    right = task.score(documents[0], generated("1"))
    failed = task.score(documents[1], [[Failed(1, "out of memory")]])
    missing = task.score(documents[2], [[None]])
    scored = task.score(documents[3], [[Generated(3, "4", "length", 8)]], cut_tokens=5)
    assert [row.flags for row in (*right, *failed, *missing, *scored)] == [
        (),
        ("error",),
        ("missing",),
        ("cut", "unfinished"),
    ]
    assert failed[0].sample["error"] == "out of memory"
    assert failed[0].metrics == {"exact_match": None} == missing[0].metrics
    figure = task.aggregate([*right, *failed, *missing, *scored])["exact_match,none"]
    assert figure.value == 1.0
    assert figure.ci95 is not None
    assert figure.ci95[0] < 1.0


def test_a_metric_that_raises_for_one_document_leaves_that_one_out(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"q": "a", "choices": ["x", "y"], "gold": 0}, {"q": "b", "choices": [], "gold": 0}]
    body = 'output_type: multiple_choice\ndoc_to_text: "{{q}}"\ndoc_to_choice: choices\ndoc_to_target: gold\n'
    own_task(tmp_path, body + "metric_list: [{metric: acc, aggregation: mean, higher_is_better: true}]\n", rows)
    ran = run(Registry([tmp_path]).load(["own"]))
    flags = {row.doc_id: row.flags for row in ran.rows["own"]}
    assert flags == {0: (), 1: ("error",)}
    assert ran.suite.aggregate(ran.rows).tasks["own"]["acc,none"].value in (0.0, 1.0)


def test_a_log_probability_that_is_no_number_is_an_error_never_a_score(tmp_path: Path) -> None:
    rows = [{"q": "a", "choices": ["x", "y"], "gold": 0}]
    body = 'output_type: multiple_choice\ndoc_to_text: "{{q}}"\ndoc_to_choice: choices\ndoc_to_target: gold\n'
    own_task(tmp_path, body, rows)
    task = Registry([tmp_path]).load(["own"]).tasks["own"]
    (document,) = task.build()
    (row,) = task.score(document, [[Scored(0, float("nan"), False)], [Scored(1, -1.0, False)]])
    assert row.flags == ("error",)
    assert set(row.metrics.values()) == {None}
    figures = task.aggregate([row])
    assert {figure.value for figure in figures.values()} == {None}
    assert all(figure.reason for figure in figures.values())


def test_an_answer_that_no_filter_finds_is_unparsed_and_still_scored(tmp_path: Path) -> None:
    filters = (
        "filter_list:\n  - name: number\n    filter:\n      - {function: regex, regex_pattern: '(\\d+)'}\n"
        "      - {function: take_first}\n"
    )
    own_task(tmp_path, GENERATE + filters, ROWS)
    task = Registry([tmp_path]).load(["own"]).tasks["own"]
    document = task.build()[0]
    assert [task.score(document, generated(text))[0].flags for text in ("1", "one", "")] == [
        (),
        ("unparsed",),
        ("unparsed",),
    ]
    assert task.score(document, generated("one"))[0].metrics == {"exact_match": 0.0}


def test_repeats_are_asked_for_and_filtered_together(tmp_path: Path) -> None:
    filters = (
        "repeats: 3\nfilter_list:\n  - name: vote\n    filter: [{function: majority_vote}, {function: take_first}]\n"
    )
    own_task(tmp_path, GENERATE + filters, ROWS)
    task = Registry([tmp_path]).load(["own"]).tasks["own"]
    document = task.build()[1]
    assert document.requests[0].repeats == 3
    texts = [[Generated(i, text, "stop", 1) for i, text in enumerate(("2", "7", "2"))]]
    assert task.score(document, texts)[0].metrics == {"exact_match": 1.0}


def test_rolling_texts_and_mutual_information_equal_lm_evals(tmp_path: Path) -> None:

    pages = [{"page": f"page {i} says {'x ' * i}한국어."} for i in range(5)]
    own_task(
        tmp_path, 'output_type: loglikelihood_rolling\ndoc_to_text: ""\ndoc_to_target: "{{page}}"\n', pages, "pages"
    )
    body = 'output_type: multiple_choice\ndoc_to_text: "{{q}}"\ndoc_to_choice: ["yes", "no"]\ndoc_to_target: 0\n'
    metrics = "metric_list:\n  - {metric: acc}\n  - {metric: acc_mutual_info}\n  - {metric: brier_score}\n"
    own_task(tmp_path, body + metrics, [{"q": f"Is {i}?"} for i in range(7)], "pmi")
    ran = run(Registry([tmp_path]).load(["pages", "pmi"]))
    with standing_in(tmp_path):
        theirs = simple_evaluate(oracle(), tasks=["pages", "pmi"], task_manager=manager_of(tmp_path))
    assert_equal_to_lm_eval(ran, theirs)
    assert set(ran.suite.tasks["pages"].metric_names) == {"word_perplexity", "byte_perplexity", "bits_per_byte"}


def test_a_filter_that_looks_at_all_documents_waits_for_them(tmp_path: Path) -> None:
    (tmp_path / "tools.py").write_text(
        "def rank(resps, docs):\n"
        "    flat = sorted(r for resp in resps for r in resp)\n"
        "    return [[str(flat.index(r)) for r in resp] for resp in resps]\n"
    )
    steps = "    filter:\n      - {function: custom, filter_fn: !function tools.rank}\n      - {function: take_first}\n"
    own_task(tmp_path, GENERATE + "filter_list:\n  - name: rank\n" + steps, ROWS)
    task = Registry([tmp_path], allow_task_code=True).load(["own"]).tasks["own"]
    documents, scorer = task.build(), task.scorer()
    for document in documents[1:]:
        assert scorer.add(document, generated(f"t{9 - document.doc_id}")) == []
    assert scorer.add(documents[0], [[Failed(0, "no")]]) == []
    rows = scorer.finish()
    assert [row.sample["filtered_resps"] for row in rows] == [[], ["4"], ["3"], ["2"], ["1"], ["0"]]
    assert rows[0].flags == ("error",)


CODE = """output_type: generate_until
doc_to_text: "{{q}}"
doc_to_target: "{{tests}}"
repeats: 2
generation_kwargs: {until: ["\\n\\n"], max_gen_toks: 8, do_sample: true, temperature: 1.0}
filter_list:
  - name: code
    filter: []
sandbox: python
"""


def test_any_task_can_ask_for_code_to_be_run(tmp_path: Path) -> None:
    own_task(tmp_path, CODE, [{"q": "add", "tests": ["assert add(1, 2) == 3", "assert add(0, 0) == 0"]}])
    task = Registry([tmp_path]).load(["own"]).tasks["own"]
    (document,) = task.build()
    samples: list[list[Answer]] = [
        [Generated(0, "def add(a, b): return a + b", "stop", 9), Generated(1, "", "stop", 0)]
    ]
    programs = task.programs(document, samples)
    assert programs is not None
    assert [p.source for p in programs] == ["def add(a, b): return a + b", ""]
    assert programs[0].tests == "assert add(1, 2) == 3\nassert add(0, 0) == 0"
    assert programs[0].entry_point is None
    (row,) = task.score(document, samples, [Verdict("passed", "", 0.2), Verdict("failed", "assertion", 0.1)])
    assert row.metrics == {"pass@1": 0.5}
    assert (row.sample["verdict"], row.sample["seconds"]) == (["passed", "failed"], [0.2, 0.1])


def test_a_broken_sandbox_is_never_a_wrong_answer(tmp_path: Path) -> None:
    own_task(tmp_path, CODE.replace("repeats: 2", "repeats: 1"), [{"q": "add", "tests": "assert True"}] * 2)
    task = Registry([tmp_path]).load(["own"]).tasks["own"]
    first, second = task.build()
    (broken,) = task.score(first, generated("x = 1"), [Verdict("sandbox_error", "no namespace", 0.0)])
    (passed,) = task.score(second, generated("x = 1"), [Verdict("passed", "", 0.1)])
    assert (broken.metrics, broken.flags) == ({"pass@1": None}, ("error",))
    assert (broken.sample["verdict"], broken.sample["program"]) == ("sandbox_error", "x = 1")
    assert task.aggregate([broken, passed])["pass@1,code"].value == 1.0


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("sandbox: perl", "'perl' cannot be run"),
        ("sandbox: {language: python, test: tests}", "unknown key 'test'; did you mean tests"),
        ("sandbox: {language: python, k: [0]}", "whole numbers above 0"),
        ("sandbox: [python]", "`python` or a mapping"),
    ],
)
def test_a_wrong_sandbox_key_says_what_is_wanted(tmp_path: Path, line: str, message: str) -> None:
    own_task(tmp_path, CODE.replace("sandbox: python", line), [{"q": "add", "tests": "assert True"}])
    with pytest.raises(ConfigError, match=message):
        Registry([tmp_path]).load(["own"])
