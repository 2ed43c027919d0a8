"""The gate: three verdicts, how often they err, and that nothing broken ever passes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pyarrow.parquet as pq
import pytest

from evalkit.cli import main
from evalkit.errors import ConfigError, EvalkitError, NotComparable, RunFolderError, UnknownTask, UsageError
from evalkit.gating import Evidence, GateResult, TaskVerdict, decide, gate, of_values
from evalkit.policy import Drop, Policy, TaskPolicy
from evalkit.reporting import gate_view as report
from evalkit.results import Run, bless, find
from evalkit.stats import decision_probability, mover_limits
from tests.helpers.runfolders import TaskRows, write_run

RUNS = 10_000
GSM8K = 1319


def values(n: int, right: int) -> np.ndarray:
    return (np.arange(n) < right).astype(float)


def changed(base: np.ndarray, lost: int, gained: int) -> np.ndarray:
    """The same answers, with so many lost and gained."""
    other = base.copy()
    other[np.flatnonzero(base == 1)[:lost]] = 0.0
    other[np.flatnonzero(base == 0)[:gained]] = 1.0
    return other


def judge(
    root: Path, base: TaskRows, other: TaskRows, policy: Any = None, task: str = "gsm8k", **options: Any
) -> TaskVerdict:
    result = both(root, {task: base}, {task: other}, policy, **options)
    (found,) = result.tasks
    return found


def both(
    root: Path, base: Mapping[str, TaskRows], other: Mapping[str, TaskRows], policy: Any = None, **options: Any
) -> GateResult:
    a = Run.open(write_run(root, f"a{len(list(root.glob('*/*')))}", base))
    b = Run.open(write_run(root, f"b{len(list(root.glob('*/*')))}", other))
    return gate(a, b, None if policy is None else Policy.parse({"tasks": policy}), **options)


# ── the three verdicts ───────────────────────────────────────────────────────


def test_no_change_on_a_large_task_passes(tmp_path: Path) -> None:
    base = values(GSM8K, 600)
    task = judge(tmp_path, TaskRows(base), TaskRows(base))
    assert task.verdict == "pass"
    assert task.delta == 0
    assert task.lower.level == pytest.approx(0.95)
    assert task.lower.value == pytest.approx(-(1 - 0.05 ** (1 / GSM8K)))
    assert task.needed_n is None


def test_a_large_drop_is_a_regression(tmp_path: Path) -> None:
    base = values(GSM8K, 600)
    task = judge(tmp_path, TaskRows(base), TaskRows(changed(base, 99, 33)))
    assert task.verdict == "regression"
    assert task.delta == pytest.approx(-66 / GSM8K)
    assert (task.lost, task.gained, task.n) == (99, 33, GSM8K)
    assert task.p < 1e-4
    assert task.upper.value is not None
    assert task.upper.value < -0.01


def test_a_small_task_cannot_tell_and_says_what_it_takes(tmp_path: Path) -> None:
    base = values(164, 50)
    task = judge(tmp_path, TaskRows(base), TaskRows(base))
    assert task.verdict == "cannot_tell"
    # No flip at all: a pass takes as many documents as make 1% unlikely not to be seen.
    assert task.needed_n == 299
    assert any("needs about 299 documents, has 164" in reason for reason in task.reasons)
    assert judge(tmp_path, TaskRows(base), TaskRows(base), {"gsm8k": {"max_drop": 0.02}}).verdict == "pass"


def test_one_document_tells_nothing(tmp_path: Path) -> None:
    for one, other in ((1.0, 1.0), (0.0, 1.0), (1.0, 0.0)):
        assert judge(tmp_path, TaskRows([one]), TaskRows([other])).verdict == "cannot_tell"


def test_everything_lost_is_a_regression_even_without_spread(tmp_path: Path) -> None:
    task = judge(tmp_path, TaskRows(np.ones(100)), TaskRows(np.zeros(100)))
    assert task.verdict == "regression"
    assert task.delta == -1.0


def test_the_needed_number_settles_it_four_times_in_five(tmp_path: Path) -> None:
    base = values(GSM8K, 600)
    task = judge(tmp_path, TaskRows(base), TaskRows(changed(base, 66, 66)))
    assert task.verdict == "cannot_tell"
    assert task.needed_n is not None
    power = decision_probability(task.needed_n, 66 / GSM8K, 66 / GSM8K, tolerance=0.01, side="pass")
    assert power == pytest.approx(0.8, abs=0.02)


def test_a_drop_on_the_tolerance_says_what_a_pass_would_take(tmp_path: Path) -> None:
    base = values(1000, 500)
    task = judge(tmp_path, TaskRows(base), TaskRows(changed(base, 35, 25)))
    assert task.verdict == "cannot_tell"
    assert task.delta == pytest.approx(-0.01)
    assert task.needed_n is not None


def test_lower_is_better_is_judged_in_its_own_direction(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    loss = rng.normal(3, 0.5, 2000)
    noise = rng.normal(0, 0.05, 2000)
    policy = {"lm": {"max_drop": 0.05}}

    def verdict(shift: float) -> TaskVerdict:
        rows = [TaskRows(x, "bits_per_byte,none", higher_is_better=False) for x in (loss, loss + noise + shift)]
        return judge(tmp_path, *rows, policy, task="lm")

    worse, better = verdict(+0.2), verdict(-0.2)
    assert (worse.verdict, better.verdict) == ("regression", "pass")
    assert worse.delta == pytest.approx(0.2, abs=0.01)
    assert worse.ci95 is not None
    assert worse.ci95[0] < worse.delta < worse.ci95[1]


def test_a_relative_drop_is_judged_on_its_interval(tmp_path: Path) -> None:
    base = values(4000, 2000)
    other = changed(base, 60, 20)  # one point, two per cent of the baseline
    assert judge(tmp_path, TaskRows(base), TaskRows(other), {"gsm8k": {"max_drop": "2%"}}).verdict == "cannot_tell"
    assert judge(tmp_path, TaskRows(base), TaskRows(other), {"gsm8k": {"max_drop": "4%"}}).verdict == "pass"
    task = judge(tmp_path, TaskRows(base), TaskRows(other), {"gsm8k": {"max_drop": "0.5%"}})
    assert task.verdict == "regression"
    assert task.tolerance == pytest.approx(0.0025)
    # The same amount, written as a number, has the same verdict.
    assert judge(tmp_path, TaskRows(base), TaskRows(other), {"gsm8k": {"max_drop": 0.0025}}).verdict == "regression"


# ── tiers and many tasks ─────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("bad", "open_", "verdict", "code"),
    [
        ("critical", "critical", "regression", 1),
        ("supporting", "critical", "regression", 1),
        ("advisory", "critical", "cannot_tell", 3),
        ("advisory", "supporting", "pass", 0),
        ("advisory", "advisory", "pass", 0),
    ],
)
def test_tiers_decide_what_counts(tmp_path: Path, bad: str, open_: str, verdict: str, code: int) -> None:
    base = values(GSM8K, 600)
    small = values(50, 20)
    result = both(
        tmp_path,
        {"fine": TaskRows(base), "bad": TaskRows(base), "open": TaskRows(small)},
        {"fine": TaskRows(base), "bad": TaskRows(changed(base, 150, 0)), "open": TaskRows(small)},
        {"fine": {}, "bad": {"tier": bad}, "open": {"tier": open_}},
    )
    assert [task.verdict for task in result.tasks] == ["pass", "regression", "cannot_tell"]
    assert (result.verdict, result.exit_code) == (verdict, code)


def test_regressions_are_holm_corrected_and_passes_are_not(tmp_path: Path) -> None:
    base = values(GSM8K, 600)
    # A drop that one test alone would call, at p just below 5%.
    lost = next(k for k in range(30, 200) if mover_limits(k, 20, GSM8K, 0.05)[1] < -0.01)
    doubtful = TaskRows(changed(base, lost, 20))
    assert judge(tmp_path, TaskRows(base), doubtful).verdict == "regression"
    others = {f"t{i}": TaskRows(base) for i in range(4)}
    moved = {f"t{i}": TaskRows(changed(base, 20, 20)) for i in range(4)}
    result = both(tmp_path, {"gsm8k": TaskRows(base), **others}, {"gsm8k": doubtful, **moved})
    first, *rest = result.tasks
    assert first.verdict == "cannot_tell"
    assert first.p < 0.05 < first.p_holm == pytest.approx(5 * first.p)
    assert first.upper.level == pytest.approx(1 - 0.05 / 5)
    assert first.lower.level == pytest.approx(0.95)
    assert {task.verdict for task in rest} == {"pass"}


def test_tests_that_could_not_fail_cost_the_others_nothing(tmp_path: Path) -> None:
    base = values(GSM8K, 600)
    still = {f"t{i}": TaskRows(base) for i in range(6)}
    result = both(tmp_path, {"gsm8k": TaskRows(base), **still}, {"gsm8k": TaskRows(changed(base, 60, 20)), **still})
    assert result.tasks[0].p_holm == result.tasks[0].p


def test_a_group_is_judged_once_over_its_strata(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    members = {f"mmlu_{i}": (rng.random(246) < 0.3 + i / 120).astype(float) for i in range(57)}
    moved = {name: np.where(rng.random(246) < 0.04, 1 - v, v) for name, v in members.items()}

    def run(name: str, tasks: Mapping[str, np.ndarray]) -> Run:
        rows = {task: TaskRows(v, "acc,none", stratum=task) for task, v in tasks.items()}
        return Run.open(write_run(tmp_path, name, rows, groups={"mmlu": list(tasks)}))

    result = gate(run("a", members), run("b", moved))
    (task,) = result.tasks
    assert (task.name, task.n, len(task.members)) == ("mmlu", 57 * 246, 57)
    d = np.concatenate(list(moved.values())) - np.concatenate(list(members.values()))
    assert task.delta == pytest.approx(d.mean())
    by_stratum = np.sqrt(sum((1 / 57) ** 2 * np.var(moved[m] - members[m], ddof=1) / 246 for m in members))
    assert task.ci95 is not None
    assert (task.ci95[1] - task.ci95[0]) / 2 == pytest.approx(1.96 * by_stratum, rel=0.02)


def test_clusters_widen_the_bounds(tmp_path: Path) -> None:
    """The same 100 changes: alone, or twenty at a time because they share a source."""
    base = np.ones(2000)
    other = base.copy()
    other[:100] = 0.0
    alone = judge(tmp_path, TaskRows(base), TaskRows(other), {"hs": {"max_drop": 0.03}}, task="hs")
    sources = [f"s{i // 20}" for i in range(2000)]
    rows = [TaskRows(x, clusters=sources) for x in (base, other)]
    shared = judge(tmp_path, *rows, {"hs": {"max_drop": 0.03}}, task="hs")
    assert alone.verdict == "regression"
    assert shared.verdict == "cannot_tell"
    assert alone.upper.value is not None
    assert shared.upper.value is not None
    assert shared.upper.value > alone.upper.value


# ── answers that are not there, or not readable ──────────────────────────────


def test_missing_rows_are_bounded_by_their_worst_case(tmp_path: Path) -> None:
    base = values(GSM8K, 600)
    gone = base.copy()
    gone[:12] = np.nan  # right before; were they lost, it is 0.9 points
    task = judge(tmp_path, TaskRows(base), TaskRows(gone))
    assert task.verdict == "cannot_tell"
    assert task.missing_candidate == 12
    assert task.lower.value is not None
    assert task.lower.value < -12 / GSM8K
    few = base.copy()
    few[:2] = np.nan
    assert judge(tmp_path, TaskRows(base), TaskRows(few)).verdict == "pass"


def test_documents_whose_rows_are_gone_count_as_missing(tmp_path: Path) -> None:
    base = values(GSM8K, 600)
    hashes = [f"gsm8k-{i}" for i in range(GSM8K)]
    kept = TaskRows(base[12:], hashes=hashes[12:])
    task = judge(tmp_path, TaskRows(base), kept)
    assert task.verdict == "cannot_tell"
    assert task.unpaired.only_baseline == 12


def test_many_missing_answers_are_a_regression_of_their_own(tmp_path: Path) -> None:
    base = values(GSM8K, 600)
    gone = base.copy()
    gone[-200:] = np.nan  # all of them wrong before, so that the metric only gains
    task = judge(tmp_path, TaskRows(base), TaskRows(gone))
    assert task.verdict == "regression"
    missing = next(flag for flag in task.flags if flag.kind == "missing")
    assert (missing.verdict, missing.candidate) == ("regression", 200)


def test_missing_values_of_an_unbounded_metric_bound_nothing(tmp_path: Path) -> None:
    x = np.linspace(2, 4, 500)
    y = x.copy()
    y[0] = np.nan
    rows = [TaskRows(v, "perplexity,none", higher_is_better=False) for v in (x, y)]
    task = judge(tmp_path, *rows, {"lm": {"max_drop": 0.5}}, task="lm")
    assert task.verdict == "cannot_tell"
    assert task.lower.value is None


@pytest.mark.parametrize("kind", ["cut", "unfinished", "unparsed"])
def test_answers_in_trouble_are_gated_though_the_metric_holds(tmp_path: Path, kind: str) -> None:
    base = values(GSM8K, 600)
    flags = dict.fromkeys(range(1200, 1300), kind)  # wrong before and after
    task = judge(tmp_path, TaskRows(base), TaskRows(base, flags=flags))
    assert task.verdict == "regression"
    found = next(flag for flag in task.flags if flag.kind == kind)
    assert (found.baseline, found.candidate) == (0, 100)
    assert any(f"{kind} answers: 0 → 100" in reason for reason in task.reasons)
    assert judge(tmp_path, TaskRows(base, flags=flags), TaskRows(base)).verdict == "pass"
    tolerant = {"gsm8k": {"max_rise": 0.1}}
    assert judge(tmp_path, TaskRows(base), TaskRows(base, flags=flags), tolerant).verdict == "pass"


def test_a_rise_that_is_not_settled_is_not_passed(tmp_path: Path) -> None:
    base = values(GSM8K, 600)
    flags = dict.fromkeys(range(1200, 1216), "unparsed")
    task = judge(tmp_path, TaskRows(base), TaskRows(base, flags=flags))
    assert task.verdict == "cannot_tell"
    assert task.needed_n is not None


# ── the noise floor ──────────────────────────────────────────────────────────


def test_the_noise_floor_stands_beside_the_flips(tmp_path: Path) -> None:
    base = values(GSM8K, 600)
    again = Run.open(write_run(tmp_path, "again", {"gsm8k": TaskRows(changed(base, 20, 20))}))
    task = judge(tmp_path, TaskRows(base), TaskRows(changed(base, 66, 66)), noise=again)
    assert task.noise is not None
    assert task.noise.flip_rate == pytest.approx(40 / GSM8K)
    assert any("two runs of the baseline flip 3.0%" in reason for reason in task.reasons)
    noisy = Run.open(write_run(tmp_path, "noisy", {"gsm8k": TaskRows(changed(base, 65, 65))}))
    repeated = judge(tmp_path, TaskRows(base), TaskRows(changed(base, 66, 66)), noise=noisy)
    assert repeated.needed_repeats is not None
    assert any("answers per document" in reason for reason in repeated.reasons)


def test_a_noise_run_without_the_task_is_said(tmp_path: Path) -> None:
    again = Run.open(write_run(tmp_path, "again", {"other": TaskRows([1.0])}))
    base = values(GSM8K, 600)
    result = both(tmp_path, {"gsm8k": TaskRows(base)}, {"gsm8k": TaskRows(base)}, noise=again)
    assert any("no noise floor for gsm8k" in note for note in result.notes)


# ── policies ─────────────────────────────────────────────────────────────────


def test_without_a_policy_every_shared_headline_is_judged(tmp_path: Path) -> None:
    base = values(GSM8K, 600)
    rows = {"gsm8k": TaskRows(base), "alone": TaskRows(base)}
    result = both(tmp_path, rows, {"gsm8k": TaskRows(base)})
    assert [task.name for task in result.tasks] == ["gsm8k"]
    assert any("alone is not judged" in note for note in result.notes)
    assert "default policy" in report.as_markdown(result)
    assert "max_drop 0.01" in report.as_markdown(result)


def test_the_headline_is_the_runs_own_word_else_the_usual_one(tmp_path: Path) -> None:
    base = values(GSM8K, 600)
    entry = {"metrics": {"acc,none": {"value": 0.1}, "acc_norm,none": {"value": float(base.mean())}}}
    rows = TaskRows(base, "acc_norm,none", entry=entry)
    assert judge(tmp_path, rows, rows, task="hellaswag").metric == "acc_norm,none"
    said = TaskRows(base, "acc,none", entry={**entry, "headline": "acc,none"})
    assert judge(tmp_path, said, said, task="hellaswag").metric == "acc,none"
    named = {"hellaswag": {"metric": "acc_norm"}}
    assert judge(tmp_path, rows, rows, named, task="hellaswag").metric == "acc_norm,none"


def test_a_group_without_a_figure_stands_for_its_members(tmp_path: Path) -> None:
    base = values(GSM8K, 600)

    def run(name: str) -> Run:
        rows = {"one": TaskRows(base), "two": TaskRows(base)}
        groups = {"suite": {"members": ["one", "two"], "metrics": {}, "n": 2 * GSM8K}}
        return Run.open(write_run(tmp_path, name, rows, requested=["suite"], results={"groups": groups}))

    a, b = run("a"), run("b")
    assert [task.name for task in gate(a, b).tasks] == ["one", "two"]
    with pytest.raises(ConfigError, match="name its members: one, two"):
        gate(a, b, Policy.parse({"tasks": {"suite": {}}}))


def test_a_policy_that_names_what_is_not_there_never_passes(tmp_path: Path) -> None:
    base = TaskRows(values(GSM8K, 600))
    with pytest.raises(UnknownTask, match="did you mean gsm8k"):
        judge(tmp_path, base, base, {"gsm8": {}})
    with pytest.raises(ConfigError, match="has no metric"):
        judge(tmp_path, base, base, {"gsm8k": {"metric": "bleu"}})
    with pytest.raises(UnknownTask, match="mmlu is not in run"):
        both(tmp_path, {"gsm8k": base, "mmlu": base}, {"gsm8k": base}, {"mmlu": {}})
    with pytest.raises(NotComparable, match="share no task"):
        both(tmp_path, {"gsm8k": base}, {"mmlu": base})


def test_a_tolerance_that_nothing_can_exceed_is_refused(tmp_path: Path) -> None:
    base = TaskRows(values(GSM8K, 600))
    with pytest.raises(ConfigError, match="tolerates everything"):
        judge(tmp_path, base, TaskRows(np.zeros(GSM8K)), {"gsm8k": {"max_drop": 1}})


def test_a_difference_that_is_meant_is_noted(tmp_path: Path) -> None:
    base = values(GSM8K, 600)
    shots = TaskRows(base, settings={"num_fewshot": 0}, prompts="zero")
    with pytest.raises(NotComparable):
        judge(tmp_path, TaskRows(base), shots)
    result = both(tmp_path, {"gsm8k": TaskRows(base)}, {"gsm8k": shots}, allow=["shots"])
    assert result.verdict == "pass"
    assert any("differs on purpose: shots" in note for note in result.notes)
    with pytest.raises(UsageError):
        judge(tmp_path, TaskRows(base), shots, allow=["everything"])


# ── never a pass ─────────────────────────────────────────────────────────────


def spoil(folder: Path, how: str) -> None:
    results, manifest = folder / "results.json", folder / "manifest.json"
    content = json.loads(results.read_text())
    figure = content["tasks"]["gsm8k"]["metrics"]["exact_match,strict-match"]
    table = folder / "scores.parquet"
    if how == "nan figure":
        figure["value"] = float("nan")
    elif how == "null figure":
        figure.update(value=None, reason="the engine died")
    elif how == "nan elsewhere":
        content["tasks"]["gsm8k"]["metrics"]["exact_match,flexible-extract"] = {"value": float("nan")}
    elif how == "interrupted":
        manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "finished": None}))
    elif how == "a task gone":
        content["requested"].append("mmlu")
    elif how == "text figure":
        figure["value"] = "0.45"
    elif how == "no metrics":
        content["tasks"]["gsm8k"]["metrics"] = {}
    elif how == "no figure of the metric":
        content["tasks"]["gsm8k"]["metrics"] = {"acc,none": figure}
    elif how == "incomplete":
        content["status"] = "incomplete"
    elif how == "half the rows":
        pq.write_table(pq.read_table(table).slice(0, 700), table)
    elif how == "no rows":
        pq.write_table(pq.read_table(table).slice(0, 0), table)
    elif how == "cut parquet":
        table.write_bytes(table.read_bytes()[:-200])
    elif how == "no parquet":
        table.unlink()
    elif how == "no manifest":
        manifest.unlink()
    elif how == "cut json":
        results.write_text(results.read_text()[:-30])
        return
    elif how == "a list":
        results.write_text("[]")
        return
    elif how == "nan error":
        figure["stderr"] = float("nan")
    elif how == "odd metrics":
        content["tasks"]["gsm8k"]["metrics"] = [1]
    elif how == "odd members":
        content["groups"] = {"gsm8k": {"members": 5, "metrics": {}}}
    elif how == "odd names":
        content["requested"] = 7
    elif how == "odd model":
        manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "model": 5, "adapter": 3}))
    elif how == "no column":
        pq.write_table(pq.read_table(table).drop_columns(["doc_hash"]), table)
    results.write_text(json.dumps(content))


BROKEN = [
    "nan figure", "nan elsewhere", "null figure", "text figure", "no metrics", "no figure of the metric",
    "a task gone", "incomplete", "interrupted", "half the rows", "no rows",
    "cut parquet", "no parquet", "no manifest", "cut json", "a list", "no column",
    "nan error", "odd metrics", "odd members", "odd names", "odd model",
]  # fmt: skip


@pytest.mark.parametrize("how", BROKEN)
@pytest.mark.parametrize("side", ["baseline", "candidate"])
def test_a_broken_run_folder_is_exit_4(tmp_path: Path, how: str, side: str) -> None:
    rows = {"gsm8k": TaskRows(values(GSM8K, 600))}
    folders = {name: write_run(tmp_path, name, rows) for name in ("baseline", "candidate")}
    spoil(folders[side], how)
    with pytest.raises(EvalkitError) as raised:
        gate(Run.open(folders["baseline"]), Run.open(folders["candidate"]))
    assert isinstance(raised.value, RunFolderError)
    assert raised.value.exit_code == 4


def test_figures_that_contradict_their_rows_cannot_pass(tmp_path: Path) -> None:
    base = values(GSM8K, 600)
    honest = TaskRows(base, figure={"value": float(base.mean())})
    other = TaskRows(base, figure={"value": float(base.mean()) - 0.05})
    task = judge(tmp_path, honest, other)
    assert task.verdict == "cannot_tell"
    assert any("results.json reports a change" in reason for reason in task.reasons)
    rounded = TaskRows(base, figure={"value": round(float(base.mean()), 2)})
    assert judge(tmp_path, honest, rounded).verdict == "pass"


def test_optional_keys_may_be_absent(tmp_path: Path) -> None:
    base = values(GSM8K, 600)
    folders = [write_run(tmp_path, name, {"gsm8k": TaskRows(base)}) for name in "ab"]
    for folder in folders:
        table = pq.read_table(folder / "scores.parquet")
        pq.write_table(table.drop_columns(["stratum", "cluster", "flags"]), folder / "scores.parquet")
        (folder / "manifest.json").write_text(json.dumps({"schema": 1, "run_id": folder.name}))
        content = json.loads((folder / "results.json").read_text())
        del content["groups"]
        (folder / "results.json").write_text(json.dumps(content))
    assert gate(*(Run.open(folder) for folder in folders)).verdict == "pass"


def test_a_group_whose_lines_stand_under_its_own_name(tmp_path: Path) -> None:
    base = values(GSM8K, 600)

    def run(name: str) -> Run:
        rows = {"mmlu": TaskRows(base, "acc,none")}
        entry = {"mmlu": {"n": GSM8K, "metrics": {"acc,none": {"value": float(base.mean())}}}}
        folder = write_run(tmp_path, name, rows, results={"groups": entry, "tasks": {}})
        return Run.open(folder)

    assert gate(run("a"), run("b")).tasks[0].n == GSM8K


def test_a_group_that_lists_neither_members_nor_tasks(tmp_path: Path) -> None:
    """Its lines are those whose task is named after it, but for those of another name that was asked for."""
    base = {name: TaskRows(values(GSM8K, 600), "acc,none") for name in ("mmlu_law", "mmlu_art", "mmlu_pro_law")}

    def run(name: str) -> Run:
        figures = {"acc,none": {"value": 600 / GSM8K}}
        groups = {"mmlu": {"metrics": figures}, "mmlu_pro": {"metrics": figures}}
        return Run.open(
            write_run(tmp_path, name, base, requested=list(groups), results={"groups": groups, "tasks": {}})
        )

    assert {task.name: task.n for task in gate(run("a"), run("b")).tasks} == {"mmlu": 2 * GSM8K, "mmlu_pro": GSM8K}


@pytest.mark.parametrize("counted", [GSM8K, GSM8K - 40])
def test_rows_left_out_and_said_to_be_missing_are_bounded(tmp_path: Path, counted: int) -> None:
    """Whether `n` counts the documents without an answer or not."""
    whole = values(GSM8K, 600)
    told = {"n": counted, "missing": 40}
    verdict = judge(tmp_path, TaskRows(whole), TaskRows(whole[:-40], entry=told), {"gsm8k": {"max_drop": 0.02}})
    assert verdict.verdict != "pass"
    assert verdict.missing_candidate == 40


def test_a_limited_run_may_keep_its_limit_to_itself(tmp_path: Path) -> None:
    whole = values(GSM8K, 600)
    few = write_run(
        tmp_path, "few", {"gsm8k": TaskRows(whole[:1000], settings={"prompts_hash": "F"})}, status="limited"
    )
    result = gate(Run.open(write_run(tmp_path, "all", {"gsm8k": TaskRows(whole)})), Run.open(few), allow=["limit"])
    assert (result.verdict, result.tasks[0].n, result.tasks[0].missing_candidate) == ("pass", 1000, 0)
    assert any("limit none against unknown" in note for note in result.notes)


def test_a_run_that_cannot_be_read_is_not_blessed(tmp_path: Path) -> None:
    folder = write_run(tmp_path, "a", {"gsm8k": TaskRows(values(GSM8K, 600))})
    spoil(folder, "cut parquet")
    with pytest.raises(SystemExit) as stopped:
        main(["gate", "--bless", "a", "--output-path", str(tmp_path)])
    assert stopped.value.code == 4
    assert not (tmp_path / "baseline.json").exists()


def test_a_blessed_run_is_the_baseline(tmp_path: Path) -> None:
    base = {"gsm8k": TaskRows(values(GSM8K, 600))}
    a, b = (Run.open(write_run(tmp_path, name, base)) for name in "ab")
    bless(a, tmp_path)
    assert gate(find("@baseline", tmp_path), b).baseline.run_id == "a"
    shutil.rmtree(a.path)
    with pytest.raises(EvalkitError) as raised:
        find("@baseline", tmp_path)
    assert raised.value.exit_code == 2


# ── what is printed ──────────────────────────────────────────────────────────


def several(root: Path) -> GateResult:
    base = values(GSM8K, 600)
    return both(
        root,
        {
            "gsm8k": TaskRows(base),
            "mmlu": TaskRows(base, "acc,none"),
            "humaneval": TaskRows(values(164, 50), "pass@1,x"),
        },
        {
            "gsm8k": TaskRows(changed(base, 99, 33)),
            "mmlu": TaskRows(changed(base, 3, 5), "acc,none"),
            "humaneval": TaskRows(values(164, 50), "pass@1,x"),
        },
        {"gsm8k": {}, "mmlu": {"max_drop": "5%"}, "humaneval": {"tier": "supporting"}},
    )


def test_json_is_what_the_contract_says(tmp_path: Path) -> None:
    found = json.loads(report.as_json(several(tmp_path)))
    assert found["verdict"] == "regression"
    assert {name: task["verdict"] for name, task in found["tasks"].items()} == {
        "gsm8k": "regression", "mmlu": "pass", "humaneval": "cannot_tell",
    }  # fmt: skip
    task = found["tasks"]["gsm8k"]
    needed = {"verdict", "metric", "baseline", "candidate", "delta", "ci95", "p", "p_holm", "n", "flips", "needed_n"}
    assert needed <= set(task)
    assert task["baseline"] == 600 / GSM8K
    assert task["delta"] == task["candidate"] - task["baseline"]
    assert (task["flips"]["lost"], task["flips"]["gained"]) == (99, 33)
    assert found["tasks"]["humaneval"]["needed_n"] == 299
    assert found["tasks"]["mmlu"]["max_drop"] == "5%"
    assert task["lower"]["level"] == pytest.approx(0.95)
    assert task["upper"]["level"] == pytest.approx(0.975)


def test_markdown_leads_with_the_verdict(tmp_path: Path) -> None:
    text = report.as_markdown(several(tmp_path))
    assert text.startswith("## ❌ REGRESSION: gsm8k\n")
    assert "worse by at least" in text
    assert "(97.5%)" in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len(rows) == 5
    assert len({row.replace("\\|", "").count("|") for row in rows}) == 1


def test_junit_has_a_case_for_every_task(tmp_path: Path) -> None:
    suite = ElementTree.fromstring(report.as_junit(several(tmp_path))).find("testsuite")
    assert suite is not None
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors"), suite.get("skipped")) == (
        "3",
        "1",
        "0",
        "1",
    )
    cases = {case.get("name"): [child.tag for child in case] for case in suite}
    assert cases == {"gsm8k": ["failure"], "mmlu": ["system-out"], "humaneval": ["skipped"]}


def test_names_from_outside_break_no_rendering(tmp_path: Path) -> None:
    base = values(GSM8K, 600)
    name = "evil|task\n<script>\x07@everyone`"
    result = both(tmp_path, {name: TaskRows(base)}, {name: TaskRows(changed(base, 99, 33))})
    ElementTree.fromstring(report.as_junit(result))
    text = report.as_markdown(result)
    assert "<script>" not in text
    assert "@everyone" not in text
    assert len([line for line in text.splitlines() if line.startswith("|")]) == 3
    assert json.loads(report.as_json(result))["tasks"][name]["verdict"] == "regression"


@pytest.mark.parametrize("terminal", [True, False])
def test_the_verdict_is_shown_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, terminal: bool
) -> None:
    if terminal:
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("COLUMNS", "200")
    report.show(several(tmp_path))
    shown = capsys.readouterr().out
    assert ("━" in shown or "─" in shown) == terminal
    assert ("| task |" in shown) != terminal
    assert "REGRESSION: gsm8k" in shown.lstrip().split("\n")[0]
    assert "worse by at least" in shown


@pytest.mark.parametrize("columns", [60, 80, 100, 200])
def test_no_figure_is_cut_short_in_a_narrow_window(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", str(columns))
    result = several(tmp_path)
    report.show(result)
    shown = capsys.readouterr().out
    low, high = (f"{end * 100:+.2f}" for end in result.tasks[0].ci95 or ())
    assert all(figure in shown for figure in ("45.49", "40.49", low, high))
    assert f"{low} to {high}" in shown or columns < 80


# ── the verb ─────────────────────────────────────────────────────────────────


def typed(capsys: pytest.CaptureFixture[str], *argv: str | Path) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stop:
        main([str(arg) for arg in argv])
    said = capsys.readouterr()
    return int(stop.value.code or 0), said.out, said.err


def test_exit_codes_of_the_verb(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = values(GSM8K, 600)
    for name, rows in {"base": base, "same": base, "worse": changed(base, 120, 10)}.items():
        write_run(tmp_path, name, {"gsm8k": TaskRows(rows)})
    write_run(tmp_path, "small", {"gsm8k": TaskRows(base[500:700], hashes=[f"gsm8k-{i}" for i in range(500, 700)])})
    write_run(tmp_path, "other", {"mmlu": TaskRows(base)})
    spoil(write_run(tmp_path, "broken", {"gsm8k": TaskRows(base)}), "cut parquet")
    (tmp_path / "bad.yaml").write_text("tasks: {gsm8k: {max_drp: 0.1}}")
    root = ("--output-path", tmp_path)

    code, out, _ = typed(capsys, "gate", "base", "same", *root)
    assert (code, out.startswith("## ✅ PASS")) == (0, True)
    assert typed(capsys, "gate", "base", "worse", *root)[0] == 1
    code, out, _ = typed(capsys, "gate", "small", "base", *root)
    assert code == 3
    assert "needs about" in out
    for wrong, said in (
        (("gate", "base", "nowhere"), "no run nowhere"),
        (("gate", "base", "other"), "share no task"),
        (("gate", "base", "same", "--policy", tmp_path / "bad.yaml"), "did you mean max_drop"),
    ):
        code, out, err = typed(capsys, *wrong, *root)
        assert (code, out) == (2, "")
        assert said in err
        assert "Traceback" not in err
    code, out, err = typed(capsys, "gate", "base", "broken", *root)
    assert (code, out) == (4, "")
    assert "scores.parquet" in err


def test_the_verb_writes_what_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = values(GSM8K, 600)
    write_run(tmp_path, "base", {"gsm8k": TaskRows(base)})
    write_run(tmp_path, "worse", {"gsm8k": TaskRows(changed(base, 120, 10))})
    assert typed(capsys, "gate", "--bless", "base", "--output-path", tmp_path)[0] == 0
    files = {kind: tmp_path / f"out.{kind}" for kind in ("json", "junit", "markdown")}
    flags = [part for kind, path in files.items() for part in (f"--{kind}", path)]
    code, _, _ = typed(capsys, "gate", "@baseline", "worse", *flags, "--output-path", tmp_path)
    assert code == 1
    assert json.loads(files["json"].read_text())["verdict"] == "regression"
    assert ElementTree.fromstring(files["junit"].read_text()).tag == "testsuites"
    assert files["markdown"].read_text().startswith("## ❌ REGRESSION: gsm8k")


# ── how often it errs: 10,000 pairs of runs each ─────────────────────────────


def paired_counts(n: int, lost: float, gained: float, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).multinomial(n, [lost, gained, 1 - lost - gained], RUNS)


def verdict_rates(n: int, counts: np.ndarray, policy: TaskPolicy) -> dict[str, float]:
    """The gate's own decision on every distinct table, counted as often as it came up."""
    tables, times = np.unique(counts[:, :2], axis=0, return_counts=True)
    rates = {"pass": 0.0, "regression": 0.0, "cannot_tell": 0.0}
    for (lost, gained), count in zip(tables, times, strict=True):
        base, other = np.zeros(n), np.zeros(n)
        base[:lost] = 1.0
        other[lost : lost + gained] = 1.0
        (decision,) = decide([of_values("t", base, other, policy)])
        rates[decision.verdict] += count / len(counts)
    return rates


