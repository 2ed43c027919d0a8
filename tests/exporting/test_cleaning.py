"""Keys and local paths are removed, and nothing else is."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.errors import CouldNotDo
from evalkit.exporting.cleaning import Cleaner, file_name


@pytest.mark.parametrize(
    ("given_", "clean"),
    [
        ("./my-finetune", "my-finetune"),
        ("../secret/x.csv", "x.csv"),
        ("/home/jiwoo kim/model", "model"),
        ("~/models/x", "x"),
        (r"C:\Users\jiwoo\model", "model"),
        ("alpaca:/data/ko.jsonl", "alpaca:ko.jsonl"),
        ("tokenizer=/x/tok,dtype=float32", "tokenizer=tok,dtype=float32"),
        ("read from /data/a/b, and more", "read from b, and more"),
        ("file:///data/a/b", "b"),
        ("mistralai/Mistral-7B", "mistralai/Mistral-7B"),
        ("openai:gpt@https://host/v1", "openai:gpt@https://host/v1"),
        ("exact_match,strict-match", "exact_match,strict-match"),
        ("3 / 4 of them", "3 / 4 of them"),
        ("mmlu/acc", "mmlu/acc"),
    ],
)
def test_a_path_in_a_setting_becomes_its_last_part(given_: str, clean: str) -> None:
    assert Cleaner().name(given_) == clean


def test_only_this_machines_folders_are_replaced_in_documents(tmp_path: Path) -> None:
    cleaner = Cleaner([tmp_path / "models" / "x"])
    said = "Write to /tmp/out, /etc/passwd and https://example.org/a/b."
    assert cleaner.text(said) == said
    assert cleaner.text(f"see {tmp_path}/models/x/config.json") == "see config.json"
    assert cleaner.text(f"in {tmp_path}/models/x.") == "in [path]."
    assert cleaner.text(f"{tmp_path}/models/x-2") == f"{tmp_path}/models/x-2"


def test_two_names_that_become_one_are_refused() -> None:
    with pytest.raises(CouldNotDo, match=r"two entries are called qa\.csv"):
        Cleaner().settings({"/a/qa.csv": 1, "/b/qa.csv": 2})


@given(st.recursive(st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(), st.lists))
def test_any_value_keeps_its_shape(value: object) -> None:
    def shape(item: object) -> object:
        return [shape(inner) for inner in item] if isinstance(item, list) else type(item)

    assert shape(Cleaner().settings(value)) == shape(value)
    assert shape(Cleaner().row(value)) == shape(value)


@pytest.mark.parametrize("name", ["", ".", "..", "...", " . ", "x" * 999, "자" * 200, "a\nb", "a\x1b[0m", "b\ud800"])
def test_a_file_name_is_one_part_of_a_path_here(name: str) -> None:
    made = file_name(name)
    assert made.strip(". ")
    assert made.isprintable()
    assert len(made.encode()) <= 150
    assert file_name("my-model+ko") == "my-model+ko"
