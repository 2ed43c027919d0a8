"""Reads pairwise games from a JSONL file, plain or gzipped."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from evalkit.errors import UsageError, nearest
from evalkit.regularfile import open_regular_file, read_lines_of
from evalkit.types import JsonObject

__all__ = ["Game", "Winner", "read_games"]

Winner = Literal["model_a", "model_b", "tie"]
_WINNERS: dict[str, Winner] = {
    "model_a": "model_a",
    "model_b": "model_b",
    "tie": "tie",
    "tie (bothbad)": "tie",
}
_SHOWN = 5
_LONGEST_NAME = 1000


@dataclass(frozen=True, slots=True)
class Game:
    """The result of two models' answers to one question."""

    question: str
    """Games on the same question are not independent, so they are resampled together."""
    model_a: str
    model_b: str
    winner: Winner
    weight: float = 1.0
    lengths: tuple[float, float] | None = None
    """Of the two answers, in characters or tokens."""


def read_games(path: Path | str) -> list[Game]:
    """Read rows with `question_id`, `model_a`, `model_b`, `winner` and maybe `weight`, `length_a` and `length_b`."""
    file = Path(path)
    games: list[Game] = []
    problems: list[str] = []
    for number, line in enumerate(_lines(file), 1):
        if not line.strip():
            continue
        try:
            games.append(_game(json.loads(line), number))
        except (ValueError, RecursionError) as error:
            problems.append(f"{file}:{number}: {error}")
            if len(problems) >= _SHOWN:
                break
    if problems:
        raise UsageError("; ".join(problems))
    if not games:
        raise UsageError(f"{file} holds no game: a line is wanted for each, with model_a, model_b and winner")
    return games


def _lines(file: Path) -> Iterator[bytes]:
    try:
        with open_regular_file(file) as stored:
            packed = gzip.GzipFile(fileobj=stored) if file.suffix == ".gz" else None
            yield from read_lines_of(packed or stored, f"--games {file}")  # type: ignore[arg-type]
    except FileNotFoundError:
        raise UsageError(f"--games {file}: there is no such file") from None
    except (OSError, EOFError, zlib.error) as error:
        why = getattr(error, "strerror", None) or error
        raise UsageError(f"--games {file}: cannot be read ({why})") from None


def _game(row: Any, number: int) -> Game:
    if not isinstance(row, dict):
        raise ValueError(f"a game is an object, this is {type(row).__name__}")
    for name in ("model_a", "model_b", "winner"):
        if not isinstance(row.get(name), str) or not row[name]:
            raise ValueError(f"`{name}` is missing{nearest(name, [str(key) for key in row])}")
        if len(row[name]) > _LONGEST_NAME:
            raise ValueError(f"`{name}` has {len(row[name]):,} letters, which no name has")
    if row["winner"] not in _WINNERS:
        raise ValueError(f"winner {row['winner']!r}: model_a, model_b or tie is wanted")
    weight = row.get("weight", 1.0)
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 < weight < 1e300:
        raise ValueError(f"weight {weight!r}: a number above 0 is wanted")
    # A game without a question is resampled by itself.
    question = row.get("question_id")
    if isinstance(question, dict | list):
        raise ValueError("question_id is not text or a number")
    return Game(
        str(number) if question is None else f"q{question}",
        row["model_a"],
        row["model_b"],
        _WINNERS[row["winner"]],
        float(weight),
        _lengths(row),
    )


def _lengths(row: JsonObject) -> tuple[float, float] | None:
    """`length_a` and `length_b`, where both are numbers."""
    lengths = [row.get(name) for name in ("length_a", "length_b")]
    if any(isinstance(n, bool) or not isinstance(n, int | float) or not 0 <= n < 1e300 for n in lengths):
        return None
    return float(lengths[0] or 0), float(lengths[1] or 0)
