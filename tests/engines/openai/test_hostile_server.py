"""Servers that lie, stall or attack: budgets, replies without end, silence."""

from __future__ import annotations

import gzip
import json
import threading
import time
from array import array
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from evalkit.engines.openai import OpenAIEngine, Options
from evalkit.engines.openai.keys import Key
from evalkit.engines.openai.requests import read_choices, read_scores
from evalkit.engines.openai.server import Broken, Ok, read_reply
from evalkit.engines.openai.tokens_used import TokensUsed, read_tokens_used
from evalkit.errors import EngineError, UsageError
from evalkit.types import Failed, Generated, Score, Scored
from tests.helpers.hostile import HostileServer, Reply, answered, ask, collect
from tests.helpers.judged import CANARY

# ── what was used, and what it costs ─────────────────────────────────────────

MALFORMED = [
    float("nan"),
    float("inf"),
    {"prompt_tokens": float("nan"), "completion_tokens": 3},
    {"prompt_tokens": float("inf"), "completion_tokens": -float("inf")},
    {"prompt_tokens": "many", "completion_tokens": []},
    {"prompt_tokens": 10**400, "completion_tokens": 1},
    {"prompt_tokens": True, "completion_tokens": True},
    {"prompt_tokens": 3, "completion_tokens": 3, "prompt_tokens_details": "none"},
    [1, 2],
    "free",
]
UNTRUE: list[Any] = [
    None,
    {},
    {"prompt_tokens": 0, "completion_tokens": 0},
    {"prompt_tokens": -50, "completion_tokens": -50},
]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("usage", MALFORMED + UNTRUE, ids=lambda usage: json.dumps(usage)[:50])
def test_a_limit_holds_whatever_usage_says_and_each_answer_is_kept(usage: Any) -> None:
    with HostileServer(lambda *_: answered(usage=usage)) as server:
        answers, engine, error = collect(server.url, 200, price="1000/1000", max_usd=0.5, max_concurrency=4)
    assert error is not None
    assert "is reached" in str(error)
    assert answers
    assert all(isinstance(answer, Generated) for answer in answers.values())
    assert engine.budget.spent is not None
    assert engine.budget.spent <= 0.5
    assert engine.budget.open == 0
    believed = isinstance(usage, dict) and usage.get("prompt_tokens") == 3
    cents = 0.6 if believed else 0.8  # six tokens reported, or at least the eight that were allowed
    assert len(server.requests) <= 0.5 / (cents / 100) + 1


def test_a_request_that_timed_out_is_charged_what_was_reserved() -> None:
    """The provider may have generated all of it and may bill for it."""
    silent = answered()
    silent.hold = threading.Event()
    with HostileServer(lambda *_: silent) as server:
        answers, engine, error = collect(server.url, 20, price="1000/1000", max_usd=0.05, timeout=0.5, retries=1)
        silent.hold.set()
    assert error is not None
    assert "is reached" in str(error)
    assert not [answer for answer in answers.values() if isinstance(answer, Generated)]
    assert engine.budget.spent is not None
    assert 0.03 < engine.budget.spent <= 0.05
    assert engine.description["requests_without_reply"] == len(server.requests)


def test_answers_without_usage_are_counted_in_the_description() -> None:
    with HostileServer(lambda *_: answered()) as server:
        _, engine, error = collect(server.url, 5)
    assert error is None
    assert engine.description["answers_without_usage"] == 5


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "message",
    ["max_completion_tokens is not supported, use max_tokens", "logprobs n stop seed max_completion_tokens at most 3"],
)
def test_a_server_that_refuses_both_names_of_the_token_limit_is_asked_a_few_times(message: str) -> None:
    refusal = Reply(400, json.dumps({"error": {"message": message}}).encode(), {"Content-Type": "application/json"})
    with HostileServer(lambda *_: refusal) as server:
        answers, _, error = collect(server.url, 2, give_up=5)
    assert error is None
    assert all(isinstance(answer, Failed) for answer in answers.values())
    assert len(server.requests) < 10


