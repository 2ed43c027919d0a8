"""Manifest and figures as typed records: read from files as they lie, checked once, written again as they were."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evalkit.errors import RunFolderError
from evalkit.results import Count, Manifest, Results, Run
from evalkit.results.figures import NOT_STATED

RESULTS: dict[str, Any] = {
    "schema": 1,
    "run_id": "r",
    "model": "nano",
    "requested": ["t"],
    "status": "complete",
    "tasks": {
        "t": {
            "version": 1.0,
            "n": 3,
            "missing": 0,
            "metrics": {
                "acc,none": {"value": 0.5, "stderr": 0.1, "ci95": [0.3, 0.7], "higher_is_better": True},
                "overall,r": {"value": 4.0, "scale": [1, 5], "rubric": {"id": "r", "version": 1}, "new": 3},
            },
            "unfinished": {"value": None, "reason": "not written down"},
            "later": {"entry": 1},
        }
    },
    "groups": {"g": {"members": ["t"], "metrics": {}}},
    "tokens": {"prompt": 3, "computed": {"value": None, "reason": "shared"}},
    "of a later version": [1],
}


def folder(tmp_path: Path, results: Any = None, manifest: Any = None) -> Path:
    path = tmp_path / "m" / "r"
    path.mkdir(parents=True)
    (path / "results.json").write_text(json.dumps(RESULTS if results is None else results))
    (path / "manifest.json").write_text(json.dumps({"model": "m"} if manifest is None else manifest))
    return path


def test_entries_are_attributes_and_unknown_is_none_with_a_reason(tmp_path: Path) -> None:
    run = Run.open(folder(tmp_path))
    task = run.record.results.tasks["t"]
    assert (task.n, task.missing.value, task.unfinished.value) == (3, 0, None)
    assert task.unfinished.reason == "not written down"
    assert task.errors == NOT_STATED
    metric = task.metrics["acc,none"]
    assert (metric.value, metric.stderr, metric.ci95, metric.judged) == (0.5, 0.1, (0.3, 0.7), False)
    assert task.metrics["overall,r"].judged
    assert task.metrics["overall,r"].scale == (1, 5)
    assert run.record.results.groups["g"].all_members == ("t",)
    assert run.entry("g") == run.record.results.groups["g"]
    assert run.entry("none") is None
    assert run.record.results.tokens.computed == Count.unknown("shared")
    assert run.record.manifest.model.typed == "m"


def test_a_record_is_written_as_it_was_read() -> None:
    assert json.loads(json.dumps(Results.model_validate(RESULTS).as_json())) == RESULTS
    manifest = {"schema": 1, "finished": None, "model": {"typed": "m", "more": 1}, "tasks": {"t": {"x": 1}}, "new": {}}
    assert Manifest.model_validate(manifest).as_json() == manifest


def test_a_record_does_not_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Results.model_validate(RESULTS).status = "partial"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("metric", "value", "reason"),
    [
        (0.5, 0.5, None),
        ({"value": "0.5"}, None, "'0.5' is not a number"),
        ({"value": True}, None, "'True' is not a number"),
        ({"value": None, "reason": "why"}, None, "why"),
        ({"value": 10**400}, float("inf"), None),
        (None, None, None),
    ],
)
def test_a_figure_that_is_no_number_is_not_known(metric: Any, value: float | None, reason: str | None) -> None:
    results = Results.model_validate({"tasks": {"t": {"metrics": {"acc,none": metric}}}})
    found = results.tasks["t"].metrics.get("acc,none")
    assert (found.value, found.reason) == (value, reason) if found else metric is None


@pytest.mark.parametrize("odd", ["two", 2.5, 10**400, True, [1], {"value": "x"}, float("nan")])
def test_a_count_that_is_none_is_not_known(odd: Any) -> None:
    task = Results.model_validate({"tasks": {"t": {"n": odd, "errors": odd}}}).tasks["t"]
    assert task.n is None
    assert task.errors.value is None


@pytest.mark.parametrize(
    ("results", "manifest", "message"),
    [
        ({"tasks": 5}, None, "results.json: `tasks` is 5, not an object"),
        ({"tasks": {"t": [1]}}, None, r"results.json: `tasks.t` is \[1\], not an object"),
        ({"tasks": {"t": {"metrics": "x"}}}, None, 'results.json: `tasks.t.metrics` is "x", not an object'),
        ({"groups": {"g": {"members": "x"}}}, None, 'results.json: `groups.g.members` is "x", not a list'),
        ({"requested": "x"}, None, 'results.json: `requested` is "x", not a list'),
        ({}, {"model": 5}, "manifest.json: `model` is 5, not an object or text"),
        ({}, {"adapter": [1]}, r"manifest.json: `adapter` is \[1\], not an object or text"),
    ],
)
def test_what_is_of_another_shape_is_named_with_its_place(
    tmp_path: Path, results: Any, manifest: Any, message: str
) -> None:
    with pytest.raises(RunFolderError, match=message):
        Run.open(folder(tmp_path, results, manifest))
