"""A folder with good and bad task files: each is judged by itself, and an error names what was asked for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from evalkit.cli import cli
from evalkit.errors import ConfigError, UnknownTask
from evalkit.registry import Registry, validate_path

GOOD = """task: {name}
dataset_path: json
dataset_kwargs: {{data_files: {{test: rows.jsonl}}}}
test_split: test
output_type: generate_until
doc_to_text: "{{{{{field}}}}}"
doc_to_target: "{{{{answer}}}}"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "rows.jsonl").write_text(json.dumps({"question": "a", "answer": "b"}) + "\n")
    (tmp_path / "a_bad.yaml").write_text("task: bad\ndoc_to_txt: x\n")
    (tmp_path / "b_good.yaml").write_text(GOOD.format(name="good", field="question"))
    (tmp_path / "c_typo.yaml").write_text(GOOD.format(name="typo", field="qestion"))
    (tmp_path / "d_broken.yaml").write_text("task: broken\n  x: y\n")
    return tmp_path


def test_a_folder_is_validated_to_its_end(folder: Path) -> None:
    found = validate_path(folder)
    assert [shown.task for shown in found.tasks] == ["good"]
    text = "\n".join(found.faults)
    assert "a_bad.yaml:2: unknown key" in text
    assert "d_broken.yaml:2: not valid YAML" in text
    assert "c_typo.yaml:6: task typo cannot be built" in text
    assert len(found.faults) == 3
    done = CliRunner().invoke(cli, ["tasks", "validate", str(folder)])
    assert isinstance(done.exception, ConfigError) or done.exit_code == 2
    assert "good: 1 documents" in done.output


def test_a_misspelt_field_names_its_line_and_the_fields_there_are(folder: Path) -> None:
    message = r"c_typo\.yaml:6: .*'qestion' is undefined: the document has question, answer; did you mean question\?"
    with pytest.raises(ConfigError, match=message):
        validate_path(folder / "c_typo.yaml")


def test_a_run_is_not_stopped_by_another_file(folder: Path) -> None:
    suite = Registry([folder]).load(["good"])
    assert list(suite.tasks) == ["good"]
    assert any("a_bad.yaml:2: unknown key" in note and "left out" in note for note in suite.notes)


def test_a_task_in_a_broken_file_names_that_files_error(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"d_broken\.yaml:2: not valid YAML"):
        Registry([folder]).load(["broken"])
    with pytest.raises(ConfigError, match=r"a_bad\.yaml:2: unknown key"):
        Registry([folder]).load(["bad"])
    with pytest.raises(UnknownTask, match="godo"):
        Registry([folder]).load(["godo"])


def test_a_file_that_was_refused_once_is_refused_behind_every_include(folder: Path) -> None:
    (folder / "tools.py").write_text(f"open({str(folder / 'ran')!r}, 'w')\ndef run(docs):\n    return docs\n")
    (folder / "other.txt").write_text("process_docs: !function tools.run\n")
    for name in ("one", "two"):
        (folder / f"{name}.yaml").write_text(GOOD.format(name=name, field="question") + "include: other.txt\n")
    for name in ("one", "two"):
        with pytest.raises(ConfigError, match=r"other\.txt:1: `!function tools\.run` runs"):
            Registry([folder]).load([name])
    with pytest.raises(ConfigError, match=r"other\.txt:1: `!function"):
        Registry([folder]).load([str(folder / "two.yaml")])
    assert not (folder / "ran").exists()
