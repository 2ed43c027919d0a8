"""Any server that speaks the OpenAI protocol: OpenAI itself, `vllm serve`, others. Keys come from the environment only.

server    one exchange            pace     how many at once
requests  bodies in, answers out  prices   what it costs
flight    between two threads     options  where, and with which key
"""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from evalkit.engines.openai.flight import Flight
from evalkit.engines.openai.keys import NO_KEY, find_key
from evalkit.engines.openai.options import Options, base_url_of, split_url, userinfo_of
from evalkit.engines.openai.pace import Pace
from evalkit.engines.openai.prices import Budget, Reservation, price_of
from evalkit.engines.openai.requests import (
    Abilities,
    generate_body,
    read_choices,
    read_scores,
    score_body,
    text_of,
)
from evalkit.engines.openai.server import Broken, Ok, Overloaded, Refused, Reply, Server
from evalkit.engines.openai.stalls import StallWatch
from evalkit.engines.openai.tokens_used import read_tokens_used
from evalkit.errors import EngineError
from evalkit.scrub import Scrubber
from evalkit.tokens.thinking import Thinking
from evalkit.types import Answer, Failed, Generate, Generated, JsonObject, Score, Usage, Work

__all__ = ["OpenAIEngine"]

_UNREACHABLE_TRIES = 3
"""Tries at a server that takes no connections and never answered: about four seconds in all."""
_QUICKEST_TIMEOUT = 30.0
_SLOWEST_KNOWN_AFTER = 20


