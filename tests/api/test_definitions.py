"""One definition of every argument: flags, keyword arguments and their checks agree."""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

import evalkit as ek
from evalkit import cli
from evalkit.api import (
    arena_definitions,
    curve_definitions,
    definitions,
    export_definitions,
    jury_definitions,
    overlap_definitions,
    plan_definitions,
    rate_definitions,
    synth_definitions,
    watch_definitions,
)
from evalkit.arguments import definition
from evalkit.errors import EvalkitError

VERBS: dict[str, tuple[str, type[Any]]] = {
    "compare": ("compare", definitions.CompareArguments),
    "export": ("export", export_definitions.ExportArguments),
    "gate": ("gate", definitions.GateArguments),
    "judge run": ("judge", definitions.JudgeArguments),
    "judge jury": ("jury", jury_definitions.JuryArguments),
    "leaderboard": ("leaderboard", definitions.LeaderboardArguments),
    "report": ("report", definitions.ReportArguments),
    "run": ("evaluate", definitions.EvaluateArguments),
    "score": ("score", definitions.ScoreArguments),
    "curve": ("curve", curve_definitions.CurveArguments),
    "watch": ("watch", watch_definitions.WatchArguments),
    "plan": ("plan", plan_definitions.PlanArguments),
    "arena": ("arena", arena_definitions.ArenaArguments),
    "rate": ("rate", rate_definitions.RateArguments),
    "merge": ("merge", definitions.MergeArguments),
    "overlap": ("overlap", overlap_definitions.OverlapArguments),
    "synth export": ("synth_export", synth_definitions.SynthExportArguments),
    "synth new": ("synth_new", synth_definitions.SynthNewArguments),
    "synth replay": ("synth_replay", synth_definitions.SynthReplayArguments),
    "synth show": ("synth_show", synth_definitions.SynthShowArguments),
}
POSITIONAL = {"run": {"model"}, "synth new": {"seeds", "generator"}}
"""Flags that come first in Python."""
ONLY_PYTHON = {"tokenizer", "replay"}
"""What has no flag: a tokenizer goes with a model in memory, and `evalkit judge replay` is a verb."""
ONLY_TYPED = {"debug", "help"}
"""Flags that mean nothing in Python."""


def command_of(name: str) -> click.Command:
    verb, _, inner = name.partition(" ")
    command: click.Command = importlib.import_module(f"evalkit.cli.{verb}").command
    if inner:
        assert isinstance(command, click.Group)
        return command.commands[inner]
    return command


@pytest.mark.parametrize("name", VERBS)
def test_flags_and_keyword_arguments_are_the_same(name: str) -> None:
    verb, asks = VERBS[name]
    function = getattr(ek, verb)
    keywords = {
        parameter.name: parameter.default
        for parameter in inspect.signature(function).parameters.values()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY or parameter.name in POSITIONAL.get(name, ())
    }
    flags = {
        option.name
        for option in command_of(name).params
        if isinstance(option, click.Option) and not option.hidden and option.name not in ONLY_TYPED
    }
    if "quiet" in flags:  # on a terminal progress is shown unless one is quiet, in Python the other way round
        flags = flags - {"quiet"} | {"progress"}
        assert keywords["progress"] is False
    assert set(keywords) - ONLY_PYTHON == flags
    for argument in definition(asks):
        # None stands for the definition's own default.
        if keywords.get(argument.name) not in (None, ()):
            assert str(keywords[argument.name]) == str(argument.default), argument.name


@pytest.mark.parametrize("name", VERBS)
def test_every_flag_is_spelt_as_its_keyword(name: str) -> None:
    for option in command_of(name).params:
        if isinstance(option, click.Option):
            assert f"--{str(option.name).rstrip('_').replace('_', '-')}" in option.opts


