"""An arena whose games a judge decides: which games are played, when it stops, and what it leaves behind."""

from __future__ import annotations

import http.server
import json
import math
import random
import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import evalkit as ek
from evalkit.errors import UsageError
from evalkit.ranking.arena.corrected import corrected
from evalkit.ranking.arena.games import Game
from evalkit.ranking.arena.ratings import rate_games
from tests.helpers.judged import make_run

STRENGTH = {"alpha": 0.0, "beta": 3.0, "gamma": 6.0}
PROMPTS = 60


class Judge(http.server.BaseHTTPRequestHandler):
    """Names the better of two answers by their models' strengths, with luck that depends on the prompt alone."""

    protocol_version = "HTTP/1.1"
    asked = 0

    def do_POST(self) -> None:
        type(self).asked += 1
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        (a, item), (b, _) = re.findall(r"I am (\w+) on item-(\d+)", json.dumps(body["messages"]))[:2]
        x, y = sorted((a, b))
        chance = 1 / (1 + math.exp(STRENGTH[y] - STRENGTH[x]))
        better = x if random.Random(f"{x}{y}{item}").random() < chance else y
        label, other = ("A", "B") if better == a else ("B", "A")
        tops = [{"token": label, "logprob": -0.01, "bytes": None}, {"token": other, "logprob": -5.0, "bytes": None}]
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": label},
            "finish_reason": "stop",
            "logprobs": {"content": [{**tops[0], "top_logprobs": tops}]},
        }
        usage = {"prompt_tokens": 100, "completion_tokens": 1, "total_tokens": 101}
        data = json.dumps({"object": "chat.completion", "model": "j", "choices": [choice], "usage": usage}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def judge() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Judge)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"openai:j@http://127.0.0.1:{server.server_address[1]}/v1"
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "x")


def runs(root: Path, names: tuple[str, ...] = tuple(STRENGTH)) -> list[str]:
    """A run of each model; one answer in three is longer than the one before."""
    return [str(make_run(root, PROMPTS, wording=partial(answer, name), model=name).path) for name in names]


def answer(model: str, item: int) -> str:
    return f"I am {model} on item-{item}." + " And more." * (item % 3)


def test_an_arena_stops_when_it_is_sure_resumes_for_nothing_and_is_read_by_the_other_verbs(
    tmp_path: Path, judge: str
) -> None:
    named = runs(tmp_path)
    before = Judge.asked
    rated = ek.arena(*named, judge=judge, output_path=tmp_path, name="first", anchor="alpha", rounds=50)
    asked = Judge.asked - before
    content = json.loads(rated.json())
    assert rated.stopped == "the ranks are sure"
    assert asked < PROMPTS * 3 * 2 * 0.6, "far from all games are needed"
    assert [(m, v["rank"], v["rank_low"], v["rank_high"]) for m, v in content["models"].items()] == [
        ("gamma", 1, 1, 1),
        ("beta", 2, 2, 2),
        ("alpha", 3, 3, 3),
    ]
    assert any("--labels" in note for note in content["notes"]), "without labels it is the judge's view, and says so"

    rates = rated.win_rates()
    assert list(rates.columns) == ["gamma", "beta", "alpha"]
    assert rates.loc["gamma", "alpha"] == 1 - rates.loc["alpha", "gamma"] > 0.5
    assert rates.loc["gamma"].isna().tolist() == [True, False, False]

    before = Judge.asked
    again = ek.arena(*named, judge=judge, output_path=tmp_path, name="first", anchor="alpha", rounds=50)
    assert Judge.asked == before
    assert json.loads(again.json())["models"] == content["models"]

    games = tmp_path / "arena" / "first" / "games.jsonl"
    recorded = ek.arena(games=games, anchor="alpha", rounds=50)
    assert [s.rating for s in recorded.result.standings] == [s.rating for s in again.result.standings]
    assert all(s.equal_length is not None for s in recorded.result.standings)

    board = ek.leaderboard([run.path for run in again.runs], output_path=tmp_path).frame()
    assert list(board["model"]) == ["gamma", "beta", "alpha"]
    assert any(column.startswith("arena rating,") for column in board)
    compared = ek.compare(again.runs[0], again.runs[2], output_path=tmp_path)
    assert compared.frame()["delta"].iloc[0] < 0
    assert "arena" in (again.runs[0].path / "report.md").read_text()
    page = ek.report([again.runs[2], again.runs[0]], output_path=tmp_path).html()
    assert "arena" in page

    ek.export(again.runs[0], to="lm-eval,eee", output_path=tmp_path, out=tmp_path / "sent")
    [sent] = (tmp_path / "sent").rglob("results_*.json")
    figures = json.loads(sent.read_text())["results"]["arena"]
    first = next(name for name, value in figures.items() if "," in name and isinstance(value, float))
    assert first.startswith("score,pairwise@openai:j"), "readers of the form take the first figure for the headline"
    assert any("rating" in name for name in figures)
    assert any("arena" in path.read_text() for path in (tmp_path / "sent" / "data").rglob("*.json"))


