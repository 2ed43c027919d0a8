"""The transformers engine gives lm-eval's numbers and texts, whatever it shares, batches or switches."""

from __future__ import annotations

import json
import math
import shutil
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evalkit.engines import huggingface
from evalkit.engines.base import Engine
from evalkit.errors import CheckpointError, EngineError, UsageError
from evalkit.planning import plan
from evalkit.types import (
    Adapter,
    Answer,
    Failed,
    Generate,
    Generated,
    GenerateRequest,
    ModelSpec,
    Sampling,
    Score,
    Scored,
    ScoreRequest,
    Work,
)
from tests.helpers.checkpoints import break_checkpoint, corpus, make_adapter, make_checkpoint, make_extended_adapter

VOCAB = 1024
TEXT = corpus(400, seed=11)
STOPS = ("\n\n", "?", "Q:")


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def spec(folder: Path, **fields: Any) -> ModelSpec:
    return ModelSpec(typed=folder.name, source=str(folder), dtype="float32", **fields)


@pytest.fixture(scope="module")
def engine(tiny_model: Path) -> Iterator[Engine]:
    made = huggingface.load(spec(tiny_model))
    yield made
    made.close()


@pytest.fixture(scope="module")
def lm(tiny_model: Path) -> Any:
    return _hflm(tiny_model)


def _hflm(folder: Path, **options: Any) -> Any:
    from lm_eval.models.huggingface import HFLM

    return HFLM(pretrained=str(folder), device="cpu", dtype="float32", **{"batch_size": 4, **options})


def ids(text: str, folder: Path) -> array[int]:
    from transformers import AutoTokenizer

    return array("i", AutoTokenizer.from_pretrained(folder).encode(text))


def answers(engine: Engine, work: Sequence[Work | None]) -> dict[int, Answer]:
    found: dict[int, Answer] = {}
    for answer in engine.run(iter(work)):
        assert answer.id not in found, "two answers to one request"
        found[answer.id] = answer
    return found


def logprobs(found: dict[int, Answer]) -> dict[int, float]:
    assert all(isinstance(answer, Scored) for answer in found.values()), found
    return {id: answer.logprob for id, answer in found.items() if isinstance(answer, Scored)}


def texts(found: dict[int, Answer]) -> dict[int, str]:
    assert all(isinstance(answer, Generated) for answer in found.values()), found
    return {id: answer.text for id, answer in found.items() if isinstance(answer, Generated)}


@torch.no_grad()
def alone(net: Any, context: Sequence[int], continuation: Sequence[int]) -> tuple[float, bool]:
    """The log-probability by the book: one prompt, one pass, nothing shared."""
    whole = torch.tensor([[*context, *continuation]])
    rows = net(whole[:, :-1]).logits[0, -len(continuation) :].float().log_softmax(-1)
    wanted = whole[0, -len(continuation) :]
    return float(rows.gather(1, wanted[:, None]).sum()), bool((rows.argmax(-1) == wanted).all())


def questions() -> list[tuple[str, list[str]]]:
    """Two subjects with shots of their own, questions of unlike lengths; one-token and longer choices."""
    asked = []
    for subject in range(2):
        shots = "".join(TEXT[20 * subject : 20 * subject + 6])
        for number in range(8):
            question = shots + "".join(TEXT[100 + 3 * number : 101 + 3 * number + number % 3]) + " Answer:"
            long = [" the water and the law", " state of", " water", " the water of a court in history"]
            asked.append((question, [" A", " B", " C", " D"] if number % 2 else long))
    return asked


# ── scoring ──────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("path", ["packed", "prefix", "plain"])
def test_scores_are_lm_evals(tiny_model: Path, lm: Any, path: str) -> None:
    from lm_eval.api.instance import Instance

    from evalkit.tokens import Tokenizer
    from evalkit.types import Request

    pairs = [(context, choice) for context, choices in questions() for choice in choices]
    theirs = lm.loglikelihood([Instance("loglikelihood", {}, pair, 0) for pair in pairs], disable_tqdm=True)
    tokenizer = Tokenizer.load(spec(tiny_model))
    encoded = tokenizer.encode([Request("score", context, choice) for context, choice in pairs])
    order = plan([request for one in encoded for request in one.requests])
    engine = huggingface.load(spec(tiny_model), tokenizer, scoring_path=path)
    assert engine.description["scoring_path"] == path
    found = answers(engine, list(order))
    assert sorted(found) == list(range(len(pairs)))
    for id, (value, best) in enumerate(theirs):
        answer = found[id]
        assert isinstance(answer, Scored)
        assert answer.logprob == pytest.approx(value, abs=1e-4)
        assert answer.is_greedy == best
    if path != "plain":
        assert engine.usage.computed <= 1.15 * order.floor
    assert engine.usage.computed + engine.usage.cached == engine.usage.prompt == order.prompt_tokens


