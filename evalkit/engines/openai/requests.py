"""Makes requests for a model with given abilities, and reads its answers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from evalkit.engines.openai.logprobs import BadLogprob, is_greedy, logprob, read_logprobs
from evalkit.engines.openai.tokens_used import read_tokens_used
from evalkit.tokens.thinking import Thinking, split
from evalkit.types import (
    Answer,
    Failed,
    Finish,
    Generate,
    Generated,
    JsonObject,
    Message,
    Prompt,
    Sampling,
    Score,
    Scored,
)

__all__ = ["Abilities", "generate_body", "read_choices", "read_scores", "score_body", "text_of"]

_PROBED = {"logprobs": "logprobs", "n": "n", "temperature": "temperature", "response_format": "structured output"}
_FORM = re.compile(r"json_schema|structured[ _]output|guided|grammar|xgrammar|outlines")
_TELLING = 3
"""Replies without log-probabilities after which none are expected. A single one may be a refusal, which has none."""


@dataclass(slots=True)
class Abilities:
    """What the model supports. Everything counts as supported until a refusal names the parameter."""

    chat: bool | None = None
    """Whether plain prompts go to the chat endpoint; None until it is known."""
    token_limit: str = "max_tokens"
    refused_limits: set[str] = field(default_factory=set)
    """The names of the token limit that the server has refused."""
    off: set[str] = field(default_factory=set)
    """Of: logprobs, n, temperature, top_p, seed, stop, system, response_format."""
    top_logprobs: int = 20
    stops: int = 0
    """The number of stop strings that the server takes; 0: any. The others are applied here."""
    echo: bool | None = None
    taken: set[str] = field(default_factory=set)
    """Parameters that were sent and not refused."""
    extra_body: Mapping[str, Any] = field(default_factory=dict)
    """Goes into every generating request: arguments for the server's chat template."""
    thinking: Thinking | None = None
    """The markers of thoughts in the text; None if the server sends them apart, or there are none."""
    thinks: bool = False
    """Whether a reply had a thought: stop strings then are not sent, for they would count inside it, but cut here."""
    ignored: set[str] = field(default_factory=set)
    """Parameters that the server took without effect. They are not sent any more."""
    without_logprobs: int = 0
    """Replies without the requested log-probabilities, until a reply has some."""
    logprobs_given: bool = False
    form_kept: bool | None = None
    """Whether an answer followed `response_format`; None until one was requested."""

    def has(self, name: str) -> bool:
        return name not in self.off and name not in self.ignored

    def learn(self, reason: str, param: str | None, body: JsonObject) -> bool:
        """Learn from a refusal. Returns whether it names a parameter that can be left out in another try."""
        text = reason.lower()
        other = "max_tokens" if self.token_limit == "max_completion_tokens" else "max_completion_tokens"
        if (
            self.token_limit in body
            and other not in self.refused_limits
            and _names(text, param, "max_completion_tokens")
        ):
            # A server that refuses both names would otherwise be asked for ever.
            self.refused_limits.add(self.token_limit)
            self.token_limit = other
            return True
        if "top_logprobs" in body and re.search(r"top_?logprobs", text):
            smaller = [n for n in (20, 10, 5, 1) if n < int(body["top_logprobs"])]
            limit = re.search(r"(?:at most|<=|less than or equal to|maximum(?: of)?|between 0 and)\s*(\d+)", text)
            if limit and 0 < int(limit[1]) < int(body["top_logprobs"]):
                self.top_logprobs = int(limit[1])
                return True
            if smaller and re.search(r"range|greater|large|limit|maximum|exceed|at most", text):
                self.top_logprobs = smaller[0]
                return True
        if "stop" in body and isinstance(body["stop"], list) and len(body["stop"]) > 4 and _names(text, param, "stop"):
            self.stops = 4
            return True
        if "response_format" in body and self.has("response_format") and _FORM.search(text):
            self.off.add("response_format")
            return True
        for name in ("logprobs", "temperature", "response_format", "seed", "top_p", "stop", "n"):
            if (
                name in body
                and self.has(name)
                and (_names(text, param, name) or (name == "logprobs" and "top_logprobs" in text))
            ):
                self.off.add(name)
                return True
        roles = {message.get("role") for message in body.get("messages", ())}
        if "system" in roles and self.has("system") and re.search(r"system|developer|roles? must alternate", text):
            self.off.add("system")
            return True
        return False

    def accepted(self, body: JsonObject) -> None:
        self.taken.update(name for name in _PROBED if name in body)
        if any(message.get("role") == "system" for message in body.get("messages", ())):
            self.taken.add("system")

    def answered_in_form(self, answers: Sequence[Answer]) -> None:
        """Note whether an answer followed `response_format`: some servers take it and ignore it."""
        texts = [answer.text for answer in answers if isinstance(answer, Generated) and answer.finish == "stop"]
        if texts and not self.form_kept:
            self.form_kept = any(text.lstrip().startswith("{") for text in texts)

    def answered_with_logprobs(self, answers: Sequence[Answer]) -> None:
        """Note whether a reply had log-probabilities: some servers take the parameter and send none."""
        replies = [answer for answer in answers if isinstance(answer, Generated)]
        if any(reply.top_logprobs for reply in replies):
            self.logprobs_given, self.without_logprobs = True, 0
        elif any(reply.text for reply in replies) and not self.logprobs_given:
            self.without_logprobs += 1
            if self.without_logprobs >= _TELLING:
                self.ignored.add("logprobs")

    def _support(self, name: str) -> str:
        if name in self.off:
            return "no"
        unseen = {"response_format": self.form_kept is False, "logprobs": self.without_logprobs > 0}
        if name in self.ignored or unseen.get(name):
            return "ignored"
        return "yes" if name in self.taken else "not asked"

    def describe(self) -> JsonObject:
        return {
            "supports": {_PROBED.get(name, name): self._support(name) for name in (*_PROBED, "system")},
            "endpoint": {True: "chat", False: "completions", None: "not known yet"}[self.chat],
            "refused": sorted(self.off),
            "top_logprobs": self.top_logprobs if self.has("logprobs") else 0,
            "echo": self.echo,
        }


