"""The real vLLM, started once: numbers against transformers, one stream, generations, adapters."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from evalkit.engines.base import Engine
from evalkit.engines.vllm import VllmEngine
from evalkit.errors import UsageError
from evalkit.planning import plan
from evalkit.types import (
    Answer,
    Failed,
    Generate,
    Generated,
    Sampling,
    Score,
    Scored,
    ScoreRequest,
    Work,
)
from tests.helpers.vllm_work import (
    BLOCK,
    LENGTH,
    Items,
    answers,
    asked,
    assert_true,
    ids,
    needs_vllm,
    some,
    some_scores,
)


@pytest.mark.vllm
@needs_vllm
class TestScoring:
    def test_the_self_test_chose_the_fast_way(self, engine: VllmEngine) -> None:
        assert isinstance(engine, Engine)
        assert engine.description["scoring_path"] == "fast"
        assert engine.description["self_test"]["largest_difference"] <= 1e-3
        assert engine.description["block_size"] in (BLOCK // 2, BLOCK)
        json.dumps(engine.description)

    def test_one_token_labels_of_questions_that_share_a_prefix(self, engine: VllmEngine, truth: Any) -> None:
        rng, items = random.Random(1), Items()
        prefix = some(rng, 150)
        for _ in range(12):
            items.score(prefix + some(rng, rng.randrange(1, 70)), *(some(rng, 1) for _ in range(4)))
        engine.usage.__init__()  # type: ignore[misc]
        assert_true(engine, items.works, truth)
        floor = plan(_requests(items.works)).floor
        assert engine.usage.computed <= floor + len(items.works) * BLOCK
        assert engine.usage.computed + engine.usage.cached == engine.usage.prompt

    def test_siblings_that_share_their_first_tokens(self, engine: VllmEngine, truth: Any) -> None:
        rng, items = random.Random(2), Items()
        for shared in (1, 3, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 3):
            start = some(rng, shared)
            items.score(some(rng, 45), start + some(rng, 2), start + some(rng, 9), start, start[:1] + some(rng, 4))
        assert_true(engine, items.works, truth)

    def test_siblings_that_part_exactly_at_a_blocks_edge(self, engine: VllmEngine, truth: Any) -> None:
        rng, items = random.Random(3), Items()
        for before_edge in (1, 2, 7, BLOCK - 1):
            start = some(rng, before_edge)
            items.score(
                some(rng, 2 * BLOCK - before_edge), start + some(rng, 5), start + some(rng, 3), start + some(rng, 1)
            )
        items.score(some(rng, 2 * BLOCK), some(rng, 5), some(rng, 40), some(rng, 2))
        assert_true(engine, items.works, truth)

    def test_contexts_shorter_than_a_block_and_choices_of_mixed_lengths(self, engine: VllmEngine, truth: Any) -> None:
        rng, items = random.Random(4), Items()
        for length in (1, 2, 5, BLOCK - 1):
            items.score(some(rng, length), *(some(rng, n) for n in (1, 2, 3, 17, 60)))
            items.score(some(rng, length), *(some(rng, n) for n in (2, 5)))
        assert_true(engine, items.works, truth)

    def test_more_labels_than_vllm_gives_at_once(self, engine: VllmEngine, truth: Any) -> None:
        rng, items = random.Random(5), Items()
        items.score(some(rng, 50), *(ids(n) for n in range(3, 48)))
        assert_true(engine, items.works, truth)

    def test_reserved_ids_are_labels_like_any_other(self, engine: VllmEngine, truth: Any) -> None:
        """Shorter label lists are padded with id 0: it must still be readable as a label of its own."""
        rng, items = random.Random(6), Items()
        items.score(some(rng, 50), ids(0), ids(1), ids(2))
        items.score(some(rng, 51), *(ids(n) for n in (0, 9, 11, 12, 13)))
        items.score(some(rng, 52), ids(0))
        assert_true(engine, items.works, truth)

    def test_long_continuations_and_prompts_up_to_the_window(self, engine: VllmEngine, truth: Any) -> None:
        rng, items = random.Random(7), Items()
        items.score(some(rng, 1), some(rng, 400))
        items.score(some(rng, LENGTH - 1), some(rng, 1))
        items.score(some(rng, LENGTH - 3), some(rng, 3))
        assert_true(engine, items.works, truth)

    def test_the_likeliest_continuation_is_greedy(self, engine: VllmEngine, truth: Any) -> None:
        rng, items = random.Random(8), Items()
        for length in (1, 2, 6):
            context = some(rng, 40)
            best = ids(*truth.greedy(context, length))
            items.score(context, best, best[:-1] + ids((best[-1] + 1) % 1000), best + some(rng, 1))
        found = assert_true(engine, items.works, truth)
        assert [found[n].is_greedy for n in (0, 3, 6)] == [True] * 3  # type: ignore[union-attr]

    def test_work_that_was_all_done_before_gives_the_same(self, engine: VllmEngine, truth: Any) -> None:
        rng, items = random.Random(9), Items()
        start = some(rng, BLOCK)
        items.score(some(rng, 70), start + some(rng, 3), start + some(rng, 40), some(rng, 90))
        first = assert_true(engine, items.works, truth)
        again = assert_true(engine, items.works, truth)
        for id, answer in first.items():
            assert isinstance(answer, Scored)
            assert answer.logprob == pytest.approx(again[id].logprob, abs=1e-5)  # type: ignore[union-attr]

    def test_a_context_that_continues_another_ones_choice(self, engine: VllmEngine, truth: Any) -> None:
        rng, items = random.Random(10), Items()
        context, choice = some(rng, 60), some(rng, 70)
        items.score(context + choice, some(rng, 4), some(rng, 1))
        items.score(context, choice, choice[:40] + some(rng, 5))
        assert_true(engine, items.works, truth)

    def test_a_prompt_that_vllm_refuses_fails_alone(self, engine: VllmEngine, truth: Any) -> None:
        rng, items = random.Random(11), Items()
        good = items.score(some(rng, 20), some(rng, 1), some(rng, 3))
        items.score(some(rng, LENGTH + 5), some(rng, 1), some(rng, 2))
        items.score(ids(), ids(5))
        half = items.score(some(rng, LENGTH - 10), some(rng, 2), some(rng, 40))
        unknown = items.score(some(rng, 5), ids(5), adapter="nobody")
        items.generate(some(rng, LENGTH + 1), Sampling(4))
        found = answers(engine, items.works)
        assert set(found) == asked(items.works)
        failed = {id: a.reason for id, a in found.items() if isinstance(a, Failed)}
        refused = [id for work in items.works if work not in (good, half) for id in work.ids]
        assert set(failed) == {*refused, half.ids[1]}
        assert "maximum model length" in failed[half.ids[1]]
        assert "nobody" in failed[unknown.ids[0]]
        assert_true(engine, [good, Score(half.ids[:1], half.context, half.continuations[:1])], truth)


def _requests(works: Iterable[Work]) -> Iterator[ScoreRequest]:
    for work in works:
        assert isinstance(work, Score)
        for id, continuation in zip(work.ids, work.continuations, strict=True):
            yield ScoreRequest(id, work.context, continuation, work.adapter)


@pytest.mark.vllm
@needs_vllm
class TestStream:
    def test_nothing_yet_does_not_hold_up_what_is_in_flight(self, engine: VllmEngine) -> None:
        rng, items = random.Random(20), Items()
        first = items.score(some(rng, 20), some(rng, 1))
        second = items.score(some(rng, 20), some(rng, 3))
        got: list[Answer] = []

        def feed() -> Iterator[Work | None]:
            yield None
            yield first
            deadline = time.monotonic() + 60
            while not got and time.monotonic() < deadline:
                yield None
            assert got, "the first answer came while the stream had nothing yet"
            yield second

        for answer in engine.run(feed()):
            got.append(answer)
        assert {a.id for a in got} == {0, 1}

    def test_work_is_pulled_only_while_there_is_room(self, engine: VllmEngine) -> None:
        rng = random.Random(21)
        pulled = answered = most = 0

        def feed() -> Iterator[Work]:
            nonlocal pulled
            for n in range(1500):
                pulled += 1
                yield Score((n,), some(rng, 4), (some(rng, 1),))

        for _ in engine.run(feed()):
            most = max(most, pulled - answered)
            answered += 1
        assert answered == 1500
        assert most <= 300

    def test_a_stream_left_early_leaves_the_engine_usable(self, engine: VllmEngine, truth: Any) -> None:
        rng, items = random.Random(22), Items()
        for _ in range(30):
            items.generate(some(rng, 20), Sampling(100, extra=(("ignore_eos", True),)))
        stream = engine.run(iter([*items.works, *some_scores(rng, 1000)]))
        next(stream)
        stream.close()  # type: ignore[attr-defined]
        again = Items()
        again.score(some(rng, 33), some(rng, 1), some(rng, 5))
        assert_true(engine, again.works, truth)

    def test_an_error_in_the_stream_of_work_is_its_own(self, engine: VllmEngine, truth: Any) -> None:
        rng, items = random.Random(23), Items()
        items.score(some(rng, 33), some(rng, 1))

        def feed() -> Iterator[Work]:
            yield items.works[0]
            raise RuntimeError("the feeder broke")

        with pytest.raises(RuntimeError, match="the feeder broke"):
            list(engine.run(feed()))
        assert_true(engine, items.works, truth)

    def test_scores_and_generations_side_by_side(self, engine: VllmEngine, truth: Any) -> None:
        """Short scores overtake a long generation that was handed in before them."""
        rng = random.Random(24)
        long = Generate((0,), some(rng, 10), Sampling(200, extra=(("ignore_eos", True),)))
        order = [a.id for a in engine.run(iter([long, *some_scores(rng, 1)]))]
        assert order == [1, 0]


@pytest.mark.vllm
@needs_vllm
class TestGenerating:
    def test_greedy_text_is_the_models(self, engine: VllmEngine, truth: Any, tiny_model: Path) -> None:
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(tiny_model)
        rng, items = random.Random(30), Items()
        for length in (3, 40, 100):
            items.generate(some(rng, length), Sampling(12, extra=(("ignore_eos", True),)))
        found = answers(engine, items.works)
        for work in items.works:
            assert isinstance(work, Generate)
            tokens = truth.greedy(work.prompt, 12)
            answer = found[work.ids[0]]
            assert isinstance(answer, Generated)
            assert answer.text == tokenizer.decode(tokens, skip_special_tokens=False)
            assert (answer.tokens, answer.finish) == (12, "length")

    def test_stop_strings_end_the_text_and_are_left_out(self, engine: VllmEngine) -> None:
        rng, items = random.Random(31), Items()
        prompt = some(rng, 30)
        items.generate(prompt, Sampling(40, extra=(("ignore_eos", True),)))
        whole = answers(engine, items.works)[0]
        assert isinstance(whole, Generated)
        stop = whole.text[len(whole.text) // 2 :][:3]
        stopped = Items()
        stopped.generate(prompt, Sampling(40, stop=("", "\0never", stop), extra=(("ignore_eos", True),)))
        answer = answers(engine, stopped.works)[0]
        assert isinstance(answer, Generated)
        assert answer.text == whole.text.split(stop)[0]
        assert answer.finish == "stop"
        assert answer.tokens < whole.tokens

    def test_a_sample_is_the_same_alone_beside_others_and_later(self, engine: VllmEngine) -> None:
        rng = random.Random(32)
        prompt, sampling = some(rng, 25), Sampling(10, temperature=1.0)
        whole = Items()
        whole.generate(prompt, sampling, samples=tuple(range(6)))
        together = answers(engine, whole.works)
        texts = [together[n].text for n in range(6)]  # type: ignore[union-attr]
        assert len(set(texts)) > 1
        rest = Items()
        rest.generate(prompt, sampling, samples=(4,))
        alone = answers(engine, rest.works)[0]
        assert isinstance(alone, Generated)
        assert alone.text == texts[4]

    def test_a_sample_does_not_depend_on_how_its_prompt_was_cut_up(self, engine: VllmEngine) -> None:
        """More prompt tokens than vLLM reads in one step: some prompts are read in two."""
        rng, items = random.Random(34), Items()
        for _ in range(24):
            items.generate(some(rng, 400), Sampling(6, temperature=1.0, top_k=50, seed=7))
        engine.forget()
        together = answers(engine, items.works)
        engine.forget()
        for work in items.works[7:14]:
            alone = answers(engine, [work])[work.ids[0]]
            assert isinstance(alone, Generated)
            assert alone == together[alone.id]

    def test_the_likeliest_alternatives_where_they_are_asked_for(self, engine: VllmEngine, truth: Any) -> None:
        """Beside scores: labels and alternatives must not lose one another in a batch."""
        rng, items = random.Random(33), Items()
        knobs = (("ignore_eos", True), ("top_logprobs", 5))
        for n in range(6):
            items.score(some(rng, 20), some(rng, 1), some(rng, 4))
            items.generate(some(rng, 20), Sampling(3 + n, extra=knobs))
        items.generate(some(rng, 20), Sampling(3))
        found = answers(engine, items.works)
        for work in items.works[:-1]:
            answer = found[work.ids[0]]
            if isinstance(work, Score):
                assert isinstance(answer, Scored)
                assert answer.logprob == pytest.approx(truth(work.context, work.continuations[0])[0], abs=1e-4)
                continue
            assert isinstance(answer, Generated)
            assert answer.top_logprobs is not None
            assert len(answer.top_logprobs) == answer.tokens
            assert all(len(alternatives) == 5 for alternatives in answer.top_logprobs)
            assert all(a[0][1] >= max(value for _, value in a) - 1e-6 for a in answer.top_logprobs), "greedy"
            assert answer.top_logprobs[0][0][1] == pytest.approx(
                truth(work.prompt, ids(*truth.greedy(work.prompt, 1)))[0], abs=1e-4
            )
        plain = found[items.works[-1].ids[0]]
        assert isinstance(plain, Generated)
        assert plain.top_logprobs is None

    def test_a_misspelt_sampling_option_is_a_usage_error_that_names_the_nearest(self, engine: VllmEngine) -> None:
        items = Items()
        items.generate(ids(5, 6), Sampling(4, extra=(("presence_penaltyy", 0.1),)))
        with pytest.raises(UsageError, match="presence_penalty"):
            answers(engine, items.works)
        # The mistake was in the request: the engine goes on.
        fine = Items()
        fine.generate(ids(5, 6), Sampling(4, extra=(("num_beams", 1), ("presence_penalty", 0.1))))
        assert isinstance(answers(engine, fine.works)[0], Generated)


@pytest.mark.vllm
@needs_vllm
class TestAdapters:
    def test_base_and_adapters_in_one_pass_are_each_their_own(self, engine: VllmEngine, truth: Any) -> None:
        rng, items = random.Random(40), Items()
        for _ in range(4):
            context, choices = some(rng, rng.randrange(5, 90)), [some(rng, n) for n in (1, 1, 4)]
            for adapter in ("a", None, "b"):
                items.score(context, *choices, adapter=adapter)
        found = assert_true(engine, items.works, truth)
        by_adapter = [found[n].logprob for n in (0, 3, 6)]  # type: ignore[union-attr]
        assert len({round(value, 3) for value in by_adapter}) == 3

    def test_an_adapter_that_vllm_refuses_is_named_and_its_work_fails(self, engine: VllmEngine) -> None:
        assert "DoRA" in engine.refused["dora"]
        assert engine.description["adapters"]["loaded"] == ["a", "b"]
        items = Items()
        items.score(ids(5, 6), ids(7), adapter="dora")
        assert isinstance(answers(engine, items.works)[0], Failed)
