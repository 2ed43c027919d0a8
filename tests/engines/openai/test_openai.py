"""The openai engine, against a loopback server that fails in every way servers do."""

from __future__ import annotations

import time
from array import array
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from evalkit.engines.base import Engine
from evalkit.engines.openai import OpenAIEngine, Options, load
from evalkit.engines.openai.prices import price_of
from evalkit.engines.openai.requests import Abilities, generate_body, read_choices, read_scores
from evalkit.engines.openai.server import read_reply
from evalkit.errors import EngineError, UsageError
from evalkit.types import (
    Answer,
    Failed,
    Generate,
    Generated,
    Message,
    ModelSpec,
    Sampling,
    Score,
    Scored,
    Work,
)
from tests.helpers.judged import CANARY
from tests.helpers.loopback import Loopback, score_of


def ask(item: int, sampling: Sampling, samples: int = 1) -> Generate:
    ids = tuple(range(100 * item, 100 * item + samples))
    return Generate(ids, array("i"), sampling, tuple(range(samples)), (Message("user", f"rate item-{item}"),))


def answers(url: str, work: Sequence[Work], **options: Any) -> tuple[dict[int, Answer], OpenAIEngine]:
    engine = OpenAIEngine("fake", Options(base_url=url, **options))
    try:
        return {answer.id: answer for answer in engine.run(iter(work))}, engine
    finally:
        engine.close()


WITH_LOGPROBS = Sampling(8, extra=(("top_logprobs", 20),))


# ── the stream ─────────────────────────────────────────────────────────────────


def test_every_id_gets_one_answer_and_usage_is_counted() -> None:
    with Loopback() as server:
        found, engine = answers(server.url, [ask(i, WITH_LOGPROBS) for i in range(50)])
        assert isinstance(engine, Engine)
        assert sorted(found) == [100 * i for i in range(50)]
        for i in range(50):
            answer = found[100 * i]
            assert isinstance(answer, Generated)
            assert answer.text == str(score_of(i))
            assert answer.finish == "stop"
            assert answer.top_logprobs is not None
            assert answer.top_logprobs[0][0][0] == answer.text
        assert engine.usage.generated == 100
        assert engine.usage.prompt == 5000
        assert server.stats()["requests"] == 50


def test_nothing_yet_is_waited_for_and_more_is_taken() -> None:
    with Loopback(delay=0.01) as server:
        engine = OpenAIEngine("fake", Options(base_url=server.url))
        seen: list[int] = []

        def work() -> Iterator[Work | None]:
            yield ask(1, WITH_LOGPROBS)
            while not seen:
                yield None
            yield ask(2, WITH_LOGPROBS)

        for answer in engine.run(work()):
            seen.append(answer.id)
        engine.close()
        engine.close()
        assert seen == [100, 200]


def test_it_rests_when_all_has_ended_also_without_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    with Loopback() as server:
        engine = OpenAIEngine("fake", Options(base_url=server.url))
        serve = engine.serve

        async def lose_one(item: Work, pace: Any) -> list[Any]:
            return [answer for answer in await serve(item, pace) if answer.id != 200]

        monkeypatch.setattr(engine, "serve", lose_one)
        rested = []

        def work() -> Iterator[Work | None]:
            for number in (1, 2):
                yield ask(number, WITH_LOGPROBS)
                rested.append(engine.resting)
                while not engine.resting:
                    yield None

        assert [answer.id for answer in engine.run(work())] == [100]
        engine.close()
        assert rested == [False, False]


def test_several_samples_are_one_request_where_the_server_can() -> None:
    sampled = Sampling(8, temperature=1.0, seed=1)
    with Loopback() as server:
        found, _ = answers(server.url, [ask(i, sampled, 5) for i in range(4)])
        assert len(found) == 20
        assert server.stats()["requests"] == 4
    with Loopback(one_choice=True) as server:
        found, engine = answers(server.url, [ask(i, sampled, 5) for i in range(4)])
        assert len(found) == 20
        assert server.stats()["requests"] == 20
        assert engine.description["abilities"]["supports"]["n"] == "ignored"