def _names(text: str, param: str | None, name: str) -> bool:
    if len(name) == 1:  # a single letter such as `n` is a word in any sentence
        pattern = rf"['\"`]{name}['\"`]|\b{name}\s*(?:>|=|must|greater)"
    else:
        pattern = rf"(?<![\w-]){re.escape(name)}(?![\w-])"
    return param == name or re.search(pattern, text) is not None


# ── generating ───────────────────────────────────────────────────────────────


def text_of(prompt: Prompt) -> str:
    return prompt if isinstance(prompt, str) else "\n".join(message.content for message in prompt)


def _messages(prompt: Prompt, abilities: Abilities) -> list[dict[str, str]] | None:
    """The messages; None if the prompt is plain text. A MessagePrompt is text with messages."""
    if isinstance(prompt, str):
        given: Sequence[Mapping[str, str]] | None = getattr(prompt, "messages", None)
        if given is None:
            return None
        turns = [Message(m["role"], m["content"]) for m in given]
    else:
        turns = list(prompt)
    if not abilities.has("system"):
        turns = _without_system(turns)
    return [{"role": turn.role, "content": turn.content} for turn in turns]


def _without_system(turns: Sequence[Message]) -> list[Message]:
    instruction = "\n\n".join(turn.content for turn in turns if turn.role == "system")
    rest = [turn for turn in turns if turn.role != "system"]
    if instruction and rest and rest[0].role == "user":
        return [Message("user", f"{instruction}\n\n{rest[0].content}"), *rest[1:]]
    return [Message("user", instruction), *rest] if instruction else rest


def generate_body(model: str, item: Generate, samples: int, abilities: Abilities) -> tuple[str, JsonObject]:
    """The path and the body that ask for `samples` answers at once."""
    sampling = item.sampling
    messages = _messages(item.text, abilities)
    body: dict[str, object] = {"model": model}
    if messages is None and abilities.chat and not item.prompt:
        messages = [{"role": "user", "content": str(item.text)}]
    if messages is not None:
        path = "/chat/completions"
        body["messages"] = messages
        body[abilities.token_limit] = sampling.max_tokens
    else:
        path = "/completions"
        body["prompt"] = list(item.prompt) if item.prompt else str(item.text)
        body["max_tokens"] = sampling.max_tokens
    body |= {**_knobs(sampling, samples, abilities), **abilities.extra_body}
    tops = dict(sampling.extra).get("top_logprobs")
    if tops and abilities.has("logprobs"):
        count = min(int(tops), abilities.top_logprobs)
        body |= {"logprobs": True, "top_logprobs": count} if messages is not None else {"logprobs": count}
    return path, body


def _knobs(sampling: Sampling, samples: int, abilities: Abilities) -> JsonObject:
    extra = {name: value for name, value in sampling.extra if name not in ("top_logprobs", "do_sample")}
    knobs: dict[str, object] = {"temperature": sampling.temperature}
    if samples > 1:
        knobs["n"] = samples
    if sampling.temperature > 0:
        if sampling.top_p != 1.0:
            knobs["top_p"] = sampling.top_p
        if sampling.seed is not None:
            knobs["seed"] = sampling.seed
        if sampling.top_k > 0:
            knobs["top_k"] = sampling.top_k
        if sampling.min_p > 0:
            knobs["min_p"] = sampling.min_p
    if sampling.repetition_penalty != 1.0:
        knobs["repetition_penalty"] = sampling.repetition_penalty
    if sampling.stop and not abilities.thinks and abilities.thinking is None:
        knobs["stop"] = list(sampling.stop[: abilities.stops or None])
    return {name: value for name, value in {**knobs, **extra}.items() if abilities.has(name)}


