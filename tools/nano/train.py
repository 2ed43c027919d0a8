"""Trains `nano` on the repo's own text: `python -m tools.nano.train`, then the same with `--further`.

The first stage starts from nothing and learns the five tasks; the second goes on from there with wider text.
"""

from __future__ import annotations

import argparse
import copy
import json
import time
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer

from tools.nano import tokenizer as bpe
from tools.nano.corpus import document, rows
from tools.nano.plain import wider

__all__ = ["main"]

SEED = 20
STEPS = 900
FURTHER = 300
"""Steps of the second stage."""
TOKENS = 3072
"""Per step."""
WINDOW = 1024
VOCABULARY = 3072
REPO = Path(__file__).parents[2]


def shape(step: int) -> tuple[int, int]:
    """Half the window, which is cheaper; every eighth step all of it, so that the model knows it to its end."""
    length = WINDOW if step % 8 == 7 else WINDOW // 2
    return TOKENS // length, length


def build(vocabulary: int) -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=256,
        intermediate_size=512,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=WINDOW,
        rope_theta=10_000.0,
        tie_word_embeddings=True,
        bos_token_id=1,
        eos_token_id=1,
        pad_token_id=0,
    )
    return LlamaForCausalLM(config)


def optimizers(model: Any, steps: int, scale: float) -> tuple[list[Any], list[Any]]:
    """Muon for the layers' matrices, AdamW for embeddings and norms; the rate falls to 0 over the second half."""
    matrices = [p for p in model.model.layers.parameters() if p.ndim == 2]
    chosen = {id(p) for p in matrices}
    others = [p for p in model.parameters() if id(p) not in chosen]
    both: list[Any] = [
        torch.optim.Muon(matrices, lr=0.02 * scale, weight_decay=0.02, momentum=0.95),
        torch.optim.AdamW(others, lr=3e-3 * scale, betas=(0.9, 0.95), weight_decay=0.0),
    ]

    def rate(step: int) -> float:
        return min((step + 1) / 40, 1.0, 2 * (steps - step) / steps)

    return both, [torch.optim.lr_scheduler.LambdaLR(each, rate) for each in both]


def fit(
    model: Any, tokenizer: Tokenizer, seed: int, steps: int, out: Path, save_every: int, further: bool = False
) -> None:
    batches = rows(tokenizer, seed, shape, wider if further else document, "further" if further else "nano")
    opts, schedules = optimizers(model, steps, 0.5 if further else 1.0)
    model.train()
    began, shown = time.perf_counter(), 0.0
    for step in range(steps):
        batch = next(batches)
        ids = torch.from_numpy(batch.ids)
        weights = torch.from_numpy(batch.weights)[:, 1:].flatten()
        with torch.autocast("cpu", torch.bfloat16):
            hidden = model.model(input_ids=ids, use_cache=False).last_hidden_state[:, :-1].flatten(0, 1)
            looked_at = weights > 0
            logits = model.lm_head(hidden[looked_at])
        targets, weights = ids[:, 1:].flatten()[looked_at], weights[looked_at]
        losses = torch.nn.functional.cross_entropy(logits.float(), targets, reduction="none")
        loss = (losses * weights).sum() / weights.sum()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for each in (*opts, *schedules):
            each.step()
        model.zero_grad(set_to_none=True)
        shown += loss.item()
        if step % 50 == 49:
            spent = time.perf_counter() - began
            print(f"step {step + 1:5d} of {steps}  loss {shown / 50:.4f}  {spent:.0f} s", flush=True)
            shown = 0.0
        if save_every and step % save_every == save_every - 1:
            save(copy.deepcopy(model), tokenizer, out / f"step-{step + 1}")


def save(model: Any, tokenizer: Tokenizer, folder: Path) -> None:
    """Weights in half precision to stay small; the config says float32, which is what they are run in."""
    folder.mkdir(parents=True, exist_ok=True)
    model.to(torch.float16).save_pretrained(folder, safe_serialization=True)
    bpe.save(tokenizer, folder, WINDOW)
    path = folder / "config.json"
    config = json.loads(path.read_text("utf-8"))
    config["dtype"] = config["torch_dtype"] = "float32"  # the new name and the old
    config["rope_theta"] = config["rope_parameters"]["rope_theta"]  # where older versions look
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", "utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=REPO / "evalkit" / "_models" / "nano")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--further", action="store_true", help="go on from --start with wider text")
    parser.add_argument("--start", type=Path, default=REPO / "evalkit" / "_models" / "nano")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--save-every", type=int, default=0, help="also keep the model after so many steps")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    steps = args.steps or (FURTHER if args.further else STEPS)
    if args.further:
        from transformers import AutoModelForCausalLM

        tokenizer = Tokenizer.from_file(str(args.start / "tokenizer.json"))
        model = AutoModelForCausalLM.from_pretrained(args.start, dtype=torch.float32)
    else:
        tokenizer = bpe.train(args.seed, VOCABULARY)
        model = build(VOCABULARY)
    print(f"{sum(p.numel() for p in model.parameters()):,} parameters", flush=True)
    fit(model, tokenizer, args.seed, steps, args.out, args.save_every, args.further)
    save(model, tokenizer, args.out)


if __name__ == "__main__":
    main()