def test_budgets_stop_it_and_a_higher_one_goes_on_to_the_same_result(tmp_path: Path, judge: str) -> None:
    named = runs(tmp_path)
    some = ek.arena(*named, judge=judge, output_path=tmp_path, name="a", max_games=20, rounds=50)
    assert len((tmp_path / "arena" / "a" / "games.jsonl").read_text().splitlines()) == 20
    assert some.stopped == "--max-games 20 are played"
    paid = ek.arena(
        *named, judge=judge, output_path=tmp_path, name="a", max_usd=0.002, judge_args="price=1/1", rounds=50
    )
    assert paid.stopped is not None
    assert paid.stopped.startswith("--max-usd 0.002 is reached")
    whole = ek.arena(*named, judge=judge, output_path=tmp_path, name="a", rounds=50)
    alone = ek.arena(*named, judge=judge, output_path=tmp_path / "other", name="a", rounds=50)
    assert json.loads(whole.json())["models"] == json.loads(alone.json())["models"]


def test_all_games_and_people_s_labels(tmp_path: Path, judge: str) -> None:
    named = runs(tmp_path)
    full = ek.arena(*named, judge=judge, output_path=tmp_path, name="full", full=True, rounds=50, ties="davidson")
    rows = [json.loads(line) for line in (tmp_path / "arena/full/games.jsonl").read_text().splitlines()]
    assert len(rows) == 3 * PROMPTS
    assert full.stopped == "every game is played"
    # People see alpha and beta the other way round in every game that they label.
    turned = {"model_a": "model_b", "model_b": "model_a"}
    labels = tmp_path / "labels.jsonl"
    chosen = random.Random(1).sample(rows, 90)
    for row in chosen:
        row["winner"] = (
            turned[row["winner"]] if {row["model_a"], row["model_b"]} == {"alpha", "beta"} else row["winner"]
        )
    labels.write_text("".join(json.dumps(row) + "\n" for row in chosen))
    corrected = ek.arena(*named, judge=judge, output_path=tmp_path, name="full", full=True, labels=labels, rounds=50)
    places = {s.model: s for s in corrected.result.standings}
    assert (places["alpha"].rating or 0) > (places["beta"].rating or 0)
    assert any("corrected by 90 games" in note for note in corrected.result.notes)
    page = corrected.html()
    assert page.count("<rect") == 9
    assert "<script" not in page


def test_a_model_that_always_wins_has_no_rating_with_labels_either() -> None:
    games = [
        Game(str(question), a, b, "model_b" if a == "b" and question % 3 else "model_a")
        for question in range(40)
        for a, b in (("a", "b"), ("a", "c"), ("b", "c"))
    ]
    labels = random.Random(2).sample(games, 45)
    arena = corrected(rate_games(games, "b", rounds=20), games, labels, 0)
    places = {standing.model: standing for standing in arena.standings}
    best = places["a"]
    assert (best.rating, best.ci95, best.rank, best.win_rate) == (None, None, None, None)
    assert best.reason is not None
    assert "never lost to b" in best.reason
    assert "label more games of a" in best.reason
    assert places["c"].ci95 is not None
    assert {(one.rank_low, one.rank_high) for one in (places["b"], places["c"])} <= {(1, 1), (1, 2), (2, 2)}
    assert all("a" not in pair for pair in arena.unseparated)
    # The judge is wrong of a few games of a; people never are, in any of them.
    wrong = {game for game in games[:12] if game.model_a == "a"}
    erring = [replace(game, winner="model_b") if game in wrong else game for game in games]
    arena = corrected(rate_games(erring, "b", rounds=20), erring, games, 0)
    [best] = [standing for standing in arena.standings if standing.model == "a"]
    assert best.rating is None
    assert best.reason is not None
    assert best.reason.startswith("people's labels allow no finite rating against b: label more games of a")


def test_what_is_asked_wrongly_is_said(tmp_path: Path, judge: str) -> None:
    named = runs(tmp_path, ("alpha", "beta"))
    with pytest.raises(UsageError, match="--judge is missing"):
        ek.arena(*named, output_path=tmp_path)
    with pytest.raises(UsageError, match="two at least"):
        ek.arena(named[0], judge=judge, output_path=tmp_path)
    with pytest.raises(UsageError, match="compares two answers"):
        ek.arena(*named, judge=judge, rubric="truthful", output_path=tmp_path)
    with pytest.raises(UsageError, match="davidson"):
        ek.arena(*named, judge=judge, output_path=tmp_path, max_games=5, rounds=20, ties="davidsn")
    few = tmp_path / "few.jsonl"
    few.write_text(json.dumps({"question_id": "x", "model_a": "alpha", "model_b": "beta", "winner": "tie"}) + "\n")
    with pytest.raises(UsageError, match="20 at least"):
        ek.arena(*named, judge=judge, output_path=tmp_path, labels=few, max_games=5, rounds=20)