class OpenAIEngine:
    name = "openai"

    def __init__(
        self, model: str, options: Options | None = None, *, silent: bool = False, frugal: bool = False
    ) -> None:
        """`silent`: no server is called, so no key is needed.

        `frugal`: what has come back but is not yet taken counts as on its way, so that a caller who keeps each answer
        before the next can lose no more than `max_concurrency` of them. The server waits for the caller then.
        """
        options = options or Options()
        self.model = model
        self.options = options
        self.usage = Usage()
        self.resting = False
        self.requests = 0
        """Requests that were sent, also those without an answer."""
        given = {"base_url": options.base_url}
        base_url, api = split_url(base_url_of(given))
        api = options.api if options.api != "auto" else api
        self.notify: Callable[[str], None] = lambda line: None
        """Gets one line when the server gives no answers for long. Called from a thread of the engine."""
        self.abilities = Abilities(
            chat={"chat": True, "completions": False}.get(api),
            extra_body=_extra_body(options),
            thinking=_markers(options),
        )
        key = NO_KEY if silent else find_key(options.key_env, base_url, userinfo_of(given))
        self.server = Server(base_url, key, options.max_concurrency, options.max_reply_mb << 20)
        self._stalls = StallWatch(self.server.base_url, options.give_up, lambda line: self.notify(line))
        self.budget = Budget(price_of(model, self.server.base_url, options.price), options.max_usd, model)
        self._room = options.max_concurrency * (1 if frugal else 2)
        self._scrubber = Scrubber()
        self._slowest = 0.0
        self._underestimated = 1.0
        """The largest ratio of reported to estimated prompt tokens so far. The budget uses it for later estimates."""
        self._timed = 0
        self._fingerprints: set[str] = set()
        self._served: set[str] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    @property
    def description(self) -> JsonObject:
        return {
            "name": self.name,
            "package": self.server.package,
            "model": self.model,
            "base_url": self.server.base_url,
            "served_model": sorted(self._served),
            "system_fingerprint": sorted(self._fingerprints),
            "dtype": None,
            "scoring_path": "echo" if self.abilities.echo else "none",
            "abilities": self.abilities.describe(),
            "requests": self.requests,
            "usd": self.budget.spent,
            **({"answers_without_usage": self.budget.unreported} if self.budget.unreported else {}),
            **({"requests_without_reply": self.budget.unanswered} if self.budget.unanswered else {}),
            "price": self.budget.price.source if self.budget.price else None,
            "timeout": self.options.timeout,
        }

    # ── the stream ───────────────────────────────────────────────────────────

    def run(self, work: Iterator[Work | None]) -> Iterator[Answer]:
        loop = self._started()
        flight = Flight(self.serve, self.options.max_concurrency, loop, self._stalls.watch)
        ended = False
        self.resting = False
        try:
            while not ended or flight.open:
                idle = False
                while not ended and not idle and flight.open < self._room and flight.failure is None:
                    item = next(work, _END)
                    if isinstance(item, _End):
                        ended = True
                    elif item is None:
                        idle = True
                    else:
                        self.resting = False
                        flight.add(item)
                yield from flight.ready(wait=flight.open > 0, timeout=0.02 if idle else None)
                if flight.failure is not None and not flight.open:
                    raise flight.failure
                if idle and not flight.open:
                    self.resting = True
                    time.sleep(0.001)
            if flight.failure is not None:
                raise flight.failure
        finally:
            flight.abandon()

    def close(self) -> None:
        loop, thread = self._loop, self._thread
        if loop is None or thread is None:
            return
        self._loop = self._thread = None
        asyncio.run_coroutine_threadsafe(self.server.close(), loop).result(timeout=10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=10)

    def _started(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=self._loop.run_forever, name="evalkit-openai", daemon=True)
            self._thread.start()
        return self._loop

    # ── one item, on the loop's thread ───────────────────────────────────────

    async def serve(self, item: Work, pace: Pace) -> list[Answer]:
        """All answers to an item. An error of this item alone becomes Failed answers."""
        if item.adapter is not None:
            return [Failed(id_, "a server has no adapters: serve it under a model name of its own") for id_ in item.ids]
        if isinstance(item, Score):
            return await self._score(item, pace)
        if item.sampling.temperature <= 0:
            # Greedy answers are equal: one request is sent, and its answer is used for each id.
            got = await self._generate(item, item.ids[:1], item.samples[:1], pace)
            return [_same(got[0], id_) for id_ in item.ids]
        answers: list[Answer] = []
        ids, samples = item.ids, item.samples
        while ids and len(ids) > 1 and self.abilities.has("n"):
            got = await self._generate(item, ids, samples, pace)
            answers += got
            ids, samples = ids[len(got) :], samples[len(got) :]
            if ids:
                self.abilities.ignored.add("n")  # fewer choices than requested
        singly = [self._generate(item, (id_,), (sample,), pace) for id_, sample in zip(ids, samples, strict=True)]
        for got in await asyncio.gather(*singly):
            answers += got
        return answers

    async def _generate(self, item: Generate, ids: Sequence[int], samples: Sequence[int], pace: Pace) -> list[Answer]:
        """The answers of one request, for the first of `ids`."""

        with_stops = False

        def body() -> tuple[str, JsonObject]:
            nonlocal with_stops
            count = len(ids) if self.abilities.has("n") else 1
            path, content = generate_body(self.model, item, count, self.abilities)
            with_stops = "stop" in content and not self.abilities.thinks
            if "seed" in content and samples[0]:
                # Asked for one by one, they must differ.
                return path, {**content, "seed": (int(content["seed"]) + samples[0]) % 2**31}
            return path, content

        prompt_tokens = len(item.prompt) or len(text_of(item.text).encode()) // 3
        reply = await self._ask(body, prompt_tokens, item.sampling.max_tokens * len(ids), pace)
        if not isinstance(reply, Ok):
            return [Failed(id_, reply.reason) for id_ in ids]
        answers = read_choices(reply.body, ids, item.sampling.stop, self.abilities.thinking)
        thought = any(isinstance(answer, Generated) and answer.reasoning for answer in answers)
        if thought:
            self.abilities.thinks = True
            if with_stops and self.abilities.thinking is None:
                # The stop strings that were sent may have ended a thought: the answers are asked for again without.
                return await self._generate(item, ids, samples, pace)
        if not answers:
            return [Failed(id_, "the server sent no readable choice") for id_ in ids]
        if "response_format" in dict(item.sampling.extra) and self.abilities.has("response_format"):
            self.abilities.answered_in_form(answers)
        if dict(item.sampling.extra).get("top_logprobs") and self.abilities.has("logprobs"):
            self.abilities.answered_with_logprobs(answers)
        return answers

    async def _score(self, item: Score, pace: Pace) -> list[Answer]:
        if self.abilities.echo is False:
            raise EngineError(_NO_ECHO.format(url=self.server.base_url, why="it said so before"))
        tokens = sum(len(item.context) + len(c) for c in item.continuations)
        reply = await self._ask(lambda: score_body(self.model, item), tokens, len(item.ids), pace)
        if isinstance(reply, Ok):
            scored = read_scores(reply.body, item)
            if not isinstance(scored, str):
                self.abilities.echo = True
                return list(scored)
            why = scored
        elif self.abilities.echo or not isinstance(reply, Refused):
            return [Failed(id_, reply.reason) for id_ in item.ids]
        else:
            why = reply.reason
        if self.abilities.echo:
            return [Failed(id_, why) for id_ in item.ids]
        self.abilities.echo = False
        raise EngineError(_NO_ECHO.format(url=self.server.base_url, why=why))

    async def _ask(self, body: Any, prompt_tokens: int, most_tokens: int, pace: Pace) -> Ok | Broken | Refused:
        """Repeat a request until there is an answer, or until another try would not help."""
        self._stalls.began()
        try:
            return await self._tries(body, prompt_tokens, most_tokens, pace)
        finally:
            self._stalls.ended()

    async def _tries(self, body: Any, prompt_tokens: int, most_tokens: int, pace: Pace) -> Ok | Broken | Refused:
        faults = 0
        while True:
            epoch = await pace.enter()
            try:
                path, content = body()
                reply = await self._paid(path, content, prompt_tokens, most_tokens)
            finally:
                pace.leave()
            if isinstance(reply, Ok | Refused):
                self._stalls.answered()
            else:
                self._stalls.failed(reply.reason)
            if isinstance(reply, Ok):
                pace.succeeded()
                self.abilities.accepted(content)
                return reply
            if isinstance(reply, Overloaded):
                pace.refused(epoch, reply.retry_after)
                continue
            if isinstance(reply, Refused):
                # The refused parameter will be left out now: another request, or this one, has found that out.
                if (path, content) != body() or self._learned(reply, path, content):
                    continue
                self._fatal(reply)
                return reply
            faults += 1
            nobody_there = reply.unreachable and not self._timed
            if faults > (min(self.options.retries, _UNREACHABLE_TRIES) if nobody_there else self.options.retries):
                if nobody_there:
                    raise EngineError(f"{reply.reason}; is the server running, and is the URL right?")
                return Broken(f"{reply.reason} ({faults} tries)")
            await asyncio.sleep(min(30.0, 0.25 * 2**faults) * (0.5 + random.random()))

    async def _paid(self, path: str, content: JsonObject, prompt_tokens: int, most_tokens: int) -> Reply:
        """One request, within the limit of --max-usd."""
        held = await self._reserve(prompt_tokens, most_tokens)
        try:
            reply = await self._send(path, content)
            if isinstance(reply, Ok):
                self._account(reply.body, held, prompt_tokens)
            elif isinstance(reply, Broken) and reply.charged:
                self.budget.charge_without_reply(held)
            return reply
        finally:
            self.budget.release(held)

    async def _reserve(self, prompt_tokens: int, most_tokens: int) -> Reservation:
        """Reserve the cost of a request. Near the limit, wait for other requests, which may cost less than reserved."""
        prompt_tokens = int(prompt_tokens * self._underestimated) + 1
        while not self.budget.fits(prompt_tokens, most_tokens) and self.budget.open:
            await asyncio.sleep(0.02)
        return self.budget.reserve(prompt_tokens, most_tokens)

    async def _send(self, path: str, content: JsonObject) -> Reply:
        started = time.monotonic()
        self.requests += 1
        reply = await self.server.post(path, content, self._patience())
        if isinstance(reply, Ok):
            self._slowest = max(self._slowest, time.monotonic() - started)
            self._timed += 1
            return reply
        return replace(reply, reason=self._scrubber.text(reply.reason))

    def _patience(self) -> float:
        """The timeout: ten times the server's usual time once that is known, so that a hang costs less time."""
        if self._timed < _SLOWEST_KNOWN_AFTER:
            return self.options.timeout
        return min(self.options.timeout, max(_QUICKEST_TIMEOUT, 10 * self._slowest))

    def _account(self, body: JsonObject, held: Reservation, expected: int) -> None:
        """Count the tokens and dollars of an answered request, and note which model answered."""
        used = read_tokens_used(body)
        self.budget.charge(held, used)
        for names, key in ((self._fingerprints, "system_fingerprint"), (self._served, "model")):
            name = body.get(key)
            if isinstance(name, str) and len(names) < 8:
                names.add(name[:200])
        prompt = used.prompt or 0
        self._underestimated = max(self._underestimated, prompt / max(expected, 1))
        self.usage.prompt += prompt
        self.usage.computed += prompt - used.cached
        self.usage.cached += used.cached
        self.usage.generated += used.generated or 0

    def _learned(self, reply: Refused, path: str, content: JsonObject) -> bool:
        if (
            reply.status in (404, 405)
            or "not a chat model" in reply.reason
            or "not supported in the v1/completions" in reply.reason
        ):
            if (
                path == "/completions"
                and self.abilities.chat is None
                and "prompt" in content
                and not content.get("echo")
            ):
                self.abilities.chat = True
                return True
            return False
        return reply.status in (400, 422) and self.abilities.learn(reply.reason, reply.param, content)

    def _fatal(self, reply: Refused) -> None:
        where = f"{self.server.base_url}: {reply.reason}"
        if reply.status in (401, 403):
            raise EngineError(f"{where}; the key is read from {self.options.key_env}")
        if reply.status == 402:
            raise EngineError(f"{where}; what was answered is kept")
        if reply.status == 404:
            raise EngineError(f"{where}; is {self.model} served there?")
        if 300 <= reply.status < 400:
            raise EngineError(where)


class _End:
    pass


_END = _End()
_NO_ECHO = (
    "{url} does not give the log-probabilities of a prompt ({why}): multiple-choice tasks cannot be scored there."
    " Use tasks that generate, or run the model with --engine vllm or hf"
)


def _extra_body(options: Options) -> dict[str, Any]:
    """What a server with a chat template takes beside OpenAI's own entries."""
    given = dict(options.chat_template_args or {})
    if options.enable_thinking is not None:
        given["enable_thinking"] = options.enable_thinking
    effort = given.pop("reasoning_effort", None)
    body: dict[str, Any] = {"chat_template_kwargs": given} if given else {}
    return body if effort is None else {**body, "reasoning_effort": effort}


def _markers(options: Options) -> Thinking | None:
    if options.think_end_token is None:
        return None
    return Thinking(str(options.think_end_token), options.think_start_token, options.think_open)


def _same(answer: Answer, id_: int) -> Answer:
    if isinstance(answer, Generated):
        return Generated(id_, answer.text, answer.finish, answer.tokens, answer.reasoning, answer.top_logprobs)
    return Failed(id_, answer.reason) if isinstance(answer, Failed) else answer
