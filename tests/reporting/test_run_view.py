"""Which rows a run's table has."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evalkit.reporting.run_view import lines, report
from evalkit.results import Results, RunWriter
from tests.helpers.runfolders import commit

FIGURE = {"acc,none": {"value": 0.5, "higher_is_better": True}}


def results(groups: Mapping[str, list[str]], *requested: str) -> Results:
    leaves = {name for members in groups.values() for name in members if name not in groups}
    content: dict[str, Any] = {
        "model": "m",
        "requested": list(requested),
        "tasks": {name: {"n": 10, "metrics": FIGURE} for name in sorted(leaves)},
        "groups": {name: {"n": 10, "metrics": FIGURE, "members": members} for name, members in groups.items()},
    }
    return Results.model_validate(content)


def shown(found: Results, *, members: bool) -> list[str]:
    return [line.name for line in lines(found, members=members)]


def test_subjects_of_one_group_are_not_unfolded_beside_those_of_others() -> None:
    """MMLU's social sciences are 12 subjects, the others are more."""
    few, many = [f"social_{i}" for i in range(12)], [f"stem_{i}" for i in range(19)]
    found = results({"mmlu": ["social", "stem"], "social": few, "stem": many}, "mmlu")
    assert shown(found, members=False) == ["mmlu", "social", "stem"]
    assert len(shown(found, members=True)) == 34


def test_two_groups_asked_for_are_treated_alike() -> None:
    found = results({"small": ["a", "b"], "large": [f"c{i}" for i in range(20)]}, "small", "large")
    assert shown(found, members=False) == ["small", "large"]


def test_few_members_are_listed() -> None:
    found = results({"small": ["a", "b"], "other": ["c"]}, "small", "other")
    assert shown(found, members=False) == ["small", "a", "b", "other", "c"]


def test_report_md_says_whether_a_chat_template_was_applied(tmp_path: Path) -> None:
    for applied, words in ((True, "chat template: applied"), (False, "chat template: none")):
        manifest = {
            "model": {"typed": "m", "fingerprint": "f"},
            "chat_template": {"applied": applied},
            "tasks": {},
        }
        with RunWriter(tmp_path, "m", f"r{applied}") as writer:
            run = commit(writer, manifest, {"status": "complete", "requested": [], "tasks": {}}, report)
        assert f"- {words}\n" in (run.path / "report.md").read_text()