def test_what_is_greedy_is_said_to_be(engine: Engine, tiny_model: Path) -> None:
    from transformers import AutoModelForCausalLM

    net = AutoModelForCausalLM.from_pretrained(tiny_model)
    context = ids(TEXT[0], tiny_model)
    best = array(
        "i", net.generate(torch.tensor([context]), max_new_tokens=4, do_sample=False)[0, len(context) :].tolist()
    )
    near = array("i", [*best[:-1], (best[-1] + 1) % VOCAB])
    found = answers(engine, [Score((0, 1, 2), context, (best, near, best[:1]))])
    assert [found[id].is_greedy for id in range(3)] == [True, False, True]  # type: ignore[union-attr]


def test_siblings_of_unlike_lengths_are_read_where_lm_eval_reads_wrong(engine: Engine, tiny_model: Path) -> None:
    """lm-eval serves requests whose context + continuation[:-1] agree from one row, and gathers the shorter
    continuation from the row's beginning instead of its end."""
    from transformers import AutoModelForCausalLM

    net = AutoModelForCausalLM.from_pretrained(tiny_model)
    whole = ids(TEXT[1] + TEXT[2], tiny_model)
    split = [(whole[:20], whole[20:24]), (whole[:22], whole[22:24])]
    truth = [alone(net, context, continuation)[0] for context, continuation in split]
    ours = answers(engine, [Score((i,), context, (tokens,)) for i, (context, tokens) in enumerate(split)])
    assert [logprobs(ours)[i] for i in range(2)] == pytest.approx(truth, abs=1e-4)
    lm = _hflm(tiny_model)
    theirs = lm._loglikelihood_tokens([(("", ""), list(c), list(t)) for c, t in split], disable_tqdm=True)
    assert theirs[0][0] == pytest.approx(truth[0], abs=1e-4)
    assert abs(theirs[1][0] - truth[1]) > 0.01, "lm-eval mended its gather: docs/parity.md can forget it"


_tokens = st.integers(3, VOCAB - 1)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    beginnings=st.lists(st.lists(_tokens, min_size=1, max_size=60), min_size=1, max_size=3),
    items=st.lists(
        st.tuples(
            st.integers(0, 2),
            st.lists(_tokens, max_size=6),
            st.lists(st.lists(_tokens, min_size=1, max_size=5), min_size=1, max_size=4),
        ),
        min_size=1,
        max_size=8,
    ),
)
def test_any_mixture_scores_as_each_request_alone(
    tiny_model: Path, beginnings: list[list[int]], items: list[tuple[int, list[int], list[list[int]]]]
) -> None:
    from transformers import AutoModelForCausalLM

    net, engines = _NETS.setdefault(
        tiny_model,
        (
            AutoModelForCausalLM.from_pretrained(tiny_model),
            [huggingface.load(spec(tiny_model), scoring_path=path) for path in ("packed", "prefix", "plain")],
        ),
    )
    requests, truth = [], []
    for which, rest, continuations in items:
        context = [*beginnings[which % len(beginnings)], *rest]
        for continuation in continuations:
            requests.append(ScoreRequest(len(requests), array("i", context), array("i", continuation)))
            truth.append(alone(net, context, continuation))
    order = plan(requests)
    for engine in engines:
        for answer in engine.run(iter(order)):
            assert isinstance(answer, Scored)
            for id in order.owners(answer.id):
                assert answer.logprob == pytest.approx(truth[id][0], abs=1e-4)
                assert answer.is_greedy == truth[id][1]


_NETS: dict[Path, Any] = {}


