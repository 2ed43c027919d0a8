"""Scoring on the transformers engine against lm-eval's `hf`: one checkpoint, one process, the same threads.

    python bench/scoring_hf.py --data-dir DIR [--tasks mmlu,hellaswag] [--repeats N] [--threads N] [--json FILE]

Without --model, a Llama checkpoint of some 7M parameters is made (hidden size 256), with a tokenizer trained on the
benchmarks' own text. As in real models of that size, much of it is vocabulary; --vocab 4096 --layers 6 has less.
Both sides get the same requests in text and are timed from there to their answers, tokenising included. Turns
alternate; the best of each side counts. lm-eval runs at batch sizes 1 and 8 and its better one is compared.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

SUBJECTS = ("abstract_algebra", "anatomy", "astronomy", "business_ethics", "clinical_knowledge", "college_biology")

Pair = tuple[float, bool]


@dataclass(slots=True)
class Result:
    task: str
    documents: int
    requests: int
    evalkit_seconds: float
    lm_eval_seconds: dict[int, float]
    ratio: float
    """lm-eval's better wall time over evalkit's."""
    evalkit_cpu_seconds: float
    lm_eval_cpu_seconds: dict[int, float]
    cpu_ratio: float
    """The same of CPU time, which a busy machine disturbs less."""
    floor: int
    computed: int
    computed_over_floor: float
    lm_eval_prompt_tokens: int
    largest_difference: float
    differing_predictions: int
    differing_is_greedy: int
    scoring_path: str
    threads: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", default=os.environ.get("EVALKIT_DATA_DIR"), help="a mirror of the benchmarks")
    parser.add_argument("--model", type=Path, help="a checkpoint folder; by default one of 7M parameters is made")
    parser.add_argument("--vocab", type=int, default=8192, help="of the checkpoint that is made")
    parser.add_argument("--layers", type=int, default=4, help="of the checkpoint that is made")
    parser.add_argument("--tasks", default="mmlu,hellaswag")
    parser.add_argument("--documents", type=int, default=20, help="per MMLU subject; HellaSwag gets 50")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--scoring-path", help="packed, prefix or plain, to compare them")
    parser.add_argument("--json", type=Path, metavar="FILE")
    asked = parser.parse_args()

    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    import torch

    torch.set_num_threads(asked.threads)
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    suites = {name: _requests(name, asked.data_dir, asked.documents) for name in asked.tasks.split(",")}
    with tempfile.TemporaryDirectory() as folder:
        model = asked.model or _checkpoint(Path(folder), asked)
        results = [_compare(name, *suite, model, asked) for name, suite in suites.items()]
    _print(results)
    if asked.json:
        asked.json.write_text(json.dumps([asdict(result) for result in results], indent=1) + "\n", encoding="utf-8")
    wrong = any(result.largest_difference > 1e-4 for result in results) and asked.dtype == "float32"
    raise SystemExit(1 if wrong else 0)


def _requests(name: str, data_dir: str | None, documents: int, shots: int | None = None) -> tuple[list[Any], list[int]]:
    """The task's requests in text, and how many belong to each document."""
    from evalkit.registry import Registry

    registry = Registry(data_dir=data_dir)
    wanted = [f"mmlu_{subject}" for subject in SUBJECTS] if name == "mmlu" else [name]
    usual, limit = {"mmlu": (5, documents), "hellaswag": (10, 50)}.get(name, (None, 50))
    shots = usual if shots is None else shots
    requests, sizes = [], []
    for task in registry.load(wanted, num_fewshot=shots).tasks.values():
        for document in task.build(limit=limit):
            requests += document.requests
            sizes.append(len(document.requests))
    return requests, sizes


def _checkpoint(folder: Path, asked: argparse.Namespace) -> Path:
    """Its tokenizer learns from documents without their shots: else it would know the shots by heart, and make the
    part that is shared look short."""
    from tests.helpers.checkpoints import corpus, make_checkpoint

    texts = corpus(500)
    for name in ("mmlu", "hellaswag"):
        texts += [str(request.context) for request in _requests(name, asked.data_dir, 100, shots=0)[0]]
    return make_checkpoint(
        folder / "model",
        size="7m",
        vocab=asked.vocab,
        max_position_embeddings=4096,
        texts=texts,
        config={"num_hidden_layers": asked.layers},
    )


