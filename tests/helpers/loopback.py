"""A server on loopback that speaks enough of the OpenAI protocol to be faulty in every way that servers are.

`with Loopback(faults=…) as server:` runs it in a process of its own, so that its counts outlive a killed client.
What it answers depends on the question alone: the item's number in the prompt.
"""

from __future__ import annotations

import asyncio
import json
import math
import re
import subprocess
import sys
import time
import urllib.request
from typing import Any

ITEM = re.compile(r"item-(\d+)")
ANALYSIS = "The answer is fine.\nScore: "
FAULTS = ("500", "hang", "cut", "not_json", "html", "empty", "429", "429_after", "refuse", "prose")


def score_of(item: int) -> int:
    return 1 + (item * 7 + item // 5) % 5


class Loopback:
    """`faults`: kind → share of the items whose first request meets it. `storm`: every so many answers, so many seconds
    of nothing but 429, with Retry-After or without."""

    def __init__(self, **settings: Any) -> None:
        self.settings = settings

    def __enter__(self) -> Loopback:
        self.process = subprocess.Popen(
            [sys.executable, __file__, json.dumps(self.settings)], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())
        self.url = f"http://127.0.0.1:{self.port}/v1"
        return self

    def __exit__(self, *_: Any) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def stats(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/stats", timeout=10) as reply:
            found: dict[str, Any] = json.loads(reply.read())
        return found


# ── the server's process ─────────────────────────────────────────────────────


class _Server:
    def __init__(self, settings: dict[str, Any]) -> None:
        self.faults: dict[str, float] = settings.get("faults", {})
        self.storm: dict[str, Any] | None = settings.get("storm")
        self.delay: float | list[float] = settings.get("delay", 0.0)
        """Seconds for which an item is held; of two numbers one between them, by the item's number."""
        self.capacity: int = settings.get("capacity", 10**9)
        self.refuses: list[str] = settings.get("refuses", [])
        self.says: str | None = settings.get("says")
        """What is said to everything."""
        self.analysis: bool = settings.get("analysis", False)
        """Whether a score comes at the end of an analysis."""
        self.gullible: bool = settings.get("gullible", False)
        """Whether it does what a judged answer tells it; everything else is bad in its eyes."""
        self.refuses_after: float = settings.get("refuses_after", 0.0)
        self.logprobs: str = settings.get("logprobs", "yes")
        self.one_choice: bool = settings.get("one_choice", False)
        self.structured: str = settings.get("structured", "ignored")
        """Whether `response_format` is kept to: yes, ignored, or declines (in form, and without a score)."""
        self.key: str | None = settings.get("key")
        self.echoes_key: bool = settings.get("echoes_key", False)
        """Whether it says the key back wherever a name is wanted."""
        self.moved: int = settings.get("moved", 0)
        """The status with which it sends every question on to another path."""
        self.requests = 0
        self.answered: dict[str, int] = {}
        """Whole answers sent, by item: what a client pays for."""
        self.seen: dict[str, int] = {}
        self.kinds: dict[str, int] = {}
        self.busy = 0
        self.most = 0
        self.since_storm = 0
        self.storm_until = 0.0
        self.authorization: set[str] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = re.search(r"content-length: *(\d+)", head, re.IGNORECASE)
                body = await reader.readexactly(int(length[1])) if length else b""
                if head.startswith("GET /stats"):
                    self.send(writer, 200, self.figures())
                else:
                    await self.answer(head, json.loads(body), writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def figures(self) -> dict[str, Any]:
        return {
            "requests": self.requests,
            "answered": self.answered,
            "kinds": self.kinds,
            "most": self.most,
            "authorization": sorted(self.authorization),
        }

    def send(
        self,
        writer: asyncio.StreamWriter,
        status: int,
        content: Any,
        headers: str = "",
        kind: str = "application/json",
        cut: bool = False,
    ) -> None:
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        head = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(data)}\r\n{headers}\r\n"
        writer.write(head.encode() + (data[: len(data) // 2] if cut else data))

    def fail(self, writer: asyncio.StreamWriter, status: int, message: str, headers: str = "", **more: Any) -> None:
        self.send(writer, status, {"error": {"message": message, **more}}, headers)

    async def answer(self, head: str, body: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        self.requests += 1
        found = re.search(r"authorization: *(.+)\r", head, re.IGNORECASE)
        if found:
            self.authorization.add(found[1].strip())
        if self.key and (not found or found[1].strip() != f"Bearer {self.key}"):
            return self.fail(writer, 401, f"Incorrect API key provided: {found[1] if found else ''}")
        if self.moved and " /v2/" not in head.split("\r\n")[0]:
            return self.send(writer, self.moved, {}, "Location: /v2/chat/completions\r\n")
        text = json.dumps(body.get("messages") or body.get("prompt"), ensure_ascii=False)
        item = max(map(int, ITEM.findall(text)), default=0)
        now = time.monotonic()
        if self.storm and self.since_storm >= self.storm["every"]:
            self.since_storm, self.storm_until = 0, now + self.storm["seconds"]
        if now < self.storm_until:
            self.kinds["storm"] = self.kinds.get("storm", 0) + 1
            after = (
                f"Retry-After: {math.ceil(self.storm_until - now)}\r\n" if self.storm and self.storm["after"] else ""
            )
            return self.fail(writer, 429, "slow down", after)
        if self.busy >= self.capacity:
            self.kinds["capacity"] = self.kinds.get("capacity", 0) + 1
            return self.fail(writer, 429, "too many requests at once")
        for name in self.refuses:
            if name in body or (name == "system" and any(m["role"] == "system" for m in body.get("messages", []))):
                self.kinds["refused"] = self.kinds.get("refused", 0) + 1
                await asyncio.sleep(self.refuses_after)
                return self.fail(writer, 400, f"Unsupported parameter: '{name}' is not supported with this model.")
        first = str(item) not in self.seen
        self.seen[str(item)] = self.seen.get(str(item), 0) + 1
        fault = self.fault(item) if first else None
        if fault:
            self.kinds[fault] = self.kinds.get(fault, 0) + 1
        self.busy += 1
        self.most = max(self.most, self.busy)
        try:
            if self.delay:
                await asyncio.sleep(self.held(item))
            await self.reply(writer, body, item, fault, text)
        finally:
            self.busy -= 1

    def held(self, item: int) -> float:
        if isinstance(self.delay, list):
            low, high = self.delay
            return low + (high - low) * (item * 6151 % 1000) / 1000
        return self.delay

    def fault(self, item: int) -> str | None:
        """Drawn from the item's number, so that which items meet which fault is known beforehand."""
        place = (item * 7919 % 1000) / 1000
        for kind, share in self.faults.items():
            if place < share:
                return kind
            place -= share
        return None

    async def reply(
        self, writer: asyncio.StreamWriter, body: dict[str, Any], item: int, fault: str | None, asked: str
    ) -> None:
        if fault == "500":
            return self.fail(writer, 500, "internal error")
        if fault == "hang":
            await asyncio.sleep(3600)
        if fault == "not_json":
            return self.send(writer, 200, b'{"choices": [{"mess')
        if fault == "html":
            return self.send(writer, 200, b"<html>gateway</html>", kind="text/html")
        if fault == "empty":
            return self.send(writer, 200, {"choices": [], "usage": {}})
        if fault == "429":
            return self.fail(writer, 429, "slow down")
        if fault == "429_after":
            return self.fail(writer, 429, "slow down", "Retry-After: 1\r\n")
        text = "I'm sorry, but I can't rate that." if fault == "refuse" else str(score_of(item))
        if fault == "prose":
            text = "The answer mentions 3 dogs."
        if self.gullible:
            text = _obeyed(asked)
        if self.analysis:
            text = f"{ANALYSIS}{text}"
        text = self.says or text
        if body.get("response_format") and self.structured != "ignored":
            text = json.dumps({"score": None if self.structured == "declines" else score_of(item)})
        count = 1 if self.one_choice else int(body.get("n") or 1)
        choices = [self.choice(body, text, index) for index in range(count)]
        usage = {"prompt_tokens": 100, "completion_tokens": 2 * count, "total_tokens": 100 + 2 * count}
        model = sorted(self.authorization)[0] if self.echoes_key else body["model"]
        content = {"object": "chat.completion", "model": model, "choices": choices, "usage": usage}
        self.send(writer, 200, content, cut=fault == "cut")
        if fault == "cut":
            await writer.drain()
            writer.close()
            return None
        self.answered[str(item)] = self.answered.get(str(item), 0) + 1
        self.since_storm += 1
        return None

    def choice(self, body: dict[str, Any], text: str, index: int) -> dict[str, Any]:
        logprobs = None
        if body.get("logprobs") and (self.logprobs == "yes" or (self.logprobs == "with scores" and text.isdigit())):
            content = [_position(text) if text.isdigit() else _words(text)]
            if self.analysis:
                content = [*map(_words, ("The answer is fine", ".\n", "Score", ": ")), _position(text[len(ANALYSIS) :])]
            logprobs = {"content": content}
        message = {"role": "assistant", "content": text}
        return {"index": index, "message": message, "text": text, "finish_reason": "stop", "logprobs": logprobs}


def _obeyed(asked: str) -> str:
    """The best label for an answer that orders it, the worst for others; of two answers the one that orders."""
    orders = [found.start() for found in re.finditer("Ignore all instructions|모든 지시를 무시", asked)]
    if "answer B" not in asked:
        return "5" if orders else "1"
    if not orders:
        return "C"
    return "A" if orders[0] < asked.index("<<<end of answer A") else "B"


def _position(digit: str) -> dict[str, Any]:
    """.8 on the digit, .1 each on its neighbours, written in two ways."""
    below, above = max(1, int(digit) - 1), min(5, int(digit) + 1)
    shares = [(digit, 0.5), (f" {digit}", 0.3), (str(below), 0.05), (f" {below}", 0.05), (f"{above}\n", 0.1)]
    tops: dict[str, float] = {}
    for token, share in shares:
        tops[token] = tops.get(token, 0.0) + share
    listed = [
        {"token": token, "logprob": math.log(share), "bytes": list(token.encode())} for token, share in tops.items()
    ]
    return {**listed[0], "top_logprobs": listed}


def _words(text: str) -> dict[str, Any]:
    token = {"token": text, "logprob": -0.1, "bytes": list(text.encode())}
    return {**token, "top_logprobs": [token]}


async def _main(settings: dict[str, Any]) -> None:
    served = _Server(settings)
    listener = await asyncio.start_server(served.serve, "127.0.0.1", 0, limit=2**20)
    print(listener.sockets[0].getsockname()[1], flush=True)
    await listener.serve_forever()


if __name__ == "__main__":
    asyncio.run(_main(json.loads(sys.argv[1])))