@pytest.mark.parametrize(
    ("usage", "used"),
    [
        ({"prompt_tokens": 7, "completion_tokens": 2}, TokensUsed(7, 2)),
        ({"prompt_tokens": 7}, TokensUsed(7, None)),
        ({"prompt_tokens": 7.0, "completion_tokens": 2.0}, TokensUsed(7, 2)),
        ({"prompt_tokens": 0, "completion_tokens": 2}, TokensUsed(None, 2)),
        ({"prompt_tokens": 7, "completion_tokens": 0}, TokensUsed(7, None)),
        (
            {"prompt_tokens": 7, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 90}},
            TokensUsed(7, 2, 7),
        ),
    ],
)
def test_what_cannot_be_true_of_usage_is_not_reported(usage: Any, used: TokensUsed) -> None:
    assert read_tokens_used({"usage": usage, "choices": [{"text": "4"}]}) == used


# ── replies without end, or that are no log-probabilities ────────────────────


@pytest.mark.timeout(120)
def test_a_reply_without_end_is_not_read() -> None:
    bomb = gzip.compress(b'{"choices": "' + b"0" * (200 << 20))
    with HostileServer(lambda *_: Reply(200, bomb, {"Content-Encoding": "gzip"})) as server:
        answers, _, error = collect(server.url, 1, retries=0, max_reply_mb=8)
    assert error is None
    assert isinstance(answers[0], Failed)
    assert "more than 8 MiB" in answers[0].reason


def test_a_reply_of_brackets_is_not_json() -> None:
    assert isinstance(read_reply(200, {}, b"[" * 200_000), Broken)


@pytest.mark.parametrize(
    "bad",
    [float("nan"), float("inf"), -float("inf"), 0.5, "−1", None, True, 10**400, -(10**400)],
    ids=lambda value: str(value)[:9],
)
def test_what_is_no_log_probability_fails_its_own_document(bad: Any) -> None:
    item = Score((1, 2), array("i", [5]), (array("i", [6]), array("i", [7])))
    choices = [
        {"index": 0, "logprobs": {"token_logprobs": [None, -1.0], "top_logprobs": [None, {"a": -1.0}]}},
        {"index": 1, "logprobs": {"token_logprobs": [None, bad], "top_logprobs": [None, {"a": -1.0}]}},
    ]
    scores = read_scores({"choices": choices}, item)
    if bad is None:
        assert isinstance(scores, str)
        return
    assert scores[0] == Scored(1, -1.0, True)
    assert isinstance(scores[1], Failed)
    content = [{"token": "4", "logprob": bad, "top_logprobs": [{"token": "4", "logprob": bad}]}]
    (answer,) = read_choices({"choices": [{"text": "4", "logprobs": {"content": content}}]}, [7], [])
    assert isinstance(answer, Failed)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 0.5, "x", 10**400], ids=lambda value: str(value)[:9])
def test_an_alternative_that_is_none_fails_its_own_document(bad: Any) -> None:
    item = Score((1, 2), array("i", [5]), (array("i", [6]), array("i", [7])))
    choices = [
        {"index": place, "logprobs": {"token_logprobs": [None, -1.0], "top_logprobs": [None, {"a": -1.0, "b": value}]}}
        for place, value in enumerate((-2.0, bad))
    ]
    good, odd = read_scores({"choices": choices}, item)
    assert good == Scored(1, -1.0, True)
    assert isinstance(odd, Failed)


def test_an_alternative_that_cannot_come_is_left_out() -> None:
    tops = [{"token": "4", "logprob": -0.1}, {"token": "5", "logprob": -float("inf")}]
    content = [{"token": "4", "logprob": -0.1, "top_logprobs": tops}]
    (answer,) = read_choices({"choices": [{"text": "4", "logprobs": {"content": content}}]}, [7], [])
    assert isinstance(answer, Generated)
    assert answer.top_logprobs == ((("4", -0.1),),)


