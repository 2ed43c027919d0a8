"""A model in memory: evaluated as it is, and left as it was."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import evalkit as ek
from evalkit.errors import UsageError
from tests.helpers.runfolders import manifest_of, results_of

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
peft = pytest.importorskip("peft")

TASKS = "mini_arithmetic,mini_endings"


def load(folder: Path) -> tuple[Any, Any]:
    net = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    return net, transformers.AutoTokenizer.from_pretrained(folder)


def values(run: Any) -> dict[tuple[str, str], float]:
    frame = run.figures()
    return {(row.task, row.metric): row.value for row in frame.itertuples()}


def test_its_figures_are_those_of_the_same_model_on_disk(tiny_model: Path, tmp_path: Path) -> None:
    net, tokenizer = load(tiny_model)
    loaded = ek.evaluate(net, tokenizer=tokenizer, tasks=TASKS, limit=6, output_path=tmp_path)
    named = ek.evaluate(tiny_model, tasks=TASKS, limit=6, output_path=tmp_path)
    assert values(loaded) == pytest.approx(values(named), nan_ok=True)
    assert loaded.model.endswith("-in-memory")
    assert manifest_of(loaded.stored)["model"]["fingerprint"] != manifest_of(named.stored)["model"]["fingerprint"]
    assert ek.compare(named, loaded).frame()["lost"].sum() == 0


def test_it_is_left_as_it_was(tiny_model: Path, tmp_path: Path) -> None:
    net, tokenizer = load(tiny_model)
    net.train()
    next(net.modules()).training = True
    list(net.modules())[2].eval()  # a part that is frozen in evaluation mode
    modes = [module.training for module in net.modules()]
    places = [tensor.data_ptr() for tensor in net.parameters()]
    hooks = sum(len(module._forward_pre_hooks) for module in net.modules())
    states = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    ek.evaluate(net, tokenizer=tokenizer, tasks=TASKS, limit=2, output_path=tmp_path)
    assert [module.training for module in net.modules()] == modes
    assert [tensor.data_ptr() for tensor in net.parameters()] == places
    assert sum(len(module._forward_pre_hooks) for module in net.modules()) == hooks
    assert (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()) == states
    ids = torch.tensor([[1, 2, 3]])
    net(input_ids=ids, labels=ids).loss.backward()
    assert all(tensor.grad is not None for tensor in net.parameters())


def test_its_fingerprint_is_of_its_weights(tiny_model: Path, tmp_path: Path) -> None:
    from evalkit.engines.huggingface.inmemory import fingerprint_loaded

    net, tokenizer = load(tiny_model)
    again, _ = load(tiny_model)
    before = fingerprint_loaded(net, tokenizer)
    assert fingerprint_loaded(again, tokenizer) == before
    with torch.no_grad():
        next(net.parameters()).view(-1)[0] += 1
    assert fingerprint_loaded(net, tokenizer) != before
    assert fingerprint_loaded(again.to(torch.bfloat16), tokenizer) != before


def test_an_adapter_in_a_wrapper_is_the_same_as_one_on_disk(
    tiny_model: Path, tiny_adapters: tuple[Path, Path], tmp_path: Path
) -> None:
    net, tokenizer = load(tiny_model)
    wrapped = peft.PeftModel.from_pretrained(net, tiny_adapters[0], is_trainable=True)
    loaded = ek.evaluate(wrapped, tokenizer=tokenizer, tasks=TASKS, limit=6, output_path=tmp_path)
    named = ek.evaluate(
        tiny_model, adapter={"a": tiny_adapters[0]}, no_base=True, tasks=TASKS, limit=6, output_path=tmp_path
    )
    assert values(loaded) == pytest.approx(values(named), nan_ok=True)
    assert wrapped.active_adapter == "default"
    assert any(tensor.requires_grad for name, tensor in wrapped.named_parameters() if "lora" in name)


def test_further_training_gives_other_answers_and_not_those_that_are_kept(tiny_model: Path, tmp_path: Path) -> None:
    net, tokenizer = load(tiny_model)
    first = ek.evaluate(net, tokenizer=tokenizer, tasks="mini_endings", limit=6, output_path=tmp_path)
    again = ek.evaluate(net, tokenizer=tokenizer, tasks="mini_endings", limit=6, output_path=tmp_path)
    with torch.no_grad():
        for tensor in net.parameters():
            tensor.mul_(-1)
    trained = ek.evaluate(net, tokenizer=tokenizer, tasks="mini_endings", limit=6, output_path=tmp_path)
    prompts = [results_of(run.stored)["tokens"]["computed"] for run in (first, again, trained)]
    assert prompts[1] == 0
    assert prompts[2] > 0
    assert first.scores()["value"].tolist() == again.scores()["value"].tolist()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"model": "nano", "tokenizer": object()}, "goes with a model in memory"),
        ({"model": object()}, "needs its tokenizer"),
        ({"model": object(), "tokenizer": object()}, "a transformers model"),
    ],
)
def test_what_is_no_model_is_named(given: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=said):
        ek.evaluate(given.pop("model"), tasks="mini_endings", output_path=tmp_path, **given)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"engine": "vllm"}, "--engine vllm"),
        ({"device": "cuda"}, "--device"),
        ({"adapter": "./a"}, "--adapter"),
        ({"model_args": "dtype=bfloat16"}, "as it is"),
        ({"dry_run": True}, "--dry-run"),
    ],
)
def test_flags_for_loading_are_refused(flags: dict[str, Any], said: str, tiny_model: Path, tmp_path: Path) -> None:
    net, tokenizer = load(tiny_model)
    with pytest.raises(UsageError, match=said):
        ek.evaluate(net, tokenizer=tokenizer, tasks="mini_endings", output_path=tmp_path, **flags)
