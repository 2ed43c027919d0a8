"""The transformers engine scores as lm-eval does, whatever shares a batch."""

from __future__ import annotations

from array import array
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evalkit.engines import huggingface
from evalkit.engines.base import Engine
from evalkit.planning import plan
from evalkit.types import (
    Score,
    Scored,
    ScoreRequest,
)
from tests.helpers.hf_engine import (
    TEXT,
    VOCAB,
    alone,
    answers,
    hflm,
    ids,
    logprobs,
    questions,
    spec,
)

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
    lm = hflm(tiny_model)
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