@pytest.mark.parametrize(("n", "discordance"), [(164, 0.05), (164, 0.2), (500, 0.1), (GSM8K, 0.05), (GSM8K, 0.1)])
def test_no_difference_is_a_regression_at_most_as_often_as_said(n: int, discordance: float) -> None:
    counts = paired_counts(n, discordance / 2, discordance / 2, seed=n)
    for tolerance in (0.0, 0.01):
        assert verdict_rates(n, counts, TaskPolicy(max_drop=Drop(tolerance)))["regression"] <= 0.05


@pytest.mark.parametrize(("n", "discordance"), [(164, 0.05), (164, 0.2), (500, 0.1), (GSM8K, 0.05), (GSM8K, 0.1)])
def test_a_drop_of_exactly_the_tolerance_errs_at_most_as_often_as_said(n: int, discordance: float) -> None:
    counts = paired_counts(n, (discordance + 0.01) / 2, (discordance - 0.01) / 2, seed=n + 1)
    rates = verdict_rates(n, counts, TaskPolicy(max_drop=Drop(0.01)))
    assert rates["regression"] <= 0.05
    assert rates["pass"] <= 0.05


def test_a_five_point_drop_on_gsm8k_is_found(  # the fixed rule of 8 points sees it once in a hundred
) -> None:
    counts = paired_counts(GSM8K, 0.075, 0.025, seed=5)
    rates = verdict_rates(GSM8K, counts, TaskPolicy(max_drop=Drop(0.01)))
    assert rates["regression"] >= 0.95
    fixed = np.mean((counts[:, 1] - counts[:, 0]) / GSM8K < -0.08)
    assert fixed < 0.02


