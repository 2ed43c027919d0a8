"""Signs of training in a model: the formulas against torch, and areas with their interval."""

from __future__ import annotations

import math
import random
from pathlib import Path

import numpy as np
import pytest

import evalkit as ek
from evalkit.errors import UsageError
from evalkit.reporting.progress import Progress
from evalkit.runner.benchmarks import BenchmarkDocument
from evalkit.runner.membership import read_signs
from evalkit.stats import area_under_curve


def test_the_area_is_the_share_of_pairs_and_its_interval_covers() -> None:
    assert area_under_curve([1], [0, 1]) is None
    area = area_under_curve([3, 2, 2], [1, 2])
    assert area is not None
    assert area.value == pytest.approx(5 / 6)
    rng = np.random.default_rng(0)
    truth = 0.5 * math.erfc(-0.8 / 2)  # of normals that are .8 apart
    covered = 0
    for _ in range(300):
        drawn = area_under_curve(rng.normal(0.8, 1, 60).tolist(), rng.normal(0, 1, 60).tolist())
        assert drawn is not None
        covered += drawn.ci95[0] <= truth <= drawn.ci95[1]
    assert covered >= 0.91 * 300


def test_the_signs_are_those_of_the_papers(tmp_path: Path) -> None:
    """Against torch's own log-probabilities of nano."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from evalkit.models import catalog

    texts = ["The red fox sat", "A small bird sang today", "Two and two make four"]
    documents = [BenchmarkDocument("t", "t", n, str(n), text, "") for n, text in enumerate(texts)]
    signs = read_signs(documents, "nano", Progress(), model_args={}, engine="hf", output_path=tmp_path)
    source = catalog.resolve("nano").source
    tokenizer = AutoTokenizer.from_pretrained(source)
    model = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32).eval()

    def logprobs(ids: list[int]) -> torch.Tensor:
        with torch.no_grad():
            return model(torch.tensor([ids])).logits[0].float().log_softmax(-1)

    rng = random.Random(0)
    tokens = [[tokenizer.bos_token_id, *tokenizer.encode(text, add_special_tokens=False)] for text in texts]
    for place, ids in enumerate(tokens):
        table = logprobs(ids)[:-1]
        own = table[torch.arange(len(ids) - 1), torch.tensor(ids[1:])]
        fewest = max(1, int(len(own) * 0.2))
        assert signs[place].min_k == pytest.approx(float(own.sort().values[:fewest].mean()), abs=1e-4)
        table = table[:, : len(tokenizer)]  # the model has rows for more tokens than there are
        mean = (table.exp() * table).sum(-1)
        spread = ((table.exp() * table**2).sum(-1) - mean**2).sqrt()
        scaled = ((own - mean) / spread).sort().values[:fewest].mean()
        assert signs[place].min_k_pp == pytest.approx(float(scaled), abs=1e-3)
        others = [other for other in rng.sample(range(3), 3) if other != place][:3]
        context = [ids[0], *(token for other in others for token in tokens[other][1:])]
        behind = logprobs(context + ids[1:])[len(context) - 1 : -1]
        behind = behind[torch.arange(len(ids) - 1), torch.tensor(ids[1:])]
        assert signs[place].falls == pytest.approx(float(own.mean() - behind.mean()), abs=1e-4)


def test_what_is_asked_wrongly_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--model needs --tasks"):
        ek.overlap(model="nano")
    with pytest.raises(UsageError, match="--reference goes with --model"):
        ek.overlap(tmp_path / "x", tasks="mini", reference="nano")
