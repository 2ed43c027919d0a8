"""arena, overlap and synth replay: what scripts outside rely on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import evalkit as ek
from evalkit.errors import UsageError
from tests.helpers.judged import ROOT, evalkit, write

WINNERS = ("model_a", "model_b", "model_b", "tie")
GAMES = [{"question_id": str(k), "model_a": "base", "model_b": "tuned", "winner": WINNERS[k % 4]} for k in range(80)]


def test_arena_writes_ratings_that_scripts_read(tmp_path: Path) -> None:
    apart = {"model_a": "새모델", "model_b": "=cmd()", "winner": "tie"}
    games = write(tmp_path / "games.jsonl", [*GAMES, apart])
    out = tmp_path / "ratings.json"
    done = evalkit(
        "arena", "--games", str(games), "--anchor", "base", "--rounds", "50", "--json", str(out), "--csv", "-"
    )
    written = json.loads(out.read_text())
    assert (written["anchor"], written["scale"]) == ("base", "elo")
    assert set(written["models"]["tuned"]) >= {"rating", "ci95", "rank", "rank_low", "rank_high", "win_rate", "games"}
    assert written["models"]["base"]["rating"] == 1000
    assert written["models"]["tuned"]["win_rate"] == pytest.approx(50 / 80)
    assert written["models"]["새모델"]["rating"] is None
    assert "no chain of games" in written["models"]["새모델"]["reason"]
    assert done.stdout.splitlines()[0].startswith("rank,model,rating,low,high")
    assert "'=cmd()" in done.stdout
    shown = evalkit("arena", "--games", str(games), "--rounds", "50").stdout
    assert "base is fixed" in shown or "tuned is fixed" in shown
    frame = ek.arena(games=games, anchor="base", rounds=50).frame()
    assert list(frame["model"][:2]) == ["tuned", "base"]
    assert "cannot" in evalkit("arena", "--games", str(tmp_path), code=2).stderr


def test_overlap_writes_matches_that_scripts_read(tmp_path: Path) -> None:
    a = write(
        tmp_path / "a.jsonl",
        [{"text": "nothing here"}, {"instruction": "one two three four", "input": "five six seven eight"}],
    )
    b = write(tmp_path / "b.jsonl", [{"question": "So: one two three four five six seven eight nine"}])
    out = tmp_path / "o.json"
    assert "1 of 2 rows" in evalkit("overlap", str(a), "--against", str(b), "--json", str(out)).stdout
    assert json.loads(out.read_text()) == {"rows": 2, "matched": 1, "matches": [{"row": 1, "with": 0, "n": 8}]}
    assert ek.overlap(a, against=b).matched == 1
    assert "--against" in evalkit("overlap", str(a), code=2).stderr
    with pytest.raises(UsageError, match="cannot be read"):
        ek.overlap(tmp_path / "none.jsonl", against=b)


def test_synth_replay_writes_the_pool(tmp_path: Path) -> None:
    folder = ROOT.parent / "shared" / "synth" / "recorded-1"
    if not folder.is_dir():
        pytest.skip(f"no recorded run: {folder} is not a folder")
    done = evalkit("synth", "replay", str(folder), "--out", str(tmp_path / "out"), "--json", "-")
    funnel = json.loads(done.stdout)
    assert (funnel["prompts"], funnel["answered"], funnel["candidates"], funnel["kept"]) == (75, 68, 136, 101)
    kept = [json.loads(line) for line in (tmp_path / "out" / "pool.jsonl").read_text().splitlines()]
    recorded = [json.loads(line) for line in (folder / "kept.jsonl").read_text().splitlines()]
    assert [(row["instruction"], row["avg_similarity_score"]) for row in kept] == [
        (row["instruction"], row["avg_similarity_score"]) for row in recorded
    ]
    assert "not a folder" in evalkit("synth", "replay", str(tmp_path / "x"), "--out", str(tmp_path), code=2).stderr
