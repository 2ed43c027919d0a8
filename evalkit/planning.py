"""Plans the order in which the requests of a run go to the engine.

Equal requests are asked once. The continuations of one context form one item of work, and the contexts are
in depth-first order of their token trie: all requests that share a prefix follow each other, so a prefix
cache keeps it as long as it is needed, even if the cache is smaller than the trie. Generations start early,
the longest first, so that no long one runs alone at the end; scoring fills the rest of the batch.

The floor is the number of nodes of that trie: the prompt tokens that a perfect prefix cache would compute.
It is exact, so a run can report how close it came.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from evalkit.types import (
    Generate,
    GenerateRequest,
    Prompt,
    Sampling,
    Score,
    ScoreRequest,
    TokenIds,
    TokenRequest,
    Work,
)

__all__ = ["Plan", "common_prefix", "plan", "trie_size"]

_BURST = 32
"""Generations between two stretches of scoring: enough to fill a batch, few enough to mix with scoring."""

_GENERATIONS_BY = 0.5
"""All generations are handed out by this share of the scoring; the rest of it runs beside the slowest of them."""


@dataclass(slots=True)
class _PrefixGroup:
    """Requests with the same context, which become one item of work. `key` is the context's bytes, for sorting."""

    adapter: str | None
    key: bytes
    first: TokenRequest
    members: dict[object, list[int]] = field(default_factory=dict)
    """Maps what distinguishes a request in the group (continuation, sample number) to the ids of equal requests."""
    tokens: list[TokenIds] = field(default_factory=list)


class Plan:
    """The work in order. It can be iterated several times; items are made on demand."""

    floor: int
    """The number of nodes of the token trie of all prompts: the fewest prompt tokens that must be computed."""
    prompt_tokens: int
    """Tokens of all prompts without sharing: what is computed if no prefix is reused."""

    def __init__(self, groups: Sequence[_PrefixGroup], floor: int, prompt_tokens: int) -> None:
        self._groups = groups
        self._owners = {ids[0]: tuple(ids) for group in groups for ids in group.members.values()}
        self.floor = floor
        self.prompt_tokens = prompt_tokens

    def __iter__(self) -> Iterator[Work]:
        return map(_work, self._groups)

    def __len__(self) -> int:
        return len(self._groups)

    def owners(self, id: int) -> tuple[int, ...]:
        """The ids of all requests that are equal to `id`, `id` itself first."""
        return self._owners[id]


def plan(requests: Iterable[TokenRequest]) -> Plan:
    """Order the requests of all tasks. Ids must be unique."""
    scores: dict[object, _PrefixGroup] = {}
    generations: dict[object, _PrefixGroup] = {}
    seen: set[int] = set()
    for request in requests:
        if request.id in seen:
            raise ValueError(f"request id {request.id} was given twice")
        seen.add(request.id)
        if isinstance(request, ScoreRequest):
            _add_score(scores, request)
        else:
            _add_generation(generations, request)

    prompts: dict[str | None, list[bytes]] = {}
    for group in [*scores.values(), *generations.values()]:
        prompts.setdefault(group.adapter, []).extend(_prompts(group))
    floor = sum(trie_size(of_adapter) for of_adapter in prompts.values())
    total = sum(len(prompt) for of_adapter in prompts.values() for prompt in of_adapter) // _ITEM

    ordered: list[_PrefixGroup] = []
    for adapter in sorted(prompts, key=lambda name: (name is not None, name or "")):
        ordered += _mix(
            sorted((g for g in generations.values() if g.adapter == adapter), key=_longest_first),
            sorted((g for g in scores.values() if g.adapter == adapter), key=lambda g: g.key),
        )
    for group in ordered:
        group.key = b""
    return Plan(ordered, floor, total)


def trie_size(prompts: Iterable[bytes]) -> int:
    """The number of nodes of the token trie of prompts, given as the bytes of their ids; equal prompts count once."""
    nodes, previous = 0, b""
    for prompt in sorted(set(prompts)):
        nodes += len(prompt) // _ITEM - _common(previous, prompt)
        previous = prompt
    return nodes


def common_prefix(a: TokenIds, b: TokenIds) -> int:
    """The length in tokens of the longest common prefix of two prompts."""
    return _common(a.tobytes(), b.tobytes())


# ── grouping ─────────────────────────────────────────────────────────────────

_ITEM = array("i").itemsize


def _add_score(groups: dict[object, _PrefixGroup], request: ScoreRequest) -> None:
    context = request.context.tobytes()
    group = groups.setdefault((request.adapter, context), _PrefixGroup(request.adapter, context, request))
    ids = group.members.setdefault(request.continuation.tobytes(), [])
    if not ids:
        group.tokens.append(request.continuation)
    ids.append(request.id)


def _add_generation(groups: dict[object, _PrefixGroup], request: GenerateRequest) -> None:
    prompt = request.prompt.tobytes()
    key = (request.adapter, prompt, request.text, _hashable(request.sampling))
    group = groups.setdefault(key, _PrefixGroup(request.adapter, prompt, request))
    # A greedy answer is the same for every sample number.
    sample = 0 if request.sampling.temperature == 0 else request.sample
    group.members.setdefault(sample, []).append(request.id)


def _hashable(sampling: Sampling) -> object:
    """A hashable form of the options: those from --gen-kwargs may hold lists."""
    try:
        hash(sampling)
    except TypeError:
        return repr(sampling)
    return sampling


def _prompts(group: _PrefixGroup) -> Iterator[bytes]:
    """The token sequences that a model reads for this group; the last token of a continuation is not read."""
    if isinstance(group.first, GenerateRequest):
        yield group.key
        return
    longer = [tokens for tokens in group.tokens if len(tokens) > 1]
    if len(longer) < len(group.tokens):
        yield group.key
    for tokens in longer:
        yield group.key + tokens[:-1].tobytes()


# ── order ────────────────────────────────────────────────────────────────────


def _longest_first(group: _PrefixGroup) -> tuple[int, bytes, Prompt]:
    assert isinstance(group.first, GenerateRequest)
    return -group.first.sampling.max_tokens, group.key, repr(group.first.text)


def _mix(generations: list[_PrefixGroup], scores: list[_PrefixGroup]) -> Iterator[_PrefixGroup]:
    """Spread bursts of generations over the first part of the scoring."""
    done = 0
    for start in range(0, len(generations), _BURST):
        yield from generations[start : start + _BURST]
        upto = int(len(scores) * _GENERATIONS_BY * min(1.0, (start + _BURST) / len(generations)))
        yield from scores[done:upto]
        done = upto
    yield from scores[done:]


def _work(group: _PrefixGroup) -> Work:
    ids = tuple(members[0] for members in group.members.values())
    first = group.first
    if isinstance(first, ScoreRequest):
        return Score(ids, first.context, tuple(group.tokens), first.adapter)
    samples = tuple(sample for sample in group.members if isinstance(sample, int))
    return Generate(ids, first.prompt, first.sampling, samples, first.text, first.adapter)


# ── bytes of token ids ───────────────────────────────────────────────────────


def _common(a: bytes, b: bytes) -> int:
    shorter = min(len(a), len(b)) // _ITEM
    differs = np.frombuffer(a, np.intc, shorter) != np.frombuffer(b, np.intc, shorter)
    first = int(differs.argmax()) if shorter else 0
    return first if shorter and differs[first] else shorter
