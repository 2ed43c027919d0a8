"""What names become on disk: letters of any script stay, and whatever else is typed becomes one harmless name."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import pytest

from evalkit.errors import UsageError
from evalkit.results import Run, RunWriter, check_name, find, member_id, model_slug, slug
from evalkit.results.names import older_slug
from evalkit.types import Row
from tests.helpers.runfolders import commit


@pytest.mark.parametrize("name", ["한국어-모델", "첫번째", "日本語", "हिन्दी", "Ünïcode", "модель_7.b+ko", "٣"])
def test_letters_and_digits_of_any_script_stay(name: str) -> None:
    assert slug(name) == check_name(name) == name
    decomposed = unicodedata.normalize("NFD", name)
    assert slug(decomposed) == check_name(decomposed) == unicodedata.normalize("NFC", name)


@pytest.mark.parametrize(
    "name", ["가" * 70, "x" * 101, "-x", ".x", "가/나", "가 나", "a\u202eb", "a\u200bb", "\ud800", ""]
)
def test_other_names_are_refused_and_become_a_slug_with_a_hash(name: str) -> None:
    with pytest.raises(UsageError, match="--name"):
        check_name(name)
    made = slug(name)
    assert made != name
    assert check_name(made) == made
    assert len(made) <= 100
    assert len(made.encode()) <= 200


def test_a_path_keeps_its_words() -> None:
    assert slug("/home/나/모델").startswith("home-나-모델-")
    assert model_slug("한국어", "요약") == "한국어+요약"
    assert member_id("첫번째", "/tmp/models/요약") == "첫번째+요약"
    assert member_id("X", "org/name") == "X+name"


def test_folders_that_an_older_evalkit_named_are_found(tmp_path: Path) -> None:
    typed, task = "한국어-모델", "한국어/과제"
    row = Row(task, 0, "d", "p", "none", {"doc_id": 0}, {"acc": 1.0})
    with RunWriter(tmp_path, older_slug(typed), "r1") as writer:
        writer.rows(task, [row])
        made = commit(
            writer,
            {"created": "2026-01-01T00:00:00Z", "finished": "2026-01-01T01:00:00Z", "model": {"typed": typed}},
            {"status": "complete", "requested": [task], "tasks": {task: {"n": 1, "metrics": {"acc,none": 1.0}}}},
        )
    (made.path / "samples" / f"{slug(task)}.jsonl").rename(made.path / "samples" / f"{older_slug(task)}.jsonl")
    (made.path / "judgments").mkdir()
    lines = made.path / "judgments" / f"{older_slug('기준')}@{older_slug('판사')}.jsonl"
    lines.write_text(json.dumps({"item": "1"}) + "\n")
    assert model_slug(typed) != made.path.parent.name
    for ref in ("r1", f"{typed}@latest", f"{made.path.parent.name}/r1"):
        run = find(ref, tmp_path)
        assert run.path == made.path
        assert [row["doc_id"] for row in run.rows(task)] == [0]
        assert list(run.judgments("기준@판사")) == [{"item": "1"}]
    assert isinstance(run, Run)
