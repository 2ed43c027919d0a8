"""What is known about a metric has one home, and everything that asks by name asks there."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from evalkit import metrics
from evalkit.comparison.targets import better_when_higher, headline
from evalkit.metrics import FACTS, MetricFacts, answers_averaged, facts, headline_order, may_be_share
from evalkit.results.record import Metric, TaskResult

PACKAGE = Path(metrics.__file__).parent
# These name the metrics that they compute themselves: a task's own list, or another tool's names.
COMPUTE = ("registry/", "stats/corpus_kinds.py", "checks/", "scoring/", "results/foreign/inspect_figures.py", "synth/")


def test_no_other_file_has_a_list_of_metrics() -> None:
    lists = []
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        if name == "metrics.py" or (name.startswith(COMPUTE) and not name.startswith("registry/lmeval/")):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Tuple | ast.List | ast.Set | ast.Dict):
                parts = node.keys if isinstance(node, ast.Dict) else node.elts
                named = [part.value for part in parts if isinstance(part, ast.Constant) and part.value in FACTS]
                if len(named) > 1 and named != ["mean", "contains"]:
                    lists.append(f"{name}:{node.lineno} {named}")
    assert not lists, "what is known about a metric belongs in evalkit/metrics.py"


def test_a_new_metric_is_one_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Direction, place among headlines and range are read from the entry by those who need them."""
    figures = {"first,none": Metric(value=0.5), "surprise,none": Metric(value=0.5)}
    entry = TaskResult(metrics=figures)
    assert headline(entry) == "first,none"
    assert better_when_higher(Metric(value=0.5), "surprise,none") is True
    monkeypatch.setitem(FACTS, "surprise", MetricFacts(headline=0, lower_is_better=True, may_go_to_100=True))
    assert headline_order()[0] == "surprise"
    assert headline(entry) == "surprise,none"
    assert better_when_higher(Metric(value=0.5), "surprise,none") is False
    assert not may_be_share("surprise,none")


def test_families_share_their_facts() -> None:
    assert facts("pass@7,create_test").unit
    assert facts("inst_level_loose_acc,none").unit
    assert facts("pass@1,create_test").counts_right_answers
    assert not facts("pass@k").unit
    assert facts("unheard_of,none") == MetricFacts()
    assert (answers_averaged("avg@8,none"), answers_averaged("avg@8"), answers_averaged("maj@8,none")) == (8, 8, None)
    assert [may_be_share(name) for name in ("rouge2_max", "bleu_diff", "bleu_acc", "acc,none")] == [
        False,
        False,
        True,
        True,
    ]
    assert FACTS["nll"].lower_is_better
