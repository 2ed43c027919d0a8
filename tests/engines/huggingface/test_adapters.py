"""Adapters side by side over one base, on transformers."""

from __future__ import annotations

from array import array
from pathlib import Path

import pytest
import torch

from evalkit.engines import huggingface
from evalkit.errors import CheckpointError, EngineError
from evalkit.planning import plan
from evalkit.types import (
    Adapter,
    Failed,
    Generate,
    Generated,
    GenerateRequest,
    Sampling,
    Score,
    Scored,
    ScoreRequest,
    Work,
)
from tests.helpers.checkpoints import make_adapter, make_checkpoint, make_extended_adapter
from tests.helpers.hf_engine import (
    TEXT,
    VOCAB,
    alone,
    answers,
    decode_tokens,
    hflm,
    ids,
    logprobs,
    spec,
)

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
                    assert answer.text == decode_tokens(tiny_model, made[0, len(request.prompt) :].tolist()), name


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
    lm = hflm(tiny_model, peft=str(folder), tokenizer=str(folder))
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