def test_a_message_in_parts_is_read_whole() -> None:
    parts = [{"type": "text", "text": "4"}, {"type": "text", "text": " of 5"}]
    (answer,) = read_choices({"choices": [{"message": {"content": parts}, "finish_reason": "stop"}]}, [7], [])
    assert isinstance(answer, Generated)
    assert answer.text == "4 of 5"


@pytest.mark.parametrize("logprobs", ["yes", "no"])
def test_whether_log_probabilities_come_is_found_out_and_said(logprobs: str) -> None:
    with Loopback(logprobs=logprobs) as server:
        _, engine = answers(server.url, [ask(i, WITH_LOGPROBS) for i in range(5)])
        supports = engine.description["abilities"]["supports"]
        assert supports["logprobs"] == {"yes": "yes", "no": "ignored"}[logprobs]


@pytest.mark.parametrize("status", [307, 308])
def test_a_question_that_is_sent_on_stays_a_question(status: int) -> None:
    with Loopback(moved=status) as server:
        found, _ = answers(server.url, [ask(i, WITH_LOGPROBS) for i in range(3)])
        assert all(isinstance(answer, Generated) for answer in found.values())


def test_where_it_would_not_stay_one_the_address_isread_reply() -> None:
    with Loopback(moved=301) as server, pytest.raises(EngineError, match=r"sent on to http.*/v2/chat/completions"):
        answers(server.url, [ask(1, WITH_LOGPROBS)])


