"""Recipes: flags with a published figure, and how far a run is from it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from evalkit.api.evaluation import with_file
from evalkit.api.recipes import Published, find_recipe, recipes_folder
from evalkit.errors import ConfigError, UsageError
from evalkit.results import Metric

RECIPE = """
model: nano
tasks: [mini_endings]
num-fewshot: 2
source: "a paper"
published:
  mini_endings: {"acc,none": 0.5, "acc_norm,none": {value: 0.4, stderr: 0.01}}
"""


def write(tmp_path: Path, text: str) -> str:
    (tmp_path / "mine.yaml").write_text(text)
    return str(tmp_path / "mine.yaml")


def test_flags_that_are_given_come_before_the_recipes(tmp_path: Path) -> None:
    asked = with_file({"recipe": write(tmp_path, RECIPE), "limit": 5, "num_fewshot": 0})
    assert asked["model"] == "nano"
    assert asked["tasks"] == ["mini_endings"]
    assert (asked["limit"], asked["num_fewshot"]) == (5, 0)
    assert "published" not in asked


def test_a_run_says_how_far_it_is_from_each_figure() -> None:
    metrics = {"acc,none": Metric(value=0.5, stderr=0.03), "f1,none": Metric(value=0.5), "none": Metric(reason="why")}
    run: Any = SimpleNamespace(entry={"qa": SimpleNamespace(metrics=metrics)}.get, status="limited")
    near = Published("qa", "acc,none", 0.51, stderr=0.04).told(run)
    assert "0.5000 here, 0.51 published: -0.0100 (95% -0.1080 to +0.0880, of both): they agree within it" in near
    assert "limited" in near
    far = Published("qa", "acc,none", 0.6).told(run)
    assert "-0.1000 (95% -0.1588 to -0.0412, of this run's documents alone): THEY DIFFER" in far
    metrics["sure,none"] = Metric(value=1.0, stderr=0.0, ci95=(0.84, 1.0))
    sure = Published("qa", "sure,none", 0.9).told(run)
    assert "+0.1000 (95% -0.0600 to +0.1000" in sure
    assert "agree" in sure
    assert "no standard error" in Published("qa", "f1,none", 0.5).told(run)
    assert "has no figure: why" in Published("qa", "none", 0.5).told(run)
    assert "has no figure" in Published("other", "acc,none", 0.5).told(run)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model: nano\n", "source"),
        ("model: nano\nsource: x\n", "published: a mapping"),
        ("source: x\npublished: {a: 0.5}\n", "a number, or value and stderr"),
        ("source: x\npublished: {a: {acc: yes}}\n", "a number, or value and stderr"),
        ("modl: nano\nsource: x\npublished: {a: {acc: 0.5}}\n", "did you mean model"),
    ],
)
def test_whatever_is_wrong_with_a_recipe_is_said(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        with_file({"recipe": write(tmp_path, text)})


def test_shipped_recipes_are_found_by_name_and_sound() -> None:
    folder = recipes_folder()
    assert folder is not None
    for file in folder.glob("*.yaml"):
        recipe = find_recipe(file.stem)
        assert recipe.published
        assert with_file({"recipe": file.stem})["tasks"]
    with pytest.raises(UsageError, match="did you mean pythia-160m"):
        find_recipe("pythia-160")