@pytest.mark.parametrize(("lost", "gained", "tolerance"), [(0.06, 0.04, 0.0), (0.07, 0.03, 0.01), (0.055, 0.02, 0.01)])
def test_power_is_what_was_predicted(lost: float, gained: float, tolerance: float) -> None:
    counts = paired_counts(GSM8K, lost, gained, seed=7)
    rates = verdict_rates(GSM8K, counts, TaskPolicy(max_drop=Drop(tolerance)))
    predicted = decision_probability(GSM8K, lost, gained, tolerance=tolerance)
    assert rates["regression"] == pytest.approx(predicted, abs=0.02)


@pytest.mark.parametrize(("drop", "tolerance"), [(0.0, 0.01), (0.02, 0.02)])
def test_clustered_pairs_err_at_most_as_often_as_said(drop: float, tolerance: float) -> None:
    rng, clusters, size = np.random.default_rng(11), 80, 8
    labels = np.repeat(np.arange(clusters), size)
    policy = TaskPolicy(max_drop=Drop(tolerance))
    wrong = {"pass": 0, "regression": 0, "cannot_tell": 0}
    for _ in range(RUNS):
        # Whole sources move together: each has its own chance to be lost or gained.
        lost, gained = (rng.beta(p * 2, (1 - p) * 2, clusters) for p in (0.08 + drop, 0.08))
        u = rng.random((clusters, size))
        d = np.where(u < lost[:, None], -1.0, np.where(u > 1 - gained[:, None], 1.0, 0.0)).ravel()
        proof = of_values("t", (d < 0).astype(float), (d > 0).astype(float), policy, clusters=labels)
        bound = proof.best
        assert bound is not None
        wrong["regression"] += bound.upper(0.95) < -tolerance
        wrong["pass"] += bound.lower(0.95) > -tolerance
    assert wrong["regression"] / RUNS <= 0.05
    if drop == tolerance:
        assert wrong["pass"] / RUNS <= 0.05


