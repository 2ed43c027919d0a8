"""The planner, from outside: who is answered, in which order, and what the floor is."""

from __future__ import annotations

from array import array
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.planning import plan, trie_size
from evalkit.types import Generate, GenerateRequest, Sampling, Score, ScoreRequest, TokenRequest


def ids(*tokens: int) -> array[int]:
    return array("i", tokens)


def score(id: int, context: list[int], continuation: list[int], adapter: str | None = None) -> ScoreRequest:
    return ScoreRequest(id, ids(*context), ids(*continuation), adapter)


def generate(id: int, prompt: list[int], max_tokens: int = 8, **more: object) -> GenerateRequest:
    adapter = more.pop("adapter", None)
    sample = more.pop("sample", 0)
    sampling = Sampling(max_tokens, **more)  # type: ignore[arg-type]
    return GenerateRequest(id, ids(*prompt), sampling, sample=sample, adapter=adapter)  # type: ignore[arg-type]


# A small alphabet, so that prefixes are shared and requests repeat.
token = st.integers(0, 2) | st.sampled_from([-1, 255, 256, 65536, 2**31 - 1])
tokens = st.lists(token, min_size=1, max_size=6)
adapters = st.sampled_from([None, "a", "b"])


@st.composite
def batches(draw: st.DrawFn) -> list[TokenRequest]:
    made: list[TokenRequest] = []
    for number in range(draw(st.integers(0, 25))):
        if draw(st.booleans()):
            made.append(score(number, draw(tokens), draw(tokens), draw(adapters)))
        else:
            made.append(
                generate(
                    number,
                    draw(tokens),
                    draw(st.sampled_from([1, 8, 64])),
                    temperature=draw(st.sampled_from([0.0, 0.7])),
                    sample=draw(st.integers(0, 2)),
                    adapter=draw(adapters),
                )
            )
    return draw(st.permutations(made))


def brute_force_floor(requests: list[TokenRequest]) -> int:
    """The trie as a set of prefixes. A continuation's last token is predicted, never read."""
    nodes: set[tuple[str | None, tuple[int, ...]]] = set()
    for request in requests:
        read = (
            [*request.context, *request.continuation[:-1]]
            if isinstance(request, ScoreRequest)
            else list(request.prompt)
        )
        nodes.update((request.adapter, tuple(read[:end])) for end in range(1, len(read) + 1))
    return len(nodes)


@settings(max_examples=200, deadline=None)
@given(batches())
def test_every_request_is_answered_exactly_once_by_work_that_asks_the_same(requests: list[TokenRequest]) -> None:
    by_id = {request.id: request for request in requests}
    made = plan(requests)
    answered: Counter[int] = Counter()
    for work in made:
        if isinstance(work, Score):
            assert len(set(map(bytes, map(array.tobytes, work.continuations)))) == len(work.ids)
            for id, continuation in zip(work.ids, work.continuations, strict=True):
                for owner in made.owners(id):
                    asked = by_id[owner]
                    assert isinstance(asked, ScoreRequest)
                    assert (asked.context, asked.continuation, asked.adapter) == (
                        work.context,
                        continuation,
                        work.adapter,
                    )
                    answered[owner] += 1
        else:
            for id, sample in zip(work.ids, work.samples, strict=True):
                for owner in made.owners(id):
                    asked = by_id[owner]
                    assert isinstance(asked, GenerateRequest)
                    assert (asked.prompt, asked.sampling, asked.adapter) == (
                        work.prompt,
                        work.sampling,
                        work.adapter,
                    )
                    assert asked.sample == sample or work.sampling.temperature == 0
                    answered[owner] += 1
    assert answered == Counter(by_id.keys())
    assert len(made) == len(list(made)), "a plan can be walked again"


@settings(max_examples=200, deadline=None)
@given(batches())
def test_equal_requests_are_asked_once_and_siblings_stand_together(requests: list[TokenRequest]) -> None:
    works = list(plan(requests))
    contexts = [(w.adapter, w.context.tobytes()) for w in works if isinstance(w, Score)]
    assert len(contexts) == len(set(contexts))
    prompts = [(w.adapter, w.prompt.tobytes(), w.sampling) for w in works if isinstance(w, Generate)]
    assert len(prompts) == len(set(prompts))


@settings(max_examples=300, deadline=None)
@given(batches())
def test_the_floor_is_the_size_of_the_brute_force_trie(requests: list[TokenRequest]) -> None:
    made = plan(requests)
    assert made.floor == brute_force_floor(requests)
    assert made.floor <= made.prompt_tokens


@settings(max_examples=200, deadline=None)
@given(batches())
def test_contexts_are_walked_depth_first(requests: list[TokenRequest]) -> None:
    """A subtree, once left, is never entered again: all contexts with one prefix are neighbours."""
    works = list(plan(requests))
    walk = [(w.adapter, *w.context) for w in works if isinstance(w, Score)]
    for depth in range(1, 8):
        prefixes = [path[:depth] for path in walk if len(path) >= depth]
        runs = [p for before, p in zip([None, *prefixes], prefixes, strict=False) if before != p]
        assert len(runs) == len(set(runs))


@settings(max_examples=100, deadline=None)
@given(batches())
def test_the_base_comes_before_the_adapters_and_each_adapter_is_one_stretch(
    requests: list[TokenRequest],
) -> None:
    adapters = [work.adapter for work in plan(requests)]
    stretches = [a for before, a in zip(["start", *adapters], adapters, strict=False) if before != a]
    assert stretches == sorted(set(adapters), key=lambda name: (name is not None, name or ""))


def test_long_generations_start_first_and_all_of_them_before_the_scoring_ends() -> None:
    requests: list[TokenRequest] = [score(n, [1, n], [7]) for n in range(400)]
    requests += [generate(1000 + n, [2, n], max_tokens=16 + n % 3) for n in range(100)]
    works = list(plan(requests))
    generations = [w for w in works if isinstance(w, Generate)]
    longest_first = [w.sampling.max_tokens for w in generations]
    assert longest_first == sorted(longest_first, reverse=True)
    assert isinstance(works[0], Generate)
    last = max(n for n, w in enumerate(works) if isinstance(w, Generate))
    assert sum(isinstance(w, Score) for w in works[last:]) >= 200
    assert any(isinstance(w, Score) for w in works[:last]), "scoring runs beside generating"


def test_samples_of_one_prompt_are_one_item_and_greedy_ones_a_single_answer() -> None:
    sampled = plan([generate(n, [1, 2], temperature=0.8, sample=n) for n in range(4)])
    (work,) = sampled
    assert isinstance(work, Generate)
    assert work.samples == (0, 1, 2, 3)
    greedy = plan([generate(n, [1, 2], sample=n) for n in range(4)])
    (work,) = greedy
    assert isinstance(work, Generate)
    assert work.samples == (0,)
    assert greedy.owners(work.ids[0]) == (0, 1, 2, 3)


def test_knobs_that_do_not_hash_still_group() -> None:
    made = plan([generate(n, [1], extra=(("bad_words", ["x", "y"]),)) for n in range(2)])
    assert len(made) == 1
    assert made.owners(0) == (0, 1)


def test_an_id_given_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="id 3 was given twice"):
        plan([score(3, [1], [2]), score(3, [1], [4])])


def test_trie_size_of_nothing_and_of_equal_prompts() -> None:
    assert trie_size([]) == 0
    assert trie_size([ids(1, 2).tobytes()] * 3) == 2
