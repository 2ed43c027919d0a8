"""Recorded games become ratings: equal to the published ones, and broken rows are named by line."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from evalkit.errors import UsageError
from evalkit.ranking.arena import Game, rate_games, read_games
from tests.helpers.judged import ROOT


def write(path: Path, rows: list[Any]) -> Path:
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


def game(winner: str = "model_a", **more: Any) -> dict[str, Any]:
    return {"question_id": "1", "model_a": "A", "model_b": "B", "winner": winner, **more}


def test_recorded_games_give_the_published_ratings() -> None:
    folder = ROOT.parent / "shared" / "arena"
    if not folder.is_dir():
        pytest.skip(f"no recorded games: {folder} is not a folder")
    expected = json.loads((folder / "expected.json").read_text())
    arena = rate_games(read_games(folder / "arena-hard-local.jsonl.gz"), expected["baseline"], rounds=200)
    assert arena.anchor == expected["baseline"]
    assert {standing.model for standing in arena.standings} == set(expected["models"])
    for standing in arena.standings:
        there = expected["models"][standing.model]
        assert standing.rating == pytest.approx(there["maximum_likelihood"], abs=0.01)
        assert standing.rating == pytest.approx(there["stored_bootstrap_median"], abs=2)
        assert standing.win_rate == pytest.approx(there["win_rate_against_baseline"] / 100, abs=5e-5)
        assert standing.games == there["games"]
        assert standing.ci95 is not None
        low, high = there["stored_bootstrap_95"]
        # Theirs resamples rows, of which a decisive verdict has three; ours resamples questions and is wider.
        if standing.model != arena.anchor:
            assert standing.ci95[1] - standing.ci95[0] > high - low


def test_the_anchor_is_the_model_in_most_games_unless_named() -> None:
    games = [Game("1", "base", name, winner) for name in "ABC" for winner in ("model_a", "model_b", "tie")]  # type: ignore[arg-type]
    assert rate_games(games, rounds=20).anchor == "base"
    other = rate_games(games, "A", rounds=20)
    assert {standing.model: standing.rating for standing in other.standings}["A"] == 1000
    with pytest.raises(UsageError, match="did you mean base"):
        rate_games(games, "bsae")
    with pytest.raises(UsageError, match="--scale"):
        rate_games(games, scale="glicko")


def test_weights_count_as_so_many_games() -> None:
    heavy = [Game("1", "A", "B", "model_a", 3.0), Game("2", "A", "B", "model_b")]
    repeated = [Game("1", "A", "B", "model_a")] * 3 + [Game("2", "A", "B", "model_b")]
    assert rate_games(heavy, "A", rounds=10).standings[1].rating == pytest.approx(
        rate_games(repeated, "A", rounds=10).standings[1].rating
    )


def test_what_has_no_rating_says_why() -> None:
    games = [
        Game("1", "A", "B", "model_a"),
        Game("2", "A", "B", "model_b"),
        Game("3", "best", "A", "model_a"),
        Game("4", "B", "worst", "model_a"),
        Game("5", "X", "Y", "tie"),
        Game("6", "A", "A", "model_a"),
    ]
    standings = {standing.model: standing for standing in rate_games(games, "A", rounds=20).standings}
    assert standings["A"].games == 4
    assert standings["best"].rating is None
    assert "never lost" in str(standings["best"].reason)
    assert "never won" in str(standings["worst"].reason)
    assert "no chain of games" in str(standings["X"].reason)
    assert standings["X"].score == 0.5
    assert standings["best"].rank is None


def test_equal_models_are_not_separated() -> None:
    games = [Game(str(k), "A", "B", "model_a" if k % 2 else "model_b") for k in range(40)]
    arena = rate_games(games, "A", rounds=100)
    assert arena.unseparated == (("A", "B"),) or arena.unseparated == (("B", "A"),)
    assert all((standing.rank_low, standing.rank_high) == (1, 2) for standing in arena.standings)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("not json", "2: Expecting value"),
        ("[1]", "2: a game is an object"),
        (game("nobody"), "winner 'nobody'"),
        ({"model_a": "A", "model_b": "B"}, "`winner` is missing"),
        ({"modelA": "A", "model_b": "B", "winner": "tie"}, "`model_a` is missing; did you mean "),
        (game(weight=0), "weight 0"),
        (game(weight="3"), "weight '3'"),
        ("[" * 100_000, "2: "),
    ],
    ids=str,
)
def test_a_broken_row_is_named_by_line(row: Any, words: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        read_games(write(tmp_path / "games.jsonl", [game(), row]))
    assert words in str(caught.value)
    assert len(str(caught.value)) < 2000


def test_files_that_are_not_there_or_empty_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        read_games(tmp_path / "games.jsonl")
    with pytest.raises(UsageError, match="holds no game"):
        read_games(write(tmp_path / "games.jsonl", []))
    (tmp_path / "games.jsonl.gz").write_bytes(b"no gzip")
    with pytest.raises(UsageError, match="cannot be read"):
        read_games(tmp_path / "games.jsonl.gz")
    with gzip.open(tmp_path / "good.jsonl.gz", "wt") as file:
        file.write(json.dumps(game()) + "\n")
    assert len(read_games(tmp_path / "good.jsonl.gz")) == 1
