"""Servers that lie, stall or attack: budgets, keys, redirects, replies without end."""

from __future__ import annotations

import base64
import gzip
import json
import threading
import time
from array import array
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from evalkit.engines.openai import OpenAIEngine, Options
from evalkit.engines.openai.keys import Key, find_key
from evalkit.engines.openai.options import base_url_of
from evalkit.engines.openai.requests import read_choices, read_scores
from evalkit.engines.openai.server import Broken, Ok, read_reply
from evalkit.engines.openai.tokens_used import TokensUsed, read_tokens_used
from evalkit.errors import EngineError, UsageError
from evalkit.scrub import Scrubber
from evalkit.types import Answer, Failed, Generate, Generated, Message, Sampling, Score, Scored
from tests.helpers.hostile import HostileServer, Reply, answered
from tests.helpers.judged import CANARY
from tests.helpers.loopback import Loopback


def ask(number: int, most: int = 8) -> Generate:
    return Generate((number,), array("i"), Sampling(most), (0,), (Message("user", f"question {number}"),))


def collect(url: str, count: int, **options: Any) -> tuple[dict[int, Answer], OpenAIEngine, EngineError | None]:
    """The answers, the engine, and the error that ended the stream."""
    engine = OpenAIEngine("fake", Options(base_url=url, **options))
    answers: dict[int, Answer] = {}
    try:
        for answer in engine.run(ask(number) for number in range(count)):
            answers[answer.id] = answer
    except EngineError as error:
        return answers, engine, error
    finally:
        engine.close()
    return answers, engine, None


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