def test_a_subject_that_goes_on_in_the_next_window_is_not_read_again(tiny_model: Path) -> None:
    """More documents than are looked at together, with one beginning: it is computed once."""
    engine = huggingface.load(spec(tiny_model))
    shots = ids("".join(TEXT[:20]), tiny_model)
    work = [Score((i,), shots + array("i", [3 + i // 1000, 3 + i % 1000]), (array("i", [5]),)) for i in range(600)]
    found = answers(engine, work)
    assert len(logprobs(found)) == 600
    assert engine.usage.computed <= len(shots) + 600 * 3


# ── what goes wrong for one request stays with it ────────────────────────────


def test_a_request_that_cannot_be_served_fails_alone(engine: Engine) -> None:
    good = Score((0,), array("i", [5, 6, 7]), (array("i", [8]),))
    work = [
        good,
        Score((1,), array("i", [5] * 2048), (array("i", [8, 9]),)),
        Score((2,), array("i", [5]), (array("i", [VOCAB]),)),
        Score((3,), array("i", [5]), (array("i", [8]),), adapter="nobody"),
        Generate((4,), array("i", [5] * 2040), Sampling(max_tokens=9)),
        Generate((5,), array("i"), Sampling(max_tokens=9), text="only text"),
        replace(good, ids=(6,), context=array("i", [5] * 2048)),
    ]
    found = answers(engine, work)
    assert isinstance(found[0], Scored)
    assert isinstance(found[6], Scored), "the last token of a continuation is never read"
    reasons = {id: answer.reason for id, answer in found.items() if isinstance(answer, Failed)}
    assert sorted(reasons) == [1, 2, 3, 4, 5]
    assert "window of 2,048" in reasons[1]
    assert "vocabulary" in reasons[2]
    assert "nobody" in reasons[3]


def test_nan_is_never_a_score(tiny_model: Path, tmp_path: Path) -> None:
    engine = huggingface.load(spec(break_checkpoint(tiny_model, tmp_path / "nan", "nan")))
    found = answers(
        engine,
        [
            Score((0, 1), array("i", [5, 6]), (array("i", [7]), array("i", [8, 9]))),
            Generate((2,), array("i", [5, 6]), Sampling(max_tokens=4)),
        ],
    )
    assert sorted(found) == [0, 1, 2]
    for answer in found.values():
        assert isinstance(answer, Failed)
        assert "NaN logits" in answer.reason


def test_out_of_memory_halves_the_batch_and_goes_on(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A device that takes 60 tokens a pass, prompts of up to 40, and one of 300 that may fail, but alone."""
    from evalkit.engines.huggingface.model import Model

    engine = huggingface.load(spec(tiny_model))
    prompts = [array("i", [5 + i, *range(10, 30 + i)]) for i in range(12)]
    work: list[Work] = [Score((i,), prompt, (array("i", [8]),)) for i, prompt in enumerate(prompts)]
    work += [Generate((100 + i,), prompt, Sampling(max_tokens=5)) for i, prompt in enumerate(prompts)]
    expected = answers(engine, work)
    through = Model.forward

    def small(self: Model, ids: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        if ids.numel() > 60:
            raise torch.OutOfMemoryError("CUDA out of memory (a small device)")
        return through(self, ids, *args, **kwargs)

    monkeypatch.setattr(Model, "forward", small)
    long = Score((999,), array("i", range(10, 310)), (array("i", [8]),))
    found = answers(engine, [*work, long])
    assert isinstance(found.pop(999), (Scored, Failed))
    assert texts({id: a for id, a in found.items() if id >= 100}) == texts(
        {id: a for id, a in expected.items() if id >= 100}
    )
    for id in range(12):
        assert logprobs({id: found[id]})[id] == pytest.approx(logprobs({id: expected[id]})[id], abs=1e-4)


def test_an_engine_that_cannot_go_on_says_so_after_what_had_finished(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from evalkit.engines.huggingface.model import Model

    engine = huggingface.load(spec(tiny_model))
    stream = engine.run(iter([Score((0,), array("i", [5, 6]), (array("i", [7]),)), *[None] * 5, _later()]))
    assert isinstance(next(stream), Scored)

    def broken(*args: Any, **kwargs: Any) -> torch.Tensor:
        raise RuntimeError("CUDA error: device-side assert triggered\nmore lines")

    monkeypatch.setattr(Model, "forward", broken)
    with pytest.raises(EngineError, match="device-side assert"):
        list(stream)


def test_out_of_memory_while_rows_join_loses_none_of_them(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from evalkit.engines.huggingface import generate

    engine = huggingface.load(spec(tiny_model), batch_size=6)
    sampling = Sampling(max_tokens=12, temperature=0.8, seed=3)
    work = [Generate((i,), ids(TEXT[i], tiny_model), replace(sampling, max_tokens=2 + i)) for i in range(16)]
    expected = texts(answers(engine, work))
    through, calls = generate.left_padded, iter(range(100))

    def now_and_then(*args: Any) -> Any:
        if next(calls) in {0, 2}:
            raise torch.OutOfMemoryError("CUDA out of memory (a small device)")
        return through(*args)

    monkeypatch.setattr(generate, "left_padded", now_and_then)
    assert texts(answers(engine, work)) == expected


def _later() -> Score:
    return Score((1,), array("i", [5, 6]), (array("i", [9]),))


# ── the stream ───────────────────────────────────────────────────────────────


def test_answers_come_before_the_stream_ends_and_both_kinds_run_side_by_side(engine: Engine) -> None:
    """Each item is fed only after an answer to the one before: an engine that waited for the end would never finish."""
    seen: list[int] = []

    def feed() -> Iterator[Work | None]:
        for step in range(6):
            prompt = array("i", [5, 6, 7 + step])
            if step % 2:
                yield Generate((step,), prompt, Sampling(max_tokens=20))
            else:
                yield Score((step,), prompt, (array("i", [8]),))
            while step not in seen:
                yield None

    for answer in engine.run(feed()):
        seen.append(answer.id)
    assert seen == list(range(6))
    long = Generate((0,), array("i", [5, 6]), Sampling(max_tokens=400))
    scores = [Score((1 + i,), array("i", [5, 6, 7 + i]), (array("i", [8]),)) for i in range(20)]
    order = [answer.id for answer in engine.run(iter([long, *scores]))]
    assert order.index(0) > order.index(1), "scoring waited for a long generation"


def test_work_is_pulled_when_there_is_room_not_all_at_once(engine: Engine) -> None:
    pulled = 0

    def feed() -> Iterator[Work]:
        nonlocal pulled
        for i in range(5000):
            pulled += 1
            yield Score((i,), array("i", [5 + i % 900, 6]), (array("i", [8]),))

    stream = engine.run(feed())
    next(stream)
    assert pulled < 1500
    stream.close()  # type: ignore[attr-defined]


# ── generating ───────────────────────────────────────────────────────────────


@pytest.mark.parametrize("batch_size", [1, 4])
def test_greedy_texts_are_lm_evals(tiny_model: Path, batch_size: int) -> None:
    from lm_eval.api.instance import Instance

    from evalkit.tokens import Tokenizer
    from evalkit.types import Request

    prompts = [("".join(TEXT[:5]) if i % 2 else "") + "".join(TEXT[50 + i : 51 + i + i % 4]) for i in range(20)]
    kwargs = [{"until": list(STOPS), "max_gen_toks": 8 + 16 * (i % 3), "do_sample": False} for i in range(20)]
    lm = _hflm(tiny_model, batch_size=batch_size)
    theirs = lm.generate_until(
        [Instance("generate_until", {}, (p, dict(k)), 0) for p, k in zip(prompts, kwargs, strict=True)],
        disable_tqdm=True,
    )
    tokenizer = Tokenizer.load(spec(tiny_model))
    encoded = tokenizer.encode([Request("generate", p, gen_kwargs=k) for p, k in zip(prompts, kwargs, strict=True)])
    engine = huggingface.load(spec(tiny_model), tokenizer)
    order = plan([request for one in encoded for request in one.requests])
    found = answers(engine, list(order))
    assert [texts(found)[id] for id in range(20)] == theirs
    finishes = {answer.finish for answer in found.values() if isinstance(answer, Generated)}
    assert finishes == {"stop", "length"}
    assert engine.usage.generated == sum(a.tokens for a in found.values() if isinstance(a, Generated))


def test_the_end_of_sequence_token_ends_it(tiny_model: Path, tmp_path: Path) -> None:
    """With every token an end token, one token is all there is."""
    folder = shutil.copytree(tiny_model, tmp_path / "model")
    config = json.loads((folder / "generation_config.json").read_text())
    (folder / "generation_config.json").write_text(json.dumps({**config, "eos_token_id": list(range(VOCAB))}))
    found = answers(huggingface.load(spec(folder)), [Generate((0,), array("i", [5, 6]), Sampling(max_tokens=30))])
    answer = found[0]
    assert isinstance(answer, Generated)
    assert (answer.finish, answer.tokens) == ("stop", 1)


def test_the_generation_configs_penalty_holds_as_in_lm_eval(tiny_model: Path, tmp_path: Path) -> None:
    from lm_eval.api.instance import Instance

    folder = shutil.copytree(tiny_model, tmp_path / "model")
    config = json.loads((folder / "generation_config.json").read_text())
    (folder / "generation_config.json").write_text(json.dumps({**config, "repetition_penalty": 1.7}))
    kwargs = {"until": ["Q:"], "max_gen_toks": 40, "do_sample": False}
    theirs = _hflm(folder, batch_size=1).generate_until(
        [Instance("generate_until", {}, (TEXT[3], dict(kwargs)), 0)], disable_tqdm=True
    )
    item = Generate((0,), ids(TEXT[3], folder), Sampling(max_tokens=40, stop=("Q:",)))
    assert texts(answers(huggingface.load(spec(folder)), [item]))[0] == theirs[0]
    assert texts(answers(huggingface.load(spec(tiny_model)), [item]))[0] != theirs[0]


def test_a_sample_can_be_made_again_alone(engine: Engine, tiny_model: Path) -> None:
    prompt = ids(TEXT[4], tiny_model)
    sampling = Sampling(max_tokens=24, temperature=1.0, top_p=0.95, seed=7)
    others = [Generate((100 + i,), ids(TEXT[i], tiny_model), replace(sampling, max_tokens=5 + i)) for i in range(9)]
    together = texts(answers(engine, [Generate(tuple(range(6)), prompt, sampling, tuple(range(6))), *others]))
    assert len({together[id] for id in range(6)}) > 1
    for sample in (5, 0, 3):
        assert texts(answers(engine, [Generate((1,), prompt, sampling, (sample,))]))[1] == together[sample]
    other_seed = texts(answers(engine, [Generate((1,), prompt, replace(sampling, seed=8), (0,))]))
    assert other_seed[1] != together[0]


def test_filters_that_leave_one_token_are_greedy(engine: Engine, tiny_model: Path) -> None:
    prompt = ids(TEXT[4], tiny_model)
    greedy = Sampling(max_tokens=20)
    work = [
        Generate((0,), prompt, greedy),
        Generate((1,), prompt, replace(greedy, temperature=1.0, top_k=1)),
        Generate((2,), prompt, replace(greedy, temperature=1.0, top_p=1e-6)),
        Generate((3,), prompt, replace(greedy, temperature=1.0, min_p=1.0)),
        Generate((4,), prompt, replace(greedy, temperature=1e-4)),
    ]
    made = texts(answers(engine, work))
    assert len(set(made.values())) == 1


def test_samples_follow_the_models_distribution(engine: Engine, tiny_model: Path) -> None:
    """First tokens of 2,000 samples against the probabilities: within five standard errors where they are common."""
    from transformers import AutoModelForCausalLM

    net = AutoModelForCausalLM.from_pretrained(tiny_model)
    context = array("i", [40, 41, 42])
    with torch.no_grad():
        probabilities = net(torch.tensor([context])).logits[0, -1].softmax(-1)
    n = 2000
    item = Generate(tuple(range(n)), context, Sampling(max_tokens=1, temperature=1.0, seed=0), tuple(range(n)))
    made = list(texts(answers(engine, [item])).values())
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    for token in probabilities.topk(5).indices.tolist():
        text, p = tokenizer.decode([token]), float(probabilities[token])
        assert abs(made.count(text) / n - p) < 5 * math.sqrt(p * (1 - p) / n) + 1e-9, text


@pytest.mark.parametrize("kind", ["text", "id"])
def test_reasoning_is_kept_apart(tiny_model: Path, kind: str) -> None:
    """A marker that the model does write: its own third token. What lm-eval returns, and what stood before."""
    from lm_eval.api.instance import Instance
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    prompt, tokens = _with_a_clean_token(tiny_model, tokenizer)
    marker: str | int = tokenizer.decode([tokens[3]]) if kind == "text" else tokens[3]
    kwargs = {"until": [], "max_gen_toks": 12, "do_sample": False}
    theirs = _hflm(tiny_model, batch_size=1, think_end_token=marker).generate_until(
        [Instance("generate_until", {}, (prompt, dict(kwargs)), 0)], disable_tqdm=True
    )
    engine = huggingface.load(spec(tiny_model), think_end_token=marker)
    stops_inside = tokenizer.decode([tokens[1]])
    item = Generate((0,), ids(prompt, tiny_model), Sampling(max_tokens=12))
    cut = Generate((1,), ids(prompt, tiny_model), Sampling(max_tokens=3))
    inside = replace(item, ids=(2,), sampling=Sampling(max_tokens=12, stop=(stops_inside,)))
    found = answers(engine, [item, cut, inside])
    whole, unfinished, stopped = (found[id] for id in range(3))
    assert isinstance(whole, Generated)
    assert isinstance(unfinished, Generated)
    assert isinstance(stopped, Generated)
    assert whole.text == theirs[0]
    assert whole.reasoning
    assert (unfinished.finish, unfinished.text) == ("unfinished", "")
    assert unfinished.reasoning == tokenizer.decode(tokens[:3])
    assert stopped.reasoning == whole.reasoning, "a stop string ended the reasoning trace"


def test_a_marker_that_is_a_special_token_is_found_too(tiny_model: Path, tmp_path: Path) -> None:
    """Special tokens are left out of decoded text, where a search for the marker's text would miss it."""
    from transformers import AutoTokenizer

    folder = shutil.copytree(tiny_model, tmp_path / "model")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    prompt, tokens = _with_a_clean_token(tiny_model, tokenizer)
    marker = tokenizer.convert_ids_to_tokens(tokens[3])
    tokenizer.add_special_tokens({"additional_special_tokens": [marker]})
    tokenizer.save_pretrained(folder)
    item = Generate((0,), ids(prompt, tiny_model), Sampling(max_tokens=12))
    by_text = answers(huggingface.load(spec(folder), think_end_token=marker), [item])[0]
    by_id = answers(huggingface.load(spec(folder), think_end_token=tokens[3]), [item])[0]
    assert isinstance(by_text, Generated)
    assert by_text == by_id
    assert by_text.reasoning
    assert by_text.finish == "length"


def _with_a_clean_token(folder: Path, tokenizer: Any) -> tuple[str, list[int]]:
    """A prompt whose greedy text has a plain word as its fourth token, which stands nowhere before."""
    from transformers import AutoModelForCausalLM

    net = AutoModelForCausalLM.from_pretrained(folder)
    for prompt in TEXT:
        made = net.generate(torch.tensor([ids(prompt, folder)]), max_new_tokens=12, do_sample=False)[0].tolist()[-12:]
        pieces = [tokenizer.decode([token]) for token in made]
        word = pieces[3]
        if word.strip().isalpha() and word.isascii() and "".join(pieces).count(word) == 1 and made.count(made[3]) == 1:
            return prompt, made
    raise AssertionError("no prompt has such a token: make more text")


def test_alternatives_of_each_token_come_with_it_when_asked_for(engine: Engine, tiny_model: Path) -> None:
    """The model's own log-probabilities, whatever the temperature; the token itself first."""
    from transformers import AutoModelForCausalLM

    net = AutoModelForCausalLM.from_pretrained(tiny_model)
    prompt = ids(TEXT[4], tiny_model)
    asked = Sampling(max_tokens=4, temperature=1.5, seed=1, extra=(("top_logprobs", 5),))
    found = answers(engine, [Generate((0,), prompt, asked), Generate((1,), prompt, replace(asked, extra=()))])
    answer, bare = found[0], found[1]
    assert isinstance(answer, Generated)
    assert isinstance(bare, Generated)
    assert (bare.text, bare.top_logprobs) == (answer.text, None)
    assert answer.top_logprobs is not None
    assert len(answer.top_logprobs) == answer.tokens
    with torch.no_grad():
        first = net(torch.tensor([prompt])).logits[0, -1].log_softmax(-1)
    best = first.topk(5)
    expected = {_decoded(tiny_model, [t]): v for t, v in zip(best.indices.tolist(), best.values.tolist(), strict=True)}
    given = dict(answer.top_logprobs[0])
    assert {text: given[text] for text in expected} == pytest.approx(expected, abs=1e-4)
    assert answer.top_logprobs[0][0][0] == answer.text[: len(answer.top_logprobs[0][0][0])]


def test_generation_options_are_checked(engine: Engine) -> None:
    for extra, says in (
        ((("no_repeat_ngram_sise", 2),), "no_repeat_ngram_size"),
        ((("num_beams", 4),), "num_beams=4"),
    ):
        with pytest.raises(UsageError, match=says):
            answers(engine, [Generate((0,), array("i", [5, 6]), Sampling(max_tokens=4, extra=extra))])
    good = Sampling(max_tokens=4, extra=(("do_sample", False), ("no_repeat_ngram_size", 2), ("num_beams", 1)))
    assert len(texts(answers(engine, [Generate((0,), array("i", [5, 6]), good)]))) == 1


# ── adapters ─────────────────────────────────────────────────────────────────


def test_base_and_adapters_in_one_stream_are_each_themselves(tiny_model: Path, tmp_path: Path) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    folders = {
        "lora": make_adapter(tiny_model, tmp_path / "lora", seed=1),
        "other": make_adapter(tiny_model, tmp_path / "other", seed=2, rank=8),
        "dora": make_adapter(tiny_model, tmp_path / "dora", seed=3, dora=True),
        "embeddings": make_adapter(
            tiny_model, tmp_path / "embeddings", seed=4, modules_to_save=("embed_tokens", "lm_head")
        ),
    }
    engine = huggingface.load(spec(tiny_model), adapters=[Adapter(name, str(path)) for name, path in folders.items()])
    names: list[str | None] = [None, *folders]
    contexts = [ids("".join(TEXT[:8]) + TEXT[20 + i], tiny_model) for i in range(4)]
    continuations = [ids(" the water of a court", tiny_model), array("i", [17])]
    requests: list[ScoreRequest | GenerateRequest] = []
    for context in contexts:
        for name in names:
            requests += [ScoreRequest(len(requests) + i, context, c, name) for i, c in enumerate(continuations)]
            requests.append(GenerateRequest(len(requests), context, Sampling(max_tokens=10), adapter=name))
    mixed: list[Work] = [
        Score((r.id,), r.context, (r.continuation,), r.adapter)
        if isinstance(r, ScoreRequest)
        else Generate((r.id,), r.prompt, r.sampling, adapter=r.adapter)
        for r in requests
    ]
    for work in (list(plan(requests)), mixed):
        found = answers(engine, work)
        assert len(found) == len(requests)
        for name in names:
            net = AutoModelForCausalLM.from_pretrained(tiny_model)
            if name is not None:
                net = PeftModel.from_pretrained(net, str(folders[name])).eval()
            for request in requests:
                if request.adapter != name:
                    continue
                answer = found[request.id]
                if isinstance(request, ScoreRequest):
                    value, best = alone(net, request.context, request.continuation)
                    assert isinstance(answer, Scored)
                    assert answer.logprob == pytest.approx(value, abs=1e-4), name
                    assert answer.is_greedy == best
                else:
                    assert isinstance(answer, Generated)
                    made = net.generate(input_ids=torch.tensor([request.prompt]), max_new_tokens=10, do_sample=False)
                    assert answer.text == _decoded(tiny_model, made[0, len(request.prompt) :].tolist()), name


def _decoded(folder: Path, tokens: list[int]) -> str:
    from transformers import AutoTokenizer

    return str(AutoTokenizer.from_pretrained(folder).decode(tokens, skip_special_tokens=True))


def test_an_extended_vocabulary_is_the_adapters_alone(tiny_model: Path, tmp_path: Path) -> None:
    """The adapter scores its new tokens as lm-eval does; the base beside it keeps its own softmax."""
    from transformers import AutoModelForCausalLM

    folder = make_extended_adapter(tiny_model, tmp_path / "korean")
    engine = huggingface.load(spec(tiny_model), adapters=[Adapter("korean", str(folder))])
    context, new = array("i", [40, 41, 42]), array("i", [VOCAB, 50])
    found = answers(
        engine,
        [
            Score((0,), context, (new,), "korean"),
            Score((1,), context, (array("i", [50]),)),
            Score((2,), context, (new,)),
        ],
    )
    lm = _hflm(tiny_model, peft=str(folder), tokenizer=str(folder))
    ((theirs, _),) = lm._loglikelihood_tokens([(("", ""), list(context), list(new))], disable_tqdm=True)
    net = AutoModelForCausalLM.from_pretrained(tiny_model)
    assert logprobs({0: found[0]})[0] == pytest.approx(theirs, abs=1e-4)
    assert logprobs({1: found[1]})[1] == pytest.approx(alone(net, context, [50])[0], abs=1e-4)
    assert isinstance(found[2], Failed)


def test_an_adapter_that_does_nothing_is_an_error(tiny_model: Path, tmp_path: Path) -> None:
    idle = make_adapter(tiny_model, tmp_path / "idle", strength=0.0)
    with pytest.raises(EngineError, match=r"idle.*changes nothing"):
        huggingface.load(spec(tiny_model), adapters=[Adapter("idle", str(idle))])


def test_an_adapter_of_another_model_is_an_error(tiny_model: Path, tmp_path: Path) -> None:
    wider = make_checkpoint(tmp_path / "wider", config={"hidden_size": 96, "head_dim": 32})
    foreign = make_adapter(wider, tmp_path / "foreign")
    with pytest.raises(EngineError, match="does not fit"):
        huggingface.load(spec(tiny_model), adapters=[Adapter("foreign", str(foreign))])
    with pytest.raises(CheckpointError, match="adapter_config"):
        huggingface.load(spec(tiny_model), adapters=[Adapter("none", str(tmp_path))])


# ── other architectures ──────────────────────────────────────────────────────

_SMALL = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 3, "num_attention_heads": 2}

ARCHITECTURES: dict[str, dict[str, Any]] = {
    "gpt2": {"n_embd": 64, "n_layer": 2, "n_head": 2, "n_positions": 512},
    "gpt_neox": {**_SMALL, "max_position_embeddings": 512},
    "mistral": {**_SMALL, "num_key_value_heads": 1, "sliding_window": 16, "max_position_embeddings": 512},
    "qwen3": {**_SMALL, "num_key_value_heads": 1, "head_dim": 32, "max_position_embeddings": 512},
    "gemma2": {**_SMALL, "num_key_value_heads": 1, "head_dim": 32, "sliding_window": 16},
    "gemma3_text": {**_SMALL, "num_key_value_heads": 1, "head_dim": 32, "sliding_window": 16},
    "phi": {**_SMALL, "max_position_embeddings": 512},
    "falcon": {**_SMALL, "alibi": False, "new_decoder_architecture": False},
    "bloom": {"hidden_size": 64, "n_layer": 2, "n_head": 2},
    "mpt": {"d_model": 64, "n_layers": 2, "n_heads": 2, "max_seq_len": 512},
    "mamba": {"hidden_size": 64, "num_hidden_layers": 2, "state_size": 8},
}


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_other_architectures_give_their_own_numbers_too(name: str, tiny_model: Path, tmp_path: Path) -> None:
    """Whatever path the self-test chooses for them, scores and texts are those of one prompt in one pass."""
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(0)
    config = AutoConfig.for_model(
        name, vocab_size=VOCAB, bos_token_id=0, eos_token_id=1, pad_token_id=2, **ARCHITECTURES[name]
    )
    net = AutoModelForCausalLM.from_config(config).eval()
    with torch.no_grad():
        for parameter in net.parameters():
            if parameter.dim() == 2:
                parameter.normal_(0.0, 0.12)
    net.save_pretrained(tmp_path / name)
    for file in tiny_model.glob("tokenizer*"):
        shutil.copy(file, tmp_path / name)
    engine = huggingface.load(spec(tmp_path / name))
    beginning = ids("".join(TEXT[:3]), tiny_model)[:60]
    work: list[Work] = []
    for i in range(5):
        context = beginning + ids(TEXT[30 + i], tiny_model)[: 4 + 5 * i]
        work.append(Score((10 * i, 10 * i + 1), context, (array("i", [40 + i, 50, 60]), array("i", [70 + i]))))
        work.append(Generate((10 * i + 5,), context, Sampling(max_tokens=6 + i)))
    # Short enough for a sliding window of 16 to see all of it, continuations side by side.
    work.append(Score((100, 101), context[:6], (array("i", [40, 50, 60]), array("i", [70, 80]))))
    found = answers(engine, work)
    for item in work:
        if isinstance(item, Score):
            for id, tokens in zip(item.ids, item.continuations, strict=True):
                value, best = alone(net, item.context, tokens)
                answer = found[id]
                assert isinstance(answer, Scored)
                assert answer.logprob == pytest.approx(value, abs=2e-4), engine.description
                assert answer.is_greedy == best
        else:
            tokens = []
            for _ in range(item.sampling.max_tokens):
                with torch.no_grad():
                    logits = net(torch.tensor([[*item.prompt, *tokens]])).logits
                tokens.append(int(logits[0, -1].argmax()))
                if tokens[-1] == 1:
                    break
            assert texts({0: found[item.ids[0]]})[0] == _decoded(tiny_model, tokens), engine.description
    if name == "mamba":
        assert engine.description["scoring_path"] == "plain"
        assert engine.description["notes"]


def test_a_row_at_the_windows_end_does_not_run_past_it(tiny_model: Path, tmp_path: Path) -> None:
    """Learned positions end with the window: rows that are over must not ask for more while the others go on."""
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.for_model(
        "gpt2", vocab_size=VOCAB, n_embd=64, n_layer=2, n_head=2, n_positions=64, eos_token_id=1
    )
    AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path / "gpt2")
    for file in tiny_model.glob("tokenizer*"):
        shutil.copy(file, tmp_path / "gpt2")
    work = [Generate((0,), array("i", range(10, 70)), Sampling(max_tokens=4))]
    work += [Generate((i,), array("i", [5, i]), Sampling(max_tokens=60)) for i in range(1, 8)]
    found = answers(huggingface.load(spec(tmp_path / "gpt2")), work)
    assert len(texts(found)) == 8
    assert isinstance(found[0], Generated)
    assert found[0].tokens == 4


def test_an_encoder_decoder_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    from transformers import T5Config, T5ForConditionalGeneration

    small = {"d_model": 32, "d_ff": 32, "d_kv": 16, "num_layers": 1, "num_heads": 2}
    T5ForConditionalGeneration(T5Config(vocab_size=VOCAB, **small)).save_pretrained(tmp_path / "t5")
    for file in tiny_model.glob("tokenizer*"):
        shutil.copy(file, tmp_path / "t5")
    with pytest.raises(UsageError, match="decoder-only"):
        huggingface.load(spec(tmp_path / "t5"))


# ── loading ──────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ({"batchsize": 4}, "batch_size"),
        ({"batch_size": 0}, "at least 1"),
        ({"device": "gpu"}, "device=cuda"),
        ({"peft": "somewhere"}, "--adapter"),
        ({"dtype": "float31"}, "bfloat16"),
        ({"scoring_path": "fastest"}, "packed, prefix or plain"),
        ({"parallelize": "perhaps"}, "True or False"),
    ],
)
def test_options_are_checked(tiny_model: Path, option: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        huggingface.load(spec(tiny_model, args=option))


def test_what_the_command_line_leaves_out_does_not_undo_model_args(tiny_model: Path) -> None:
    asked = spec(tiny_model, args={"batch_size": 3, "max_length": 64})
    described = huggingface.load(asked, batch_size=None, device=None).description
    assert (described["batch_size"], described["max_length"]) == (3, 64)
    assert huggingface.load(asked, batch_size="auto", max_batch_size=7).description["batch_size"] == 7


def test_a_config_field_is_an_option_as_in_lm_eval(tiny_model: Path) -> None:
    item = Score((0,), ids(TEXT[0], tiny_model), (array("i", [50]),))
    usual = logprobs(answers(huggingface.load(spec(tiny_model)), [item]))
    eager = logprobs(answers(huggingface.load(spec(tiny_model), attn_implementation="eager"), [item]))
    bent = logprobs(answers(huggingface.load(spec(tiny_model, args={"rms_norm_eps": 0.5})), [item]))
    assert eager[0] == pytest.approx(usual[0], abs=1e-4)
    assert bent[0] != pytest.approx(usual[0], abs=1e-3)


def test_code_in_a_checkpoint_is_not_run_unasked(tiny_model: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_model, tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "auto_map": {"AutoModelForCausalLM": "code.Model"}}))
    (folder / "code.py").write_text("raise SystemExit('ran')")
    with pytest.raises(UsageError, match="trust_remote_code=True"):
        huggingface.load(spec(folder))