def test_a_family_errs_at_most_as_often_as_said() -> None:
    """Five tasks, each dropped by exactly what is tolerated: some REGRESSION in at most 5% of gates."""
    policy = TaskPolicy(max_drop=Drop(0.01))
    rng = np.random.default_rng(13)
    gates = 2000
    failed = 0
    for _ in range(gates):
        evidence: list[Evidence] = []
        for k in range(5):
            lost, gained = rng.multinomial(500, [0.04, 0.03, 0.93])[:2]
            base, other = np.zeros(500), np.zeros(500)
            base[:lost], other[lost : lost + gained] = 1.0, 1.0
            evidence.append(of_values(f"t{k}", base, other, policy))
        failed += any(decision.verdict == "regression" for decision in decide(evidence))
    assert failed / gates <= 0.05


def test_a_relative_tolerance_errs_at_most_as_often_as_said() -> None:
    rng, n, share = np.random.default_rng(17), 600, 0.05
    policy = TaskPolicy(max_drop=Drop(share, relative=True))
    wrong = {"pass": 0, "regression": 0, "cannot_tell": 0}
    for _ in range(RUNS // 2):
        base = (rng.random(n) < 0.5).astype(float)
        chance = rng.random(n)
        other = np.where(base == 1, chance >= (0.03 + share * 0.5) / 0.5, chance < 0.03 / 0.5).astype(float)
        bound = of_values("t", base, other, policy).best
        assert bound is not None
        wrong["regression"] += bound.upper(0.95, share) < 0
        wrong["pass"] += bound.lower(0.95, share) > 0
    assert wrong["regression"] / (RUNS // 2) <= 0.05
    assert wrong["pass"] / (RUNS // 2) <= 0.05
