"""nano, tuned on half of mini's documents, held against nano by the signs that `evalkit overlap --model` reads.

    python bench/membership.py --documents 120 --epochs 8

Prints the areas under the curve of seen against unseen documents, for the tuned model alone, less nano, and for nano
itself, whose areas show what the halves differ in anyway. Min-K%++ is computed here from torch's logits, since a
request for each token of the vocabulary takes an hour here; `tests/synth/test_membership.py` holds the two equal.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from dataclasses import replace
from pathlib import Path

from evalkit.api.memberships import TrainingSigns
from evalkit.models import catalog
from evalkit.reporting.progress import Progress
from evalkit.runner.benchmarks import benchmark_documents
from evalkit.runner.membership import MOST_TOKENS, Signs, read_signs


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--tasks", default="mini_knowledge,mini_endings,mini_arithmetic")
    asked.add_argument("--documents", type=int, default=120)
    asked.add_argument("--epochs", type=int, default=8)
    asked.add_argument("--rate", type=float, default=2e-4)
    given = asked.parse_args()
    everything = benchmark_documents(given.tasks.split(","), None, (), Progress())
    rng = random.Random(0)
    drawn = [everything[n] for n in sorted(rng.sample(range(len(everything)), given.documents))]
    seen = set(rng.sample(range(len(drawn)), len(drawn) // 2))
    texts = [f"{one.question} {one.answer}".strip() for one in drawn]
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        tune([texts[n] for n in sorted(seen)], root / "tuned", given.epochs, given.rate)

        def of(model: str) -> list[Signs]:
            signs = read_signs(drawn, model, Progress(), model_args={}, engine="hf", plus_plus=False, output_path=root)
            scaled = min_k_plus_plus(texts, catalog.resolve(model).source)
            return [replace(sign, min_k_pp=value) for sign, value in zip(signs, scaled, strict=True)]

        tuned, base = of(str(root / "tuned")), of("nano")
        for name, view in (
            ("tuned", TrainingSigns("tuned", drawn, tuned, seen=frozenset(seen))),
            ("tuned less nano", TrainingSigns("tuned", drawn, tuned, "nano", base, frozenset(seen))),
            ("nano", TrainingSigns("nano", drawn, base, seen=frozenset(seen))),
        ):
            print(f"-- {name}\n{view}", flush=True)


def min_k_plus_plus(texts: list[str], source: str, share: float = 0.2) -> list[float]:
    """Min-K%++ of each text: the mean of its least likely fifth of tokens, standardised over the vocabulary."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(source)
    model = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32).eval()
    values = []
    for text in texts:
        ids = [tokenizer.bos_token_id, *tokenizer.encode(text, add_special_tokens=False)[:MOST_TOKENS]]
        with torch.no_grad():
            table = model(torch.tensor([ids])).logits[0].float().log_softmax(-1)[:-1]
        own = table[torch.arange(len(ids) - 1), torch.tensor(ids[1:])]
        table = table[:, : len(tokenizer)]
        mean = (table.exp() * table).sum(-1)
        spread = ((table.exp() * table**2).sum(-1) - mean**2).sqrt()
        values.append(float(((own - mean) / spread).sort().values[: max(1, int(len(own) * share))].mean()))
    return values


def tune(texts: list[str], target: Path, epochs: int, rate: float) -> None:
    """Plain language modelling of the texts, one after the other, in float32 on the CPU."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    source = catalog.resolve("nano").source
    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(source)
    model = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32)
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate)
    rng = random.Random(0)
    model.train()
    for _ in range(epochs):
        for text in rng.sample(texts, len(texts)):
            ids = torch.tensor([[tokenizer.bos_token_id, *tokenizer.encode(text, add_special_tokens=False)][:512]])
            loss = model(input_ids=ids, labels=ids).loss
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
    model.save_pretrained(target)
    tokenizer.save_pretrained(target)


if __name__ == "__main__":
    main()