# ── where the key goes ───────────────────────────────────────────────────────


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_the_key_stays_with_scheme_host_and_port(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    with HostileServer(lambda *_: answered()) as other:
        elsewhere = f"http://127.0.0.1:{other.port}/v1/chat/completions"
        with HostileServer(lambda *_: Reply(status, b"", {"Location": elsewhere})) as server:
            _, _, error = collect(server.url, 1)
        assert error is not None
        assert "sent on to" in str(error)
        assert other.requests == []


def test_a_redirect_to_another_scheme_is_not_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    for location in ("https://127.0.0.1/v1", "//evil.example/v1", "http://127.0.0.1:1/v1"):
        with HostileServer(lambda *_, to=location: Reply(308, b"", {"Location": to})) as server:
            _, _, error = collect(server.url, 1)
        assert error is not None
        assert "sent on to" in str(error)
        assert len(server.requests) == 1


def _entities(text: str) -> str:
    return "".join(f"&#{ord(letter)};" for letter in text)


def _percent(text: str) -> str:
    return "".join(f"%{ord(letter):02X}" for letter in text)


SAID_AGAIN: dict[str, Callable[[str], str]] = {
    "an error of another server, as JSON in JSON": lambda key: json.dumps({"error": key.replace("a", "\\u0061")}),
    "slashes of JSON in JSON": lambda key: json.dumps({"error": key}).replace("/", "\\/"),
    "an address": lambda key: f"GET /v1?key={quote(key, safe='')}",
    "an address in an address": lambda key: quote(_percent(key)),
    "a page": lambda key: f"<p>{_entities(key)}</p>",
    "a page in a page": lambda key: _entities(key).replace("&", "&amp;"),
    "base64": lambda key: base64.b64encode(key.encode()).decode(),
}


@pytest.mark.parametrize("said", SAID_AGAIN.values(), ids=SAID_AGAIN.keys())
def test_the_key_is_struck_out_of_texts_in_json_in_whatever_escapes(said: Callable[[str], str]) -> None:
    secret = "zq/Canary+0123456789-abc"
    text = said(secret)
    error = json.dumps({"error": {"message": f"before {text} after"}}).encode()
    answer = json.dumps({"choices": [{"message": {"content": f"before {text} after"}}], "model": text}).encode()
    for status, content in ((400, error), (200, answer)):
        kept = repr(read_reply(status, {"Content-Type": "application/json"}, content, Key(secret, "MY_GATEWAY")))
        assert "[MY_GATEWAY]" in kept
        assert "before" in kept
        assert "after" in kept
        assert not any(part in kept for part in (secret[3:], text, text[-12:-6]))


def test_user_and_password_of_an_address_are_both_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some servers take the secret as the user, and any word as the password."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    key = find_key("OPENAI_API_KEY", "http://localhost/v1", "access_pat_11AAAA99:x-oauth-basic")
    for text in ("access_pat_11AAAA99", "x-oauth-basic", key.authorization or ""):
        assert not {"access_pat_11AAAA99", "x-oauth-basic"} & set(key.strike(f"no user {text} here").split())
        assert "x-oauth-basic" not in Scrubber({}).text(f"no such user: {text}")
        assert "access_pat_11AAAA99" not in Scrubber({}).text(f"no such user: {text}")


def test_a_key_with_a_line_end_behind_it_is_struck_out() -> None:
    assert Scrubber({"MY_API_KEY": "abcdefgh12345\n"}).text("key abcdefgh12345") == "key [MY_API_KEY]"


def test_looking_for_a_key_takes_no_longer_than_the_reply_is_long() -> None:
    key = Key("zq/Canary+0123456789-abc", "MY_GATEWAY")
    for part in (b"\\", b"\\u00", b"z", b"%25", b"&amp;", b"&#0000000"):
        assert key.strike_all({}, part * 200_000) == {}


@pytest.mark.parametrize("encoding", ["plain", "escaped", "utf-16", "utf-32", "slashes"])
@pytest.mark.parametrize("status", [200, 401, 400])
def test_a_key_that_comes_back_in_disguise_is_struck(encoding: str, status: int) -> None:
    key = Key("sk/canary/0123456789", "MY_GATEWAY")
    body = json.dumps(
        {"choices": [{"text": f"it is {key.value}"}], "model": key.value}
        if status == 200
        else {"error": {"message": f"no such key {key.value}", "code": key.value}}
    )
    if encoding == "escaped":
        body = body.replace(key.value, "".join(f"\\u{ord(letter):04x}" for letter in key.value))
    if encoding == "slashes":
        body = body.replace("/", "\\/")
    content = body.encode(encoding if encoding.startswith("utf") else "utf-8")
    reply = read_reply(status, {"Content-Type": "application/json"}, content, key)
    assert key.value not in str(reply)
    assert "[MY_GATEWAY]" in str(reply)


def test_a_key_in_what_is_not_json_is_struck() -> None:
    key = Key(CANARY, "MY_GATEWAY")
    disguised = (
        "".join(f"\\u{ord(letter):04x}" for letter in CANARY),
        "".join(f"&#x{ord(letter):04x};" for letter in CANARY),
        "".join(f"%{ord(letter):02x}" for letter in CANARY),
    )
    contents = [f"oops {CANARY}".encode(), f"oops {CANARY}".encode("utf-16")]
    contents += [f"{blanks}oops {text} {{".encode() for text in disguised for blanks in ("", " " * 170)]
    for content in contents:
        for status in (200, 500):
            said = str(read_reply(status, {}, content, key))
            assert CANARY not in said
            assert not [text for text in disguised if text[:60] in said], said
            assert CANARY[:12] not in said


def test_the_scrubber_knows_a_key_of_any_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_GATEWAY", CANARY)
    with Loopback() as server:
        OpenAIEngine("fake", Options(base_url=server.url, key_env="MY_GATEWAY")).close()
    assert Scrubber().text(f"no such key: {CANARY}") == "no such key: [MY_GATEWAY]"


def test_user_and_password_of_a_url_are_sent_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with HostileServer(lambda _, headers, __: answered(model=headers["authorization"])) as server:
        url = server.url.replace("http://", "http://me:hunter2hunter2@")
        answers, engine, error = collect(url, 1)
    assert error is None
    assert isinstance(answers[0], Generated)
    assert server.requests[0][1]["authorization"].startswith("Basic ")
    assert "hunter2" not in json.dumps(engine.description)
    assert base_url_of({"base_url": url}) == server.url
    assert "hunter2" not in Scrubber().argument(f"--model-args=base_url={url}")


@pytest.mark.parametrize("url", ["localhost:8000/v1", "127.0.0.1:8000", "ftp://x/v1", "http://", "http://x:port/v1"])
def test_a_base_url_that_is_none_is_named_before_any_try(url: str) -> None:
    with pytest.raises(UsageError, match="base_url="):
        Options(base_url=url)


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