WRONG = [
    ("compare", {"show_flips": -1}),
    ("compare", {"show_flips": "many"}),
    ("compare", {"allow": "everything"}),
    ("gate", {"allow": "everything"}),
    ("gate", {"policy": "nowhere.yaml"}),
    ("gate", {"noise": "nothing"}),
    ("curve", {"x": "steps"}),
    ("curve", {"tolerance": "some"}),
    ("curve", {"points": "nowhere.csv"}),
    ("curve", {"baseline": "nothing"}),
    ("curve", {"allow": "everything"}),
    ("export", {"to": "wand"}),
    ("export", {"to": "hf", "step": "some"}),
    ("export", {"to": "eee", "export_args": "organisation=x"}),
    ("export", {"to": "lm-eval", "against": "nothing"}),
    ("export", {"to": "lm-eval", "policy": "gate.yaml"}),
    ("export", {"to": "lm-eval", "push": True}),
    ("leaderboard", {"include": "limted"}),
    ("run", {"log_to": "hf"}),
    ("run", {"log_to": "mlfow"}),
    ("report", {"texts": "much"}),
    ("report", {"texts": -1}),
    ("report", {"baseline": "nothing"}),
    ("run", {"num_fewshot": "many"}),
    ("run", {"num_fewshot": -1}),
    ("run", {"limit": 1.5}),
    ("run", {"limit": 0}),
    ("run", {"engine": "vlm"}),
    ("run", {"seed": "1,2"}),
    ("run", {"model_args": "dtype"}),
    ("run", {"batch_size": "some"}),
    ("run", {"sandbox": "landlok"}),
    ("run", {"tasks": "mmul"}),
    ("run", {"name": "a/b"}),
    ("run", {"max_usd": 3}),
    ("run", {"max_usd": "much"}),
    ("run", {"judge": "openai:x"}),
    ("run", {"judge": "openai", "rubric": "pairwise"}),
    ("run", {"judge": "openai:x", "rubric": "parwise"}),
    ("run", {"policy": "gate.yaml"}),
    ("run", {"against": "nothing"}),
    ("run", {"config": "nowhere.yaml"}),
    ("run", {"data_dir": __file__}),
    ("score", {"num_fewshot": "many"}),
    ("score", {"limit": "1.5"}),
    ("judge jury", {"judges": "a,b", "rubric": "pairwise"}),
    ("judge jury", {"judges": "a,b", "rubric": "parwise", "labels": "labels.jsonl"}),
    ("judge jury", {"judges": "a,b", "rubric": "pairwise", "labels": "nowhere.jsonl"}),
    ("judge run", {"judge": "openai:x"}),
    ("judge run", {"rubric": "pairwise"}),
    ("judge run", {"judge": "openai:x", "rubric": "parwise"}),
    ("judge run", {"judge": "x", "rubric": "pairwise"}),
    ("judge run", {"judge": "openai:x", "rubric": "pairwise", "limit": 0}),
    ("judge run", {"judge": "openai:x", "rubric": "pairwise", "input": "a=b"}),
]


@pytest.mark.parametrize(("name", "wrong"), WRONG, ids=str)
def test_a_wrong_argument_says_the_same_as_the_flag(name: str, wrong: dict[str, Any], tmp_path: Path) -> None:
    from tests.helpers.runfolders import TaskRows, write_run

    for run_id in ("a", "b"):
        write_run(tmp_path, run_id, {"gsm8k": TaskRows([1.0, 0.0] * 20)}, model=run_id)
    several = {
        "export": ["a"],
        "compare": ["a", "b"],
        "gate": ["a", "b"],
        "judge jury": ["a"],
        "judge run": ["a"],
        "score": ["a"],
        "run": [],
    }
    typed = several.get(name, ["a", "b"])
    wanted = {"model": "nano", "tasks": "mini_arithmetic"} if name == "run" else {}
    asked = {**wanted, **wrong, "output_path": tmp_path}
    with pytest.raises(EvalkitError) as raised:
        getattr(ek, VERBS[name][0])(*(typed if name in several else [typed]), **asked)
    flags = [f"--{key.replace('_', '-')}" for key, value in asked.items() if value is True]
    typed_values = {key: value for key, value in asked.items() if value is not True}
    flags += [part for key, value in typed_values.items() for part in (f"--{key.replace('_', '-')}", str(value))]
    done = CliRunner().invoke(cli.cli, [*name.split(), *typed, *flags])
    assert isinstance(done.exception, EvalkitError)
    assert str(done.exception) == str(raised.value)
    assert done.exception.exit_code == raised.value.exit_code == 2


def test_no_submodule_hides_a_public_function() -> None:
    probe = (
        "import importlib, pkgutil, evalkit as ek\n"
        "first = {name: getattr(ek, name) for name in ek.__all__}\n"
        "skip = ('evalkit.__main__', 'evalkit.engines.', 'evalkit.sandbox.inside', 'evalkit.scoring.')\n"
        "for found in pkgutil.walk_packages(ek.__path__, 'evalkit.', onerror=lambda name: None):\n"
        "    if not found.name.startswith(skip):\n"
        "        importlib.import_module(found.name)\n"
        "for name, value in first.items():\n"
        "    assert getattr(ek, name) is value, name\n"
        "    assert callable(value) or name == '__version__', name\n"
        "assert 'gate' in dir(ek)\n"
        "for name in ('compare', 'gate', 'load', 'leaderboard', 'report'):\n"
        "    for _ in range(2):\n"
        "        try: getattr(ek, name)('nothing-of-that-name', output_path='nowhere')\n"
        "        except ek.errors.EvalkitError: pass\n"
        "        else: raise AssertionError(name)\n"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_importing_evalkit_loads_nothing_else() -> None:
    probe = (
        "import sys, evalkit\n"
        "print(sorted(name for name in sys.modules if name.partition('.')[0] in"
        " ('numpy', 'pandas', 'pydantic', 'click', 'rich', 'torch', 'datasets', 'pyarrow', 'scipy')))\n"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="evaluat"):
        ek.evaluat  # noqa: B018


@pytest.mark.parametrize("typed", ["2.5", 2.5])
def test_a_limit_in_dollars_reaches_the_engine_as_a_number(typed: Any) -> None:
    from evalkit.api.evaluation import _checked

    asked = {"model": "m", "tasks": "mini", "engine": "openai", "model_args": "price=1/2", "max_usd": typed}
    assert _checked(asked).model_args == {"price": "1/2", "max_usd": 2.5}
    with pytest.raises(EvalkitError, match="max-usd"):
        _checked({**asked, "max_usd": "much"})
    with pytest.raises(EvalkitError, match="costs nothing"):
        _checked({**asked, "engine": "hf"})
