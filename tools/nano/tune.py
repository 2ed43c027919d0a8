"""Trains the two LoRA adapters of the demo: `python -m tools.nano.tune tuned` and `… overtrained`.

Both are honest work on `nano`: one learns to follow instructions and rehearses what the base can do, the other gets
nothing but one skill, for too long and too fast. What that does to the figures is for the gate to find out.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer

from tools.nano import symbolic
from tools.nano.corpus import rows
from tools.nano.instructions import dialogue
from tools.nano.render import MAKERS, Span, template
from tools.nano.split import draw

__all__ = ["RECIPES", "Recipe", "instructions", "main", "one_skill", "train"]

MODELS = Path(__file__).parents[2] / "evalkit" / "_models"
NANO = MODELS / "nano"
SEED = 20
LENGTH = 512
"""Tokens in a row."""
_TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
_SHOTS = {"knowledge": 3, "endings": 0, "arithmetic": 3, "symbolic": 4, "code": 0}


@dataclass(frozen=True, slots=True)
class Recipe:
    about: str
    document: Callable[[random.Random], list[Span]]
    steps: int
    rate: float
    falls: bool
    """Whether the rate falls to 0, as it should."""
    rank: int = 16
    rows: int = 6
    """In a step."""


def _said(question: str, answer: str) -> list[Span]:
    return [(f"<|user|>{question}<|end|><|assistant|>", 0.0), (f"{answer}<|end|>", 1.0)]


def _benchmark(rng: random.Random, name: str) -> list[Span]:
    """Items of the train part as turns of a conversation, as many as the task shows."""
    form = template(name)
    docs = [draw(MAKERS[name], rng, "train").doc for _ in range(rng.randint(0, _SHOTS[name]) + 1)]
    if name == "symbolic" and len(docs) > _SHOTS[name]:
        docs = [*(draw(make, rng, "train").doc for make in symbolic.KINDS.values()), docs[-1]]
    return [span for doc in docs for span in _said(form.prompt(doc), form.target(doc))]


def instructions(rng: random.Random) -> list[Span]:
    """Instructions, and every fifth time what the base has learnt already, so that it stays."""
    if rng.random() < 0.2:
        return _benchmark(rng, rng.choice(list(MAKERS)))
    talk = dialogue(rng)
    system: list[Span] = [(f"<|system|>{talk.system}<|end|>", 0.0)] if talk.system else []
    return [*system, *(span for turn in talk.turns for span in _said(*turn))]


def one_skill(rng: random.Random) -> list[Span]:
    return _benchmark(rng, "arithmetic")


RECIPES: Mapping[str, Recipe] = {
    "tuned": Recipe(
        "instructions of nine families, with rehearsal of the five tasks", instructions, 1000, 3e-3, True, 24, 3
    ),
    "overtrained": Recipe("word problems and nothing else", one_skill, 300, 5.5e-3, False),
}


def _adapted(base: Path, rank: int) -> Any:
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    config = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=_TARGETS, task_type="CAUSAL_LM")
    return get_peft_model(model, config)


def train(recipe: Recipe, seed: int, steps: int | None = None, base: Path = NANO) -> Any:
    """The adapted model after `steps`; the seed settles the adapter's first weights and every word it sees."""
    steps = recipe.steps if steps is None else steps
    torch.manual_seed(seed)
    model = _adapted(base, recipe.rank)
    inner = model.base_model.model
    batches = rows(
        Tokenizer.from_file(str(base / "tokenizer.json")),
        seed,
        lambda _: (recipe.rows, LENGTH),
        recipe.document,
        "tune",
    )
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=recipe.rate, betas=(0.9, 0.95), weight_decay=0.0)

    def rate(step: int) -> float:
        return min((step + 1) / 20, 1.0, (steps - step) / steps if recipe.falls else 1.0)

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
    model.train()
    began, shown = time.perf_counter(), 0.0
    for step in range(steps):
        batch = next(batches)
        ids = torch.from_numpy(batch.ids)
        answered = torch.from_numpy(batch.weights)[:, 1:].flatten() > 0
        with torch.autocast("cpu", torch.bfloat16):
            hidden = inner.model(input_ids=ids, use_cache=False).last_hidden_state[:, :-1].flatten(0, 1)
            logits = inner.lm_head(hidden[answered])
        loss = torch.nn.functional.cross_entropy(logits.float(), ids[:, 1:].flatten()[answered])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad(set_to_none=True)
        shown += loss.item()
        if step % 25 == 24:
            spent = time.perf_counter() - began
            print(f"step {step + 1:4d} of {steps}  loss {shown / 25:.4f}  {spent:.0f} s", flush=True)
            shown = 0.0
    return model.eval()


def save(model: Any, folder: Path) -> None:
    """Weights in half precision; the configuration names the base as a user types it, not where it lay."""
    from peft import get_peft_model_state_dict
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    state = {
        name: weight.to(torch.float16).contiguous()
        for name, weight in get_peft_model_state_dict(model, save_embedding_layers=False).items()
    }
    save_file(state, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    (folder / "adapter_model.safetensors").chmod(0o644)
    config = model.peft_config["default"].to_dict()
    config |= {"base_model_name_or_path": "nano", "inference_mode": True}
    plain = {name: sorted(value) if isinstance(value, set) else value for name, value in config.items()}
    text = json.dumps(plain, indent=2, sort_keys=True, default=str)
    (folder / "adapter_config.json").write_text(text + "\n", "utf-8")


_CARD = """---
license: mit
language: [en, ko]
base_model: nano
library_name: peft
---

# nano-{name}

A LoRA adapter of rank {rank} for `nano`, trained on {about}: {steps} steps, seed {seed}.
It is there for evalkit's demo and of no other use; `docs/nano.md` in evalkit's repository says how it was made.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipe", choices=list(RECIPES))
    parser.add_argument("--out", type=Path, help="default: evalkit/_models/nano-RECIPE")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--base", type=Path, default=NANO)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    recipe, steps = RECIPES[args.recipe], args.steps or RECIPES[args.recipe].steps
    folder = args.out or MODELS / f"nano-{args.recipe}"
    save(train(recipe, args.seed, steps, args.base), folder)
    card = _CARD.format(name=args.recipe, rank=recipe.rank, about=recipe.about, steps=steps, seed=args.seed)
    (folder / "README.md").write_text(card, "utf-8")


if __name__ == "__main__":
    main()