def _compare(name: str, requests: Sequence[Any], sizes: list[int], model: Path, asked: argparse.Namespace) -> Result:
    from evalkit.engines.huggingface import load
    from evalkit.planning import plan
    from evalkit.tokens import Tokenizer
    from evalkit.types import ModelSpec, Scored

    spec = ModelSpec(typed=str(model), source=str(model), dtype=asked.dtype)
    tokenizer = Tokenizer.load(spec)
    engine = load(spec, tokenizer, device=asked.device, scoring_path=asked.scoring_path)
    seen: dict[str, int] = {}

    def ours() -> list[Pair]:
        before = engine.usage.computed
        tokens = [part for one in tokenizer.encode(requests) for part in one.requests]
        order = plan(tokens)
        found: dict[int, Pair] = {}
        for answer in engine.run(iter(order)):
            assert isinstance(answer, Scored), answer
            for id in order.owners(answer.id):
                found[id] = (answer.logprob, answer.is_greedy)
        seen.update(floor=order.floor, computed=engine.usage.computed - before)
        return [found[id] for id in range(len(requests))]

    theirs = {size: _lm_eval(model, size, asked, requests) for size in (1, 8)}
    best: dict[object, float] = {}
    cpu: dict[object, float] = {}
    answers: dict[object, list[Pair]] = {}
    for _ in range(asked.repeats):
        for side, run in [("evalkit", ours), *theirs.items()]:
            print(f"{name}: {side if side == 'evalkit' else f'lm-eval, batch size {side}'} …", file=sys.stderr)
            start, burnt = time.perf_counter(), time.process_time()
            answers[side] = run()
            best[side] = min(best.get(side, float("inf")), time.perf_counter() - start)
            cpu[side] = min(cpu.get(side, float("inf")), time.process_time() - burnt)
    faster = min(theirs, key=lambda size: best[size])
    mine, other = answers["evalkit"], answers[faster]
    return Result(
        task=name,
        documents=len(sizes),
        requests=len(requests),
        evalkit_seconds=best["evalkit"],
        lm_eval_seconds={size: best[size] for size in theirs},
        ratio=best[faster] / best["evalkit"],
        evalkit_cpu_seconds=cpu["evalkit"],
        lm_eval_cpu_seconds={size: cpu[size] for size in theirs},
        cpu_ratio=min(cpu[size] for size in theirs) / cpu["evalkit"],
        floor=seen["floor"],
        computed=seen["computed"],
        computed_over_floor=seen["computed"] / seen["floor"],
        lm_eval_prompt_tokens=_lm_eval_tokens(tokenizer, requests),
        largest_difference=max(abs(a[0] - b[0]) for a, b in zip(mine, other, strict=True)),
        differing_predictions=sum(a != b for a, b in zip(_picks(mine, sizes), _picks(other, sizes), strict=True)),
        differing_is_greedy=sum(a[1] != b[1] for a, b in zip(mine, other, strict=True)),
        scoring_path=str(engine.description["scoring_path"]),
        threads=asked.threads,
    )


def _lm_eval(model: Path, size: int, asked: argparse.Namespace, requests: Sequence[Any]) -> Callable[[], list[Pair]]:
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    lm = HFLM(pretrained=str(model), device=asked.device, dtype=asked.dtype, batch_size=size)
    instances = [Instance("loglikelihood", {}, (r.context, r.continuation), i) for i, r in enumerate(requests)]
    return lambda: [(float(value), bool(best)) for value, best in lm.loglikelihood(instances, disable_tqdm=True)]


def _lm_eval_tokens(tokenizer: Any, requests: Sequence[Any]) -> int:
    """What lm-eval's hf backend reads: one prompt for all choices that differ in their last token only."""
    read: dict[bytes, int] = {}
    for encoded in tokenizer.encode(requests):
        for part in encoded.requests:
            whole = part.context + part.continuation[:-1]
            read[whole.tobytes()] = len(whole)
    return sum(read.values())


def _picks(pairs: list[Pair], sizes: list[int]) -> list[int]:
    picks, start = [], 0
    for size in sizes:
        values = [value for value, _ in pairs[start : start + size]]
        picks.append(values.index(max(values)))
        start += size
    return picks


def _print(results: list[Result]) -> None:
    for r in results:
        print(f"\n{r.task}: {r.documents} documents, {r.requests} requests, {r.threads} threads, path {r.scoring_path}")
        print(f"  {'':26}{'seconds':>9}{'CPU seconds':>13}{'prompt tokens read':>21}")
        print(f"  {'evalkit':26}{r.evalkit_seconds:9.2f}{r.evalkit_cpu_seconds:13.2f}{r.computed:21,}")
        for size, seconds in r.lm_eval_seconds.items():
            burnt, read = r.lm_eval_cpu_seconds[size], r.lm_eval_prompt_tokens
            print(f"  {f'lm-eval hf, batch size {size}':26}{seconds:9.2f}{burnt:13.2f}{read:21,}")
        print(
            f"  ratio {r.ratio:.2f} (of CPU time {r.cpu_ratio:.2f}); "
            f"tokens alone allow {r.lm_eval_prompt_tokens / r.floor:.2f}"
        )
        print(f"  read / floor: {r.computed:,} / {r.floor:,} = {r.computed_over_floor:.3f}")
        print(
            f"  largest difference in log-probability {r.largest_difference:.1e}; predictions that differ: "
            f"{r.differing_predictions} of {r.documents}; is_greedy that differ: {r.differing_is_greedy}"
        )


if __name__ == "__main__":
    main()
