"""The files of a real run are as docs/files.md says."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from evalkit import results
from evalkit.results import Run, bless, find
from tests.helpers import warm

DOCS = (Path(__file__).parents[2] / "docs" / "files.md").read_text("utf-8")

TYPES: dict[str, tuple[type, ...]] = {
    "text": (str,),
    "integer": (int,),
    "number": (int, float),
    "list": (list,),
    "object": (dict,),
    "true or false": (bool,),
    "null": (type(None),),
    "any": (object,),
}


def documented(section: str) -> dict[str, tuple[str, bool]]:
    """Of a section's table: each entry's type, and whether it is optional."""
    body = DOCS.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in body.splitlines() if line.startswith("| `")]
    return {name.strip("`"): (kind.removesuffix(", optional"), kind.endswith(", optional")) for name, kind, *_ in cells}


def fits(value: Any, kind: str) -> bool:
    allowed = {found for name, found in TYPES.items() if name in kind for found in found}
    return isinstance(value, tuple(allowed)) and (not isinstance(value, bool) or bool in allowed or object in allowed)


def entries(value: Any, table: dict[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """The entries of an object under their names in the table. Where it says "object", the inside is open."""
    for key, item in value.items():
        inside = [f"{path}.{name}" if path else name for name in (key, "*")]
        here = next(
            (name for name in inside if any(known == name or known.startswith(f"{name}.") for known in table)), None
        )
        if here is not None and here not in table and isinstance(item, dict):
            yield from entries(item, table, here)
        else:
            yield here or inside[0], item


def disagreements(content: dict[str, Any], section: str, ignore: set[str] | None = None) -> list[str]:
    table = documented(section)
    found = [(name, value) for name, value in entries(content, table) if name not in (ignore or set())]
    problems = [f"{name} is not documented" for name, _ in found if name not in table]
    problems += [
        f"{name}: {value!r} is not {table[name][0]}"
        for name, value in found
        if name in table and not fits(value, table[name][0])
    ]
    here = {name for name, _ in found}
    for name, (_, optional) in table.items():
        # What belongs to each of many is asked for where there is one.
        parent = name.rpartition("*.")[0]
        if not optional and name not in here and (not parent or any(other.startswith(parent) for other in here)):
            problems.append(f"{name} is not there")
    return problems


@pytest.fixture(scope="module")
def real_run(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One run of the command line, on tasks of every kind that come with evalkit."""
    root = tmp_path_factory.mktemp("real")
    command = ["run", "--model", str(tiny_model), "--engine", "hf", "--tasks", "mini", "--limit", "2", "--name", "r1"]
    done = warm.run(*command, "--output-path", str(root))
    assert done.returncode == 0, done.stderr
    return find("r1", root)


@pytest.mark.parametrize("name", ["manifest.json", "results.json"])
def test_the_files_of_a_real_run_are_as_documented(real_run: Run, name: str) -> None:
    assert disagreements(json.loads((real_run.path / name).read_text("utf-8")), name) == []


def test_the_rows_of_a_real_run_are_as_documented(real_run: Run) -> None:
    for task in real_run.record.results.tasks:
        for line in real_run.rows(task):
            assert disagreements(line, r"samples/\<task\>.jsonl", ignore=set(line["metrics"])) == []


def test_the_score_table_is_as_documented(real_run: Run) -> None:
    written = pq.read_schema(real_run.path / "scores.parquet")
    aliases = {"double": "float64", "list<element: double>": "list<float64>", "list<item: double>": "list<float64>"}
    found = {field.name: aliases.get(str(field.type), str(field.type)) for field in written}
    assert found == {name: kind for name, (kind, _) in documented("scores.parquet").items()} == results.COLUMNS


def test_the_baseline_is_as_documented(real_run: Run, tmp_path: Path) -> None:
    assert disagreements(json.loads(bless(real_run, tmp_path).read_text()), "baseline.json") == []


def test_the_journal_is_as_documented(real_run: Run) -> None:
    connection = sqlite3.connect(real_run.path.parent.parent / ".journal" / "answers.db")
    names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    found = {
        name: ", ".join(f"`{column[1]}`" for column in connection.execute(f"PRAGMA table_info({name})"))
        for name in names
    }
    connection.close()
    assert found == {name: columns for name, (columns, _) in documented(".journal/").items()}


def test_the_check_of_the_documents_can_fail(real_run: Run) -> None:
    content = json.loads((real_run.path / "results.json").read_text("utf-8"))
    content["news"] = 1
    content["tasks"]["mini_code"]["n"] = "two"
    del content["timing"]["load"]
    assert sorted(disagreements(content, "results.json")) == [
        "news is not documented",
        "tasks.*.n: 'two' is not integer",
        "timing.load is not there",
    ]
