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
from evalkit.api import data_definitions, definitions
from evalkit.arguments import definition
from evalkit.errors import EvalkitError

VERBS: dict[str, tuple[str, type[Any]]] = {
    "compare": ("compare", definitions.CompareArguments),
    "gate": ("gate", definitions.GateArguments),
    "leaderboard": ("leaderboard", definitions.LeaderboardArguments),
    "report": ("report", definitions.ReportArguments),
    "arena": ("arena", data_definitions.ArenaArguments),
    "overlap": ("overlap", data_definitions.OverlapArguments),
    "synth replay": ("synth_replay", data_definitions.SynthReplayArguments),
}
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
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }
    flags = {
        option.name
        for option in command_of(name).params
        if isinstance(option, click.Option) and not option.hidden and option.name not in ONLY_TYPED
    }
    assert set(keywords) == flags
    for argument in definition(asks):
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
    ("leaderboard", {"include": "limted"}),
    ("report", {"texts": "much"}),
    ("report", {"texts": -1}),
    ("report", {"baseline": "nothing"}),
]


@pytest.mark.parametrize(("name", "wrong"), WRONG, ids=str)
def test_a_wrong_argument_says_the_same_as_the_flag(name: str, wrong: dict[str, Any], tmp_path: Path) -> None:
    from tests.helpers.runfolders import TaskRows, write_run

    for run_id in ("a", "b"):
        write_run(tmp_path, run_id, {"gsm8k": TaskRows([1.0, 0.0] * 20)}, model=run_id)
    runs = ["a", "b"]
    function = getattr(ek, name)
    several = [runs] if name in ("leaderboard", "report") else runs
    with pytest.raises(EvalkitError) as raised:
        function(*several, output_path=tmp_path, **wrong)
    flags = [part for key, value in wrong.items() for part in (f"--{key.replace('_', '-')}", str(value))]
    done = CliRunner().invoke(cli.cli, [name, *runs, "--output-path", str(tmp_path), *flags])
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
