"""Files that others made: pipes, devices, endless lines and odd numbers end in one line, whoever reads them."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evalkit import regularfile
from evalkit.detectors.answers import read_answers, read_labels
from evalkit.errors import EvalkitError
from evalkit.models.files import read_json
from evalkit.models.header import read_header
from evalkit.ranking.arena import read_games
from evalkit.registry.instructions import read_instructions
from evalkit.registry.plainrows import read_jsonl
from evalkit.registry.squadfile import read_squad
from evalkit.results.recorded_rows import read_rows
from evalkit.synth.overlap import read_texts
from evalkit.synth.recorded import read_seeds

READERS: dict[str, Callable[[Path], Any]] = {
    "arena": read_games,
    "overlap": lambda path: list(read_texts(path)),
    "synth": read_seeds,
    "rate": lambda path: list(read_answers(path)),
    "rate --labels": lambda path: list(read_labels(path)),
    "score": lambda path: list(read_rows(path, "t")),
    "alpaca:": read_instructions,
    "own task": read_jsonl,
    "squad:": read_squad,
    "config.json": read_json,
    "safetensors": read_header,
}
BY_LINE = ("arena", "overlap", "rate", "score")


@pytest.mark.timeout(20)
@pytest.mark.parametrize("reader", READERS)
def test_a_pipe_is_refused_without_waiting_for_a_writer(reader: str, tmp_path: Path) -> None:
    pipe = tmp_path / "rows.jsonl"
    os.mkfifo(pipe)
    with pytest.raises(EvalkitError, match="a pipe or a device, not a file"):
        READERS[reader](pipe)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("reader", BY_LINE)
def test_a_line_without_end_does_not_fill_the_memory(reader: str, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    with path.open("wb") as file:
        file.truncate((64 << 20) + 2)  # a hole: it takes no room
    with pytest.raises(EvalkitError, match="line 1 is longer than 64 MiB"):
        READERS[reader](path)


def test_a_large_file_is_refused_before_it_is_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "rows"
    path.write_bytes(b"x" * 4_000_000)
    with pytest.raises(OSError, match="larger than 3 MiB"):
        regularfile.read_regular_file(path, 3 << 20)
    assert len(regularfile.read_regular_file(path, 4 << 20)) == 4_000_000


GAME = {"question_id": "q", "model_a": "a", "model_b": "b", "winner": "model_a"}


@pytest.mark.parametrize(
    ("odd", "said"),
    [
        ({"weight": 10**400}, "weight"),
        ({"weight": float("nan")}, "weight nan"),
        ({"model_b": "x" * 2000}, "2,000 letters"),
        ({"question_id": {"a": []}}, "question_id"),
    ],
    ids=["large", "nan", "name", "question"],
)
def test_odd_games_are_named_by_line(odd: dict[str, Any], said: str, tmp_path: Path) -> None:
    path = tmp_path / "games.jsonl"
    path.write_text("".join(json.dumps(game) + "\n" for game in (GAME, {**GAME, **odd})))
    with pytest.raises(EvalkitError, match=rf"games\.jsonl:2: .*{said}"):
        read_games(path)


def test_damaged_gzip_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "games.jsonl.gz"
    content = bytearray(gzip.compress((json.dumps(GAME) + "\n").encode() * 1000))
    content[12] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(EvalkitError, match="cannot be read"):
        read_games(path)