def read_choices(
    body: JsonObject, ids: Sequence[int], stop: Sequence[str], thinking: Thinking | None = None
) -> list[Answer]:
    """One answer for each choice, as long as there are ids."""
    total = read_tokens_used(body).generated or 0
    choices = [choice for choice in body["choices"] if isinstance(choice, Mapping)][: len(ids)]
    share, rest = divmod(total, len(choices)) if choices else (0, 0)
    return [
        _choice(choice, id_, stop, share + (rest if number == 0 else 0), thinking)
        for number, (id_, choice) in enumerate(zip(ids, choices, strict=False))
    ]


def _choice(choice: JsonObject, id_: int, stop: Sequence[str], tokens: int, thinking: Thinking | None = None) -> Answer:
    message = choice.get("message")
    reasoning = None
    if isinstance(message, Mapping):
        text = _joined(message.get("content"))
        reasoning = message.get("reasoning_content") or message.get("reasoning")
        if text is None:
            text = message.get("refusal")
    else:
        text = choice.get("text")
    ended = choice.get("finish_reason")
    if ended == "content_filter":
        return Failed(id_, "the server's content filter held the answer back")
    if text is None and ended != "length" and not reasoning:
        return Failed(id_, "the server sent a choice without text")
    finish: Finish = "length" if ended == "length" else "stop"
    if reasoning and not text and (ended == "length" or text is None):
        finish = "unfinished"  # it ended inside the thought: at a limit, or at a stop string
    try:
        logprobs = read_logprobs(choice.get("logprobs"))
    except BadLogprob as error:
        return Failed(id_, str(error))
    if thinking is not None and not reasoning:
        text, reasoning, finish = split(str(text or ""), finish, (), thinking)
    cut = _cut(str(text or ""), stop)
    if cut != text and text:
        finish = "stop"
    return Generated(id_, cut, finish, tokens, reasoning and str(reasoning), logprobs)


def _joined(content: Any) -> Any:
    """Some servers send a message in parts: `[{"type": "text", "text": "4"}]`."""
    if not isinstance(content, list):
        return content
    texts = [part.get("text") if isinstance(part, Mapping) else part for part in content]
    return "".join(text for text in texts if isinstance(text, str)) if content else None


def _cut(text: str, stops: Sequence[str]) -> str:
    """Cut the text at a stop string, for servers that take fewer of them or leave them in the text."""
    ends = [at for at in (text.find(stop) for stop in stops if stop) if at >= 0]
    return text[: min(ends)] if ends else text


# ── scoring ──────────────────────────────────────────────────────────────────


def score_body(model: str, item: Score) -> tuple[str, JsonObject]:
    """The body that asks for all continuations of a context in one request, with the log-probability of every token."""
    prompts = [[*item.context, *continuation] for continuation in item.continuations]
    return "/completions", {
        "model": model,
        "prompt": prompts,
        "echo": True,
        "max_tokens": 1,
        "logprobs": 1,
        "temperature": 0.0,
        "seed": 0,
    }


def read_scores(body: JsonObject, item: Score) -> list[Scored | Failed] | str:
    """The answers, or what the server left out. An impossible log-probability fails only its own continuation."""
    choices = sorted((choice for choice in body["choices"] if isinstance(choice, Mapping)), key=_index)
    if len(choices) != len(item.ids):
        return f"{len(choices)} choices came back for {len(item.ids)} prompts"
    scored: list[Scored | Failed] = []
    for id_, continuation, choice in zip(item.ids, item.continuations, choices, strict=True):
        given = choice.get("logprobs")
        logprobs = given if isinstance(given, Mapping) else {}
        own, tops = (_list(logprobs.get(name)) for name in ("token_logprobs", "top_logprobs"))
        start, end = len(item.context), len(item.context) + len(continuation)
        if len(own) not in (end, end + 1) or any(p is None for p in own[start:end]):
            return f"log-probabilities of {len(own)} tokens came back for a prompt of {end}"
        try:
            total = sum(min(logprob(p), 0.0) for p in own[start:end])
            greedy = is_greedy(own, tops, start, end)
        except BadLogprob as error:
            scored.append(Failed(id_, str(error)))
        else:
            scored.append(Scored(id_, float(total), greedy))
    return scored


def _index(choice: JsonObject) -> int:
    index = choice.get("index")
    return index if isinstance(index, int) else 0


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
