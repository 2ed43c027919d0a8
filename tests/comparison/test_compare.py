"""compare: which rows pair, which runs are refused, what is said of the difference."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from evalkit.comparison import Comparison, TaskComparison, compare
from evalkit.errors import ConfigError, NoDocumentFigures, NotComparable, RunFolderError, UnknownTask, UsageError
from evalkit.reporting import comparison_view as report
from evalkit.results import Run
from tests.helpers.runfolders import TaskRows, write_run

RNG = np.random.default_rng(6)


def right(n: int, share: float = 0.5) -> np.ndarray:
    return (np.arange(n) < n * share).astype(float)


def two(root: Path, a: Mapping[str, TaskRows], b: Mapping[str, TaskRows], **both: Any) -> tuple[Run, Run]:
    return Run.open(write_run(root, "a", a, **both)), Run.open(write_run(root, "b", b, **both))


def only(comparison: Comparison) -> TaskComparison:
    ((task,),) = (against.tasks for against in comparison.against)
    return task


def test_figures_differences_and_flips(tmp_path: Path) -> None:
    base = right(1000)
    other = base.copy()
    other[:60] = 0.0
    other[900:930] = 1.0
    a, b = two(tmp_path, {"gsm8k": TaskRows(base)}, {"gsm8k": TaskRows(other)})
    task = only(compare(a, [b]))
    assert (task.baseline, task.candidate) == (0.5, 0.47)
    assert task.delta == pytest.approx(-0.03)
    assert (task.lost, task.gained, task.n) == (60, 30, 1000)
    assert task.discordance == pytest.approx(0.09)
    assert task.ci95 is not None
    assert task.ci95.low < -0.03 < task.ci95.high < 0
    assert task.p == pytest.approx(binomtest(60, 90).pvalue, abs=0.003)
    assert task.improved is False
    assert task.detectable == pytest.approx(2.486 * (0.09 / 1000) ** 0.5, rel=0.1)


def test_rows_pair_by_hash_never_by_position(tmp_path: Path) -> None:
    base = RNG.integers(0, 2, 200).astype(float)
    order = RNG.permutation(200)
    shuffled = TaskRows(base[order], hashes=[f"gsm8k-{i}" for i in order])
    a, b = two(tmp_path, {"gsm8k": TaskRows(base)}, {"gsm8k": shuffled})
    task = only(compare(a, [b]))
    assert (task.n, task.lost, task.gained) == (200, 0, 0)


def test_equal_documents_pair_one_to_one(tmp_path: Path) -> None:
    hashes = ["same", "same", "same", "other"]
    a, b = two(
        tmp_path,
        {"t": TaskRows([1.0, 0.0, 1.0, 1.0], hashes=hashes)},
        {"t": TaskRows([1.0, 0.0, 0.0, 1.0], hashes=hashes)},
    )
    task = only(compare(a, [b]))
    assert (task.n, task.lost, task.gained) == (4, 1, 0)


def test_what_could_not_be_paired_is_said(tmp_path: Path) -> None:
    base = TaskRows(right(50), hashes=[f"d{i}" for i in range(50)])
    other = TaskRows(right(50), hashes=[f"d{i}" for i in range(5, 55)])
    a, b = two(tmp_path, {"t": base}, {"t": other})
    comparison = compare(a, [b])
    assert only(comparison).n == 45
    assert only(comparison).unpaired.only_baseline == only(comparison).unpaired.only_candidate == 5
    said = report.as_markdown(comparison)
    assert "5 documents not paired: only in the baseline" in said
    assert "5 documents not paired: only in the candidate" in said


def test_a_limited_run_compares_on_its_documents(tmp_path: Path) -> None:
    a = Run.open(write_run(tmp_path, "a", {"t": TaskRows(right(100))}))
    limited = TaskRows(np.ones(30), settings={"prompts_hash": "shorter", "data_hash": "shorter"})
    b = Run.open(write_run(tmp_path, "b", {"t": limited}, status="limited", manifest={"limit": 30}))
    comparison = compare(a, [b])
    assert only(comparison).n == 30
    assert only(comparison).unpaired.outside_limit == 70
    assert any("b is limited" in note for note in comparison.against[0].notes)


def test_documents_without_a_prompt_hash_pair_with_a_warning(tmp_path: Path) -> None:
    a, b = two(tmp_path, {"t": TaskRows(right(20))}, {"t": TaskRows(right(20), prompts=None)})
    comparison = compare(a, [b])
    assert only(comparison).n == 20
    assert "20 documents paired without a prompt hash" in report.as_markdown(comparison)


def test_other_prompts_do_not_pair(tmp_path: Path) -> None:
    a, b = two(tmp_path, {"t": TaskRows(right(20))}, {"t": TaskRows(right(20), prompts="other")})
    with pytest.raises(NotComparable, match="other prompts"):
        compare(a, [b])
    assert only(compare(a, [b], allow=["prompts"])).n == 20


def test_missing_answers_are_left_out_and_counted(tmp_path: Path) -> None:
    values = right(40)
    values[:3] = np.nan
    a, b = two(tmp_path, {"t": TaskRows(right(40))}, {"t": TaskRows(values)})
    comparison = compare(a, [b])
    assert (only(comparison).n, only(comparison).missing_candidate) == (37, 3)
    assert "left out for want of an answer, 3 in the candidate" in report.as_markdown(comparison)


@pytest.mark.parametrize(
    ("kind", "settings", "manifest"),
    [
        ("version", {"version": 2.0}, {}),
        ("version", {"output_type": "generate_until"}, {}),
        ("version", {"config_hash": "other"}, {}),
        ("shots", {"num_fewshot": 0}, {}),
        ("prompts", {"prompts_hash": "Q"}, {}),
        ("data", {"data_hash": "E"}, {}),
        ("generation", {"generation": {"temperature": 0.7}}, {}),
        ("chat_template", {}, {"chat_template": {"applied": True, "hash": "h"}}),
        ("prompts", {}, {"chat_template": {"applied": False, "system_instruction": "Be brief."}}),
    ],
)
def test_runs_that_measured_different_things_are_refused(
    tmp_path: Path, kind: str, settings: Mapping[str, Any], manifest: Mapping[str, Any]
) -> None:
    known = {"output_type": "multiple_choice", "config_hash": "c", "generation": {"temperature": 0.0}}
    a = Run.open(write_run(tmp_path, "a", {"t": TaskRows(right(20), settings=known)}))
    changed = TaskRows(right(20), settings={**known, **settings})
    b = Run.open(write_run(tmp_path, "b", {"t": changed}, manifest=manifest))
    with pytest.raises(NotComparable) as refused:
        compare(a, [b])
    assert refused.value.exit_code == 2
    assert f"\n  {kind}" in str(refused.value)
    assert f"--allow {kind}" in str(refused.value)
    meant = compare(a, [b], allow=[kind])
    assert any(f"differs on purpose: {kind}" in note for note in meant.against[0].notes)


def test_templates_count_only_where_they_are_applied(tmp_path: Path) -> None:
    def run(name: str, applied: bool, content: str) -> Run:
        template = {"applied": applied, "hash": content, "system_instruction": None}
        return Run.open(write_run(tmp_path, name, {"t": TaskRows(right(9))}, manifest={"chat_template": template}))

    assert only(compare(run("a", False, "x"), [run("b", False, "y")])).n == 9
    with pytest.raises(NotComparable, match="chat_template"):
        compare(run("c", True, "x"), [run("d", True, "y")])
    with pytest.raises(UsageError, match="did you mean chat_template"):
        compare(run("e", True, "x"), [run("f", True, "y")], allow=["chat-templte"])


def test_versions_compare_as_numbers(tmp_path: Path) -> None:
    a = TaskRows(right(9), settings={"version": 1})
    b = TaskRows(right(9), settings={"version": "1.0"})
    first, second = two(tmp_path, {"t": a}, {"t": b})
    assert only(compare(first, [second])).n == 9


def test_several_runs_against_the_first(tmp_path: Path) -> None:
    a, b = two(tmp_path, {"t": TaskRows(right(30))}, {"t": TaskRows(np.zeros(30))})
    c = Run.open(write_run(tmp_path, "c", {"t": TaskRows(np.ones(30)), "u": TaskRows(np.ones(3))}))
    comparison = compare(a, [b, c])
    assert [against.tasks[0].delta for against in comparison.against] == [-0.5, 0.5]
    assert [against.tasks[0].improved for against in comparison.against] == [False, True]
    assert "only in c: u" in comparison.against[1].notes


def test_groups_weigh_as_the_run_does(tmp_path: Path) -> None:
    def run(name: str, big: float) -> Run:
        tasks = {"g_small": TaskRows(right(10, 0.2), "acc,none"), "g_big": TaskRows(right(90, big), "acc,none")}
        return Run.open(write_run(tmp_path, name, tasks, groups={"g": ["g_small", "g_big"]}))

    task = only(compare(run("a", 0.5), [run("b", 0.6)]))
    assert task.name == "g"
    assert task.baseline == pytest.approx((2 + 45) / 100)
    assert [(member.name, member.n) for member in task.members] == [("g_small", 10), ("g_big", 90)]

    def plain(name: str, big: float) -> Run:
        tasks = {"g_small": TaskRows(right(10, 0.2), "acc,none"), "g_big": TaskRows(right(90, big), "acc,none")}
        mean = {"g": {"n": 100, "metrics": {"acc,none": {"value": (0.2 + big) / 2}}, "members": list(tasks)}}
        return Run.open(write_run(tmp_path, name, tasks, requested=["g"], results={"groups": mean}))

    assert only(compare(plain("c", 0.5), [plain("d", 0.6)])).baseline == pytest.approx(0.35)


def test_lower_is_better_is_kept_in_mind(tmp_path: Path) -> None:
    def rows(shift: float) -> dict[str, TaskRows]:
        return {"p": TaskRows(np.linspace(5, 9, 100) + shift, "perplexity,none", higher_is_better=False)}

    a, b = two(tmp_path, rows(0.0), rows(-1.0))
    task = only(compare(a, [b]))
    assert task.delta == pytest.approx(-1.0)
    assert (task.lost, task.gained) == (0, 100)
    assert task.improved is True
    assert task.ci95 is not None
    assert task.ci95.high < 0


def test_members_without_the_groups_metric_have_no_part_in_it(tmp_path: Path) -> None:
    rows = {"g_choice": TaskRows(right(20), "acc,none"), "g_words": TaskRows(right(9), "exact_match,none")}
    group = {"n": 29, "metrics": {"acc,none": {"value": 0.5}}, "members": list(rows)}
    a, b = two(tmp_path, rows, rows, requested=["g"], results={"groups": {"g": group}})
    task = only(compare(a, [b]))
    assert (task.n, task.baseline) == (20, 0.5)


def test_a_figure_of_the_whole_corpus_is_left_out_by_name(tmp_path: Path) -> None:
    none = dict.fromkeys(range(9), "")
    runs = []
    for side, value in (("a", 12.5), ("b", 13.25)):
        corpus = TaskRows([math.nan] * 9, "word_perplexity,none", none, figure={"value": value}, entry={"n": 9})
        runs.append(Run.open(write_run(tmp_path, side, {"wikitext": corpus, "gsm8k": TaskRows(right(9))})))
    [against] = compare(runs[0], [runs[1]]).against
    assert [task.name for task in against.tasks] == ["gsm8k"]
    [note] = against.notes
    assert note.startswith("wikitext is left out (word_perplexity,none: 12.5 against 13.25 on the whole): ")
    with pytest.raises(NoDocumentFigures, match="a figure of the whole corpus; then name another metric or task"):
        compare(runs[0], [runs[1]], tasks=["wikitext"])


def test_what_is_better_neither_way_is_held_to_nothing(tmp_path: Path) -> None:
    figures = {"acc,none": {"value": 1.0}, "length_ratio,none": {"value": 1.0, "higher_is_better": None}}
    rows = {"t": TaskRows(right(9), "length_ratio,none", entry={"metrics": figures})}
    a, b = two(tmp_path, rows, rows)
    with pytest.raises(ConfigError, match="neither more nor less of it is better"):
        compare(a, [b], metric="length_ratio")


def test_a_name_or_metric_that_is_not_there(tmp_path: Path) -> None:
    a, b = two(tmp_path, {"gsm8k": TaskRows(right(9))}, {"gsm8k": TaskRows(right(9))})
    with pytest.raises(UnknownTask, match="did you mean gsm8k"):
        compare(a, [b], tasks=["gsm8"])
    with pytest.raises(ConfigError, match="did you mean exact_match"):
        compare(a, [b], metric="exact_mach,strict-match")
    with pytest.raises(UsageError, match="two runs"):
        compare(a, [])
    other = Run.open(write_run(tmp_path, "other", {"mmlu": TaskRows(right(9))}))
    with pytest.raises(NotComparable, match="share no task"):
        compare(a, [other])


def test_an_incomplete_run_is_no_run_to_compare(tmp_path: Path) -> None:
    a = Run.open(write_run(tmp_path, "a", {"t": TaskRows(right(9))}))
    b = Run.open(write_run(tmp_path, "b", {"t": TaskRows(right(9))}, status="incomplete"))
    with pytest.raises(RunFolderError, match="incomplete"):
        compare(a, [b])


def rewrite(run: Run, column: str, values: list[Any]) -> None:
    path = run.path / "scores.parquet"
    table = pq.read_table(path)
    place = table.column_names.index(column)
    pq.write_table(table.set_column(place, column, pa.array(values, table.schema.field(place).type)), path)


@pytest.mark.parametrize(
    ("column", "values", "said"),
    [
        ("value", [float("nan"), 1.0, 0.0], "not a number for 1 documents"),
        ("value", [None, 1.0, 0.0], "not a number for 1 documents"),
        ("value", [float("inf"), 1.0, 0.0], "not a number for 1 documents"),
        ("value", [None, None, None], "holds no number for any document"),
        ("doc_hash", [None, "t-1", "t-2"], "without a doc_hash"),
        ("metric", ["bleu"] * 3, "has no line of t"),
        ("task", ["t", "t", "u"], "half-written"),
    ],
)
def test_a_broken_table_is_never_a_figure(tmp_path: Path, column: str, values: list[Any], said: str) -> None:
    a, b = two(tmp_path, {"t": TaskRows([1.0, 1.0, 0.0])}, {"t": TaskRows([1.0, 1.0, 0.0])})
    rewrite(b, column, values)
    with pytest.raises(RunFolderError) as raised:
        compare(a, [Run.open(b.path)])
    assert said in str(raised.value)
    assert raised.value.exit_code == 4


def test_a_document_that_stands_twice_is_refused(tmp_path: Path) -> None:
    a, b = two(tmp_path, {"t": TaskRows([1.0, 1.0])}, {"t": TaskRows([1.0, 1.0])})
    rewrite(b, "doc_id", [0, 0])
    rewrite(b, "doc_hash", ["t-0", "t-0"])
    with pytest.raises(RunFolderError, match="stands twice"):
        compare(a, [Run.open(b.path)])


# ── flips ────────────────────────────────────────────────────────────────────


def generated(doc_id: int, answer: str, value: float) -> dict[str, Any]:
    return {
        "doc_id": doc_id,
        "doc": {"question": f"질문 {doc_id}"},
        "target": "#### 42",
        "arguments": [["prompt", {}]],
        "resps": [[answer]],
        "filtered_resps": [answer[-2:]],
        "filter": "strict-match",
        "exact_match": value,
    }


def test_documents_that_changed_show_both_answers(tmp_path: Path) -> None:
    before, after = [1.0, 1.0, 0.0], [1.0, 0.0, 1.0]
    a = write_run(
        tmp_path, "a", {"t": TaskRows(before)}, samples={"t": [generated(i, f"was {i}", before[i]) for i in range(3)]}
    )
    b = write_run(
        tmp_path, "b", {"t": TaskRows(after)}, samples={"t": [generated(i, "```\n| <b>", after[i]) for i in range(3)]}
    )
    comparison = compare(Run.open(a), [Run.open(b)], flips=5)
    lost, gained = only(comparison).flips
    assert (lost.doc_id, lost.baseline, lost.candidate, lost.lost) == (1, "was 1", "```\n| <b>", True)
    assert (gained.doc_id, gained.question, gained.target) == (2, "질문 2", "#### 42")
    assert len(only(compare(Run.open(a), [Run.open(b)], flips=1)).flips) == 1
    # A model's words stay words: the fence around them is longer than theirs.
    assert "````text\n```\n| <b>\n````" in report.as_markdown(comparison)


def test_choices_are_shown_as_their_words(tmp_path: Path) -> None:
    def chosen(scores: list[float], value: float) -> dict[str, Any]:
        return {
            "doc_id": 0,
            "doc": {"query": "Sky?"},
            "target": "0",
            "arguments": [["Sky?", " blue"], ["Sky?", " green"]],
            "resps": [[[score, False]] for score in scores],
            "filtered_resps": [[score, False] for score in scores],
            "filter": "none",
            "acc": value,
        }

    rows = {"t": TaskRows([1.0], "acc,none")}
    a = write_run(tmp_path, "a", rows, samples={"t": [chosen([-1.0, -2.0], 1.0)]})
    b = write_run(tmp_path, "b", {"t": TaskRows([0.0], "acc,none")}, samples={"t": [chosen([-2.0, -1.0], 0.0)]})
    (flip,) = only(compare(Run.open(a), [Run.open(b)], flips=3)).flips
    assert (flip.target, flip.baseline, flip.candidate) == ("blue", "blue", "green")


def test_rows_that_were_not_kept_leave_answers_empty(tmp_path: Path) -> None:
    a, b = two(tmp_path, {"t": TaskRows([1.0])}, {"t": TaskRows([0.0])})
    (flip,) = only(compare(a, [b], flips=1)).flips
    assert (flip.baseline, flip.candidate) == ("", "")
    assert "(not kept)" in report.as_markdown(compare(a, [b], flips=1))


# ── renderings ───────────────────────────────────────────────────────────────


def test_json_is_unrounded_and_whole(tmp_path: Path) -> None:
    a, b = two(tmp_path, {"t": TaskRows(right(30, 1 / 3))}, {"t": TaskRows(right(30, 0.7))})
    found = json.loads(report.as_json(compare(a, [b])))
    task = found["against"][0]["tasks"]["t"]
    assert task["baseline"] == 10 / 30
    assert task["flips"] == {"lost": 0, "gained": 11}
    assert task["ci95"][0] < task["delta"] < task["ci95"][1]


def test_the_terminal_shows_tables_and_both_answers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    rows = {"t": [generated(0, "[bold]was right[/bold]", 1.0)]}
    a = write_run(tmp_path, "a", {"t": TaskRows([1.0])}, samples=rows)
    b = write_run(tmp_path, "b", {"t": TaskRows([0.0])}, samples={"t": [generated(0, "is wrong", 0.0)]})
    report.show(compare(Run.open(a), [Run.open(b)], flips=1))
    shown = capsys.readouterr().out
    assert "lost / gained" in shown
    # What a model wrote is no markup.
    assert "[bold]was right[/bold]" in shown
    assert "is wrong" in shown


@given(name=st.text(st.characters(codec="utf-8", exclude_characters="\0/"), min_size=1, max_size=12))
@settings(max_examples=40, deadline=None)
def test_no_model_name_breaks_the_markdown(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    root = tmp_path_factory.mktemp("runs")
    manifest = {"model": {"typed": name}}
    a, b = two(root, {"t": TaskRows([1.0, 0.0])}, {"t": TaskRows([1.0, 1.0])}, manifest=manifest)
    text = report.as_markdown(compare(a, [b]))
    table = [line for line in text.split("\n") if line.startswith("|")]
    assert len(table) == 3
    assert text.split("\n")[0].startswith("## ")
    assert "<" not in text