def test_an_honest_reply_is_read_as_it_is() -> None:
    reply = read_reply(200, {"Content-Type": "application/json"}, answered("한국어").body, Key(CANARY, "K"))
    assert isinstance(reply, Ok)
    assert reply.body["choices"][0]["message"]["content"] == "한국어"


# ── servers that keep everybody waiting ──────────────────────────────────────


KINDS = ("429", "silence", "503")


@dataclass
class Waited:
    """What an engine did at a server that gives no answer."""

    seconds: float
    error: EngineError
    notices: list[str]
    url: str


def waited_for(kind: str) -> Waited:
    hold = threading.Event()
    reply = {"429": Reply(429, b"slow down"), "503": Reply(503, b"busy"), "silence": Reply(hold=hold)}[kind]
    notices: list[str] = []
    with HostileServer(lambda *_: reply) as server:
        engine = OpenAIEngine("fake", Options(base_url=server.url, give_up=13, timeout=600))
        engine.notify = notices.append
        began = time.monotonic()
        with pytest.raises(EngineError, match=r"gave no answer for 1\d s") as caught:
            list(engine.run(ask(number) for number in range(40)))
        seconds = time.monotonic() - began
        hold.set()
        engine.close()
    return Waited(seconds, caught.value, notices, server.url)


@pytest.fixture(scope="module")
def waits() -> dict[str, Waited]:
    """All kinds at once, as each takes thirteen seconds."""
    with ThreadPoolExecutor(len(KINDS)) as pool:
        return dict(zip(KINDS, pool.map(waited_for, KINDS), strict=True))


@pytest.mark.timeout(60)
@pytest.mark.parametrize("kind", KINDS)
def test_a_server_that_gives_no_answer_is_named_and_given_up(kind: str, waits: dict[str, Waited]) -> None:
    waited = waits[kind]
    assert 13 <= waited.seconds < 30
    assert "kept" in str(waited.error)
    assert len(waited.notices) == 1
    assert waited.notices[0].startswith(f"waiting for {waited.url} for 10 s")
    if kind != "silence":
        assert f"HTTP {kind}" in waited.notices[0]


@pytest.mark.timeout(60)
def test_a_server_that_goes_silent_keeps_what_it_answered() -> None:
    hold = threading.Event()

    def respond(path: str, headers: dict[str, str], body: Any) -> Reply:
        number = int(body["messages"][0]["content"].split()[1])
        return answered() if number < 5 else Reply(hold=hold)

    with HostileServer(respond) as server:
        answers, _, error = collect(server.url, 20, give_up=2)
        hold.set()
    assert set(range(5)) <= set(answers)
    assert error is not None


@pytest.mark.timeout(60)
def test_waiting_for_the_caller_is_no_stall() -> None:
    """The time between two pieces of work is the caller's, however long it is."""
    with HostileServer(lambda *_: answered()) as server:
        engine = OpenAIEngine("fake", Options(base_url=server.url, give_up=1))
        notices: list[str] = []
        engine.notify = notices.append

        def work() -> Any:
            yield ask(0)
            end = time.monotonic() + 2.5
            while time.monotonic() < end:
                yield None
            yield ask(1)

        assert len(list(engine.run(work()))) == 2
        engine.close()
    assert notices == []


@pytest.mark.timeout(60)
def test_nothing_listening_is_said_within_ten_seconds() -> None:
    began = time.monotonic()
    _, _, error = collect("http://127.0.0.1:9/v1", 20)
    assert error is not None
    assert "is the server running" in str(error)
    assert time.monotonic() - began < 30


@pytest.mark.parametrize(
    ("name", "value"), [("give_up", 0), ("give_up", "long"), ("max_concurrency", "many"), ("retries", -1)]
)
def test_an_option_of_the_wrong_kind_is_named(name: str, value: Any) -> None:
    with pytest.raises(UsageError, match=f"{name}="):
        Options(**{name: value})


def test_the_options_are_documented() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "api-models.md").read_text(encoding="utf-8")
    for name in Options.names():
        assert f"`{name}`" in page, f"docs/api-models.md says nothing of {name}"
