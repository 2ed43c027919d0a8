"""Lists in the docs name all that the code has: a new verb, room, rubric or plug-in group is in them or this fails."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import evalkit
from evalkit.cli import VERBS
from evalkit.comparison.targets import _FILTERS
from evalkit.metrics import headline_order
from evalkit.results.record import Manifest

ROOT = Path(__file__).resolve().parents[2]
GROUPS = re.findall(r"^    (evalkit\.\w+)  ", (ROOT / "evalkit" / "plugins.py").read_text(encoding="utf-8"), re.M)


def page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def section(text: str, title: str) -> str:
    return re.split(r"^## ", text.partition(f"\n## {title}\n")[2], maxsplit=1, flags=re.M)[0]


def test_every_plug_in_group_of_the_code_is_listed() -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "evalkit").rglob("*.py"))
    used = set(re.findall(r'(?:^GROUP = |PluginGroup\(\s*)"(evalkit\.\w+)"', code, re.M))
    assert used == set(GROUPS)
    for name in ("docs/extending.md", "docs/security.md"):
        assert set(re.findall(r"`(evalkit\.\w+)`", page(name))) >= used, name


def test_the_readme_has_a_row_for_every_verb() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", page("README.md").partition("| verb | what it does |")[2], re.M)
    assert set(rows[: len(VERBS)]) == set(VERBS)


def test_the_python_page_has_a_row_for_every_function() -> None:
    table = page("docs/python.md").partition("| function | verb | gives |")[2].partition("\n\n")[0]
    rows = {name for line in table.splitlines() for name in re.findall(r"`(\w+)\(", line.partition(" | ")[0])}
    functions = {name for name in evalkit.__all__ if name.islower() and not name.startswith("__")}
    assert rows == functions


def test_contributing_has_a_row_for_every_room() -> None:
    rooms = {path.stem for path in (ROOT / "evalkit").iterdir() if path.is_dir() or path.suffix == ".py"}
    rooms = {name for name in rooms if not name.startswith("_") and name != "py"}
    table = page("CONTRIBUTING.md").partition("| `errors.py`")
    named = set(re.findall(r"`([\w]+)(?:/|\.py)?`", "| `errors.py`" + table[2].partition("\n## ")[0]))
    assert rooms - named == set()


def test_the_judging_page_names_every_shipped_rubric() -> None:
    shipped = {path.stem.removesuffix("-ko") for path in (ROOT / "judges").glob("*.yaml")}
    listed = section(page("docs/judging.md"), "Rubrics").partition("`--include-path")[0]
    assert shipped == set(re.findall(r"`([a-z][a-z-]+)`", listed))


def test_the_gate_page_has_the_order_of_headlines() -> None:
    order = re.search(r"`headline` in `results.json`(.*?)\n\n", page("docs/gate.md"), re.S)
    assert order is not None
    assert re.findall(r"`([\w@-]+)`", order.group(1)) == [*headline_order(), *_FILTERS]


@pytest.mark.parametrize("name", sorted(Manifest.model_fields))
def test_the_files_page_has_every_entry_of_the_manifest(name: str) -> None:
    if name in ("format", "imported"):
        return  # `schema` on disk; and what an importer says of a foreign run, which is no file
    assert re.search(rf"^\| `{name}(?:\.|`)", section(page("docs/files.md"), "manifest.json"), re.M), name
