"""A key, a user and a password: sent to their own server alone, and struck out of whatever it sends back."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from urllib.parse import quote

import pytest

from evalkit.engines.openai import OpenAIEngine, Options
from evalkit.engines.openai.keys import Key, find_key
from evalkit.engines.openai.options import base_url_of
from evalkit.engines.openai.server import read_reply
from evalkit.errors import UsageError
from evalkit.scrub import Scrubber
from evalkit.types import Generated
from tests.helpers.hostile import HostileServer, Reply, answered, collect
from tests.helpers.judged import CANARY
from tests.helpers.loopback import Loopback


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