def test_a_broken_checkpoint_is_named_before_anything_loads(tiny_model: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="cut off"):
        huggingface.load(spec(break_checkpoint(tiny_model, tmp_path / "broken", "truncated")))


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_low_precision_stays_near(tiny_model: Path, dtype: str) -> None:
    low = replace(spec(tiny_model), dtype=dtype)
    work = [
        Score((2 * i, 2 * i + 1), ids(TEXT[i] + TEXT[i + 1], tiny_model), (array("i", [50]), array("i", [51, 52])))
        for i in range(4)
    ]
    exact = logprobs(answers(huggingface.load(spec(tiny_model)), work))
    engine = huggingface.load(low)
    assert engine.description["dtype"] == dtype
    rounded = logprobs(answers(engine, work))
    for id, value in exact.items():
        assert rounded[id] == pytest.approx(value, abs=0.5)
    assert rounded != exact
    assert len(texts(answers(engine, [Generate((0,), array("i", [5, 6]), Sampling(max_tokens=5))]))) == 1


def test_it_describes_itself_in_json_and_closes_twice(tiny_model: Path) -> None:
    engine = huggingface.load(spec(tiny_model))
    assert isinstance(engine, Engine)
    described = json.loads(json.dumps(dict(engine.description)))
    assert described["scoring_path"] == "packed"
    assert described["generation_path"] == "batched"
    assert described["dtype"] == "float32"
    engine.close()
    engine.close()
    with pytest.raises(EngineError, match="closed"):
        list(engine.run(iter([])))