def test_a_key_that_the_server_says_back_is_struck(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_GATEWAY", CANARY)  # a name that does not look like a key's
    with Loopback(echoes_key=True) as server:
        _, engine = answers(server.url, [ask(1, WITH_LOGPROBS)], key_env="MY_GATEWAY")
        assert server.stats()["authorization"] == [f"Bearer {CANARY}"]
        assert engine.description["served_model"] == ["Bearer [MY_GATEWAY]"]


@pytest.mark.parametrize("refused", ["logprobs", "temperature", "n", "max_tokens", "system", "seed", "stop"])
def test_what_a_model_refuses_is_found_out_once_and_left_out(refused: str) -> None:
    sampling = Sampling(8, temperature=1.0, seed=3, stop=("\n\n",), extra=(("top_logprobs", 20),))
    items = [
        Generate(
            (2 * i, 2 * i + 1),
            array("i"),
            sampling,
            (0, 1),
            (Message("system", "Be strict."), Message("user", f"rate item-{i}")),
        )
        for i in range(20)
    ]
    if refused == "max_tokens":
        abilities = Abilities()
        _, body = generate_body("m", items[0], 1, abilities)
        assert abilities.learn("Unsupported parameter: use 'max_completion_tokens' instead.", "max_tokens", body)
        assert "max_completion_tokens" in generate_body("m", items[0], 1, abilities)[1]
        return
    with Loopback(refuses=[refused]) as server:
        found, engine = answers(server.url, items)
        assert all(isinstance(answer, Generated) for answer in found.values())
        assert len(found) == 40
        assert refused in engine.description["abilities"]["refused"]
        # The first request goes alone, but not for long: what was sent before its refusal came is refused too.
        assert 1 <= server.stats()["kinds"]["refused"] <= len(items)


def test_a_refusal_that_comes_late_finds_others_on_their_way() -> None:
    """The first goes alone for a moment only: those that followed learn from its refusal too, and fail for nothing."""
    sampling = Sampling(8, temperature=1.0, seed=3, extra=(("top_logprobs", 20),))
    with Loopback(refuses=["logprobs", "seed"], refuses_after=0.3) as server:
        found, engine = answers(server.url, [ask(i, sampling) for i in range(100)])
        assert all(isinstance(answer, Generated) for answer in found.values())
        assert len(found) == 100
        assert server.stats()["requests"] <= 100 + 2 * 32
    supports = engine.description["abilities"]["supports"]
    assert (supports["logprobs"], supports["temperature"], supports["n"]) == ("no", "yes", "not asked")


def test_a_refusal_that_names_nothing_fails_that_request_alone() -> None:
    reply = read_reply(400, {}, b'{"error": {"message": "this prompt is too long"}}')
    assert reply.reason == "HTTP 400: this prompt is too long"  # type: ignore[union-attr]
    assert not Abilities().learn("this prompt is too long", None, {"model": "m", "temperature": 0})


def test_a_wrong_key_stops_everything_and_appears_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    with Loopback(key="another") as server, pytest.raises(EngineError) as caught:
        answers(server.url, [ask(i, WITH_LOGPROBS) for i in range(3)])
    assert "OPENAI_API_KEY" in str(caught.value)
    assert CANARY not in str(caught.value)
    with pytest.raises(UsageError, match="command line"):
        load(ModelSpec("m", "m", args={"api_key": CANARY}))


def test_openai_itself_wants_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    with pytest.raises(UsageError, match="set OPENAI_API_KEY"):
        OpenAIEngine("gpt-4o-mini", Options())


def test_nobody_at_home_is_said() -> None:
    with pytest.raises(EngineError, match="is the server running"):
        answers("http://127.0.0.1:9/v1", [ask(1, WITH_LOGPROBS)], retries=1)


def test_unknown_options_name_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean timeout"):
        load(ModelSpec("m", "m", args={"base_url": "http://x/v1", "timeuot": 3}))


# ── faults ─────────────────────────────────────────────────────────────────────

FAULTS: dict[str, dict[str, Any]] = {
    "one of each": {
        "faults": {"500": 0.02, "cut": 0.02, "not_json": 0.02, "html": 0.02, "empty": 0.02, "429": 0.02, "hang": 0.01}
    },
    "storms with Retry-After": {"storm": {"every": 100, "seconds": 1, "after": True}},
    "storms without": {"storm": {"every": 100, "seconds": 1, "after": False}},
    "a small server": {"capacity": 6},
}


@pytest.mark.parametrize("name", FAULTS)
def test_faults_cost_little_and_lose_nothing(name: str) -> None:
    count = 400
    with Loopback(delay=0.01, **FAULTS[name]) as server:
        found, _ = answers(server.url, [ask(i, WITH_LOGPROBS) for i in range(count)], timeout=2)
        stats = server.stats()
    assert [found[100 * i].text for i in range(count)] == [str(score_of(i)) for i in range(count)]  # type: ignore[union-attr]
    assert set(stats["answered"].values()) == {1}
    assert stats["requests"] <= 1.2 * (count + (count * 0.13 if "faults" in FAULTS[name] else 0))


def test_a_server_that_never_mends_fails_the_request_with_its_reason() -> None:
    with Loopback(refuses=["model"]) as server:
        found, _ = answers(server.url, [ask(1, WITH_LOGPROBS)])
        assert isinstance(found[100], Failed)
        assert "400" in found[100].reason


def test_retry_after_is_read_in_every_form() -> None:
    from email.utils import formatdate

    assert read_reply(429, {"retry-after": "3"}, b"").retry_after == 3  # type: ignore[union-attr]
    assert read_reply(503, {"retry-after-ms": "250"}, b"").retry_after == 0.25  # type: ignore[union-attr]
    later = read_reply(429, {"retry-after": formatdate(time.time() + 20, usegmt=True)}, b"")
    assert 15 < later.retry_after < 21  # type: ignore[union-attr]
    assert read_reply(429, {"retry-after": "soon"}, b"").retry_after is None  # type: ignore[union-attr]


# ── reading ────────────────────────────────────────────────────────────────────


def test_choices_are_cut_at_stops_that_the_server_left_in() -> None:
    body = {"choices": [{"message": {"content": "4\nQ: next"}, "finish_reason": "length"}]}
    (answer,) = read_choices(body, [7], ["\nQ:"])
    assert answer == Generated(7, "4", "stop", 0)


def test_what_a_reasoning_model_thought_is_no_answer() -> None:
    body = {"choices": [{"message": {"content": None, "reasoning_content": "hm"}, "finish_reason": "length"}]}
    (answer,) = read_choices(body, [7], [])
    assert answer == Generated(7, "", "unfinished", 0, "hm")
    body["choices"][0]["finish_reason"] = "stop"  # at a stop string inside the thought, as vLLM's parsers report it
    assert read_choices(body, [7], ["m"]) == [Generated(7, "", "unfinished", 0, "hm")]


def test_a_filtered_answer_is_failed() -> None:
    (answer,) = read_choices({"choices": [{"message": {"content": ""}, "finish_reason": "content_filter"}]}, [7], [])
    assert isinstance(answer, Failed)


def test_echoed_log_probabilities_become_scores() -> None:
    item = Score((1, 2), array("i", [5, 6]), (array("i", [7]), array("i", [7, 8])))
    tops = [None, {"a": -1.0}, {"b": -0.5}, {"c": -0.1}, {"d": -0.3}]
    body = {
        "choices": [
            {"index": 1, "logprobs": {"token_logprobs": [None, -1.0, -0.5, -0.2, -9.0], "top_logprobs": tops}},
            {"index": 0, "logprobs": {"token_logprobs": [None, -1.0, -0.5, -9.0], "top_logprobs": tops}},
        ]
    }
    assert read_scores(body, item) == [Scored(1, -0.5, True), Scored(2, -0.7, False)]
    assert isinstance(read_scores({"choices": [{"index": 0}, {"index": 1}]}, item), str)


def test_a_server_that_does_not_echo_isread_reply() -> None:
    with Loopback() as server, pytest.raises(EngineError, match="tasks cannot be scored there"):
        answers(server.url, [Score((1,), array("i", [5, 6]), (array("i", [7]),))])


# ── money ──────────────────────────────────────────────────────────────────────


def test_prices_are_known_given_or_said_to_be_unknown() -> None:
    dated = price_of("gpt-4o-mini-2024-07-18", "https://api.openai.com/v1")
    assert dated is not None
    assert (dated.prompt, dated.generated) == (0.15, 0.6)
    assert price_of("gpt-4o-mini", "https://elsewhere.example/v1") is None
    assert price_of("gpt-9", "https://api.openai.com/v1") is None
    local = price_of("m", "http://127.0.0.1:8000/v1")
    assert local is not None
    assert local.of(10**6, 10**6) == 0
    with pytest.raises(UsageError, match="price="):
        OpenAIEngine("m", Options(base_url="https://elsewhere.example/v1", max_usd=1.0))


@pytest.mark.parametrize("limit", [0.5, 0.7, 1.0, 1.3])
def test_a_limit_that_is_reached_ends_the_run_whatever_dollars_round_to(limit: float) -> None:
    """Sums and differences of cents leave crumbs, for which nobody may wait."""
    with Loopback() as server, pytest.raises(EngineError, match="is reached"):
        answers(server.url, [ask(i, WITH_LOGPROBS) for i in range(60)], price="333.3/777.7", max_usd=limit)


def test_the_limit_is_not_passed_and_what_was_answered_is_given() -> None:
    done: list[Answer] = []
    with Loopback() as server:
        engine = OpenAIEngine("fake", Options(base_url=server.url, price="1000/1000", max_usd=2.0))
        with pytest.raises(EngineError, match="is reached"):
            done += engine.run(ask(i, WITH_LOGPROBS) for i in range(100))
        spent = engine.budget.spent
        engine.close()
    assert spent is not None
    assert 1.5 < spent <= 2.0
