"""evalkit's vLLM engine against lm-eval's `vllm` and `hf` backends: one run, one checkpoint, the same engine settings.

    python bench/scoring.py --data-dir DIR [--tasks mmlu,hellaswag,gsm8k,bbh] [--documents N] [--repeats N]
                            [--against vllm,hf] [--shape 7m|mistral-7b] [--model-args k=v,…] [--json FILE]

Both sides start from lm-eval's own requests in text and are timed from there to their answers, tokenising included;
starting the engines is not. Each turn begins with an empty prefix cache. Without --model, a checkpoint is made with a
tokenizer trained on the benchmarks' own text; `mistral-7b` has the shape of that model and dummy weights, for a GPU.
The last part hands vLLM all prompts of the generation tasks at once and compares that with evalkit's stream.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import importlib.metadata
import io
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

SUBJECTS = ("abstract_algebra", "anatomy", "astronomy", "business_ethics", "clinical_knowledge", "college_biology")
BBH = ("boolean_expressions", "causal_judgement", "date_understanding")
SHOTS = {"mmlu": 5, "hellaswag": 10, "gsm8k": 5, "bbh": None}
DOCUMENTS = {"mmlu": 20, "hellaswag": 50, "gsm8k": 24, "bbh": 8}
"""For each task (of MMLU and BBH: each subject), unless --documents says otherwise."""


@dataclass(slots=True)
class Suite:
    name: str
    documents: int
    instances: list[Any]
    """lm-eval's, in document order."""
    requests: list[Any]
    """evalkit's, the same in text."""
    sizes: list[int]
    """How many requests each document makes."""

    @property
    def generates(self) -> bool:
        return bool(self.instances[0].request_type == "generate_until")


@dataclass(slots=True)
class Side:
    seconds: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)
    """Of all cores, the engine's process included: steadier than the clock where others use the machine."""
    prompt_tokens: int | None = None
    computed: int | None = None
    answers: list[Any] = field(default_factory=list)

    @property
    def best(self) -> float:
        return min(self.seconds)


@dataclass(slots=True)
class Result:
    task: str
    documents: int
    requests: int
    floor: int
    sides: dict[str, dict[str, Any]]
    computed_over_floor: float
    ratio: dict[str, float]
    largest_difference: dict[str, float | None]
    differing_predictions: dict[str, int]
    differing_is_greedy: dict[str, int]


@dataclass(slots=True)
class Pairs:
    """evalkit's stream and all prompts at once, in alternating turns."""

    task: str
    stream: list[float]
    at_once: list[float]
    ratios: list[float]
    median: float
    differing_texts: int


def main() -> None:
    asked = _arguments()
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
    data_dir = Path(asked.data_dir).resolve()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        suites = [_suite(task, data_dir, asked) for task in asked.tasks.split(",")]
        model = Path(asked.model) if asked.model else _checkpoint(folder / "model", asked, data_dir)
        on_cpu = _lend_vllm_its_name(folder)
        results, pairs, versions = _measure(suites, model, asked, on_cpu)
    _print(results, pairs, versions)
    if asked.json:
        told = {"versions": versions, "results": [asdict(r) for r in results], "stream": [asdict(p) for p in pairs]}
        asked.json.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data-dir", default=os.environ.get("EVALKIT_DATA_DIR"), required="EVALKIT_DATA_DIR" not in os.environ
    )
    parser.add_argument("--tasks", default="mmlu,hellaswag,gsm8k,bbh")
    parser.add_argument("--documents", type=int, help="per task or subject; 0 is all of them")
    parser.add_argument("--subjects", type=int, default=len(SUBJECTS), help="how many of MMLU's; 57 is all of them")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--pairs", type=int, default=5, help="turns of stream against all at once; 0 leaves them out")
    parser.add_argument("--against", default="vllm,hf")
    parser.add_argument("--model", help="a checkpoint folder")
    parser.add_argument("--shape", choices=["7m", "mistral-7b"], default="7m")
    parser.add_argument("--vocab", type=int, default=8192, help="of the 7m shape's tokenizer")
    parser.add_argument("--layers", type=int, default=4, help="of the 7m shape")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--max-model-len", type=int, default=4096)
    parser.add_argument("--model-args", default="", help="k=v,… for both vLLM engines")
    parser.add_argument("--json", type=Path, metavar="FILE")
    return parser.parse_args()


# ── what is asked ────────────────────────────────────────────────────────────


def _suite(name: str, data_dir: Path, asked: argparse.Namespace) -> Suite:
    """The requests as lm-eval's task objects make them, and as evalkit's registry does: they must be the same."""
    from evalkit.registry import Registry

    documents = DOCUMENTS[name] if asked.documents is None else asked.documents
    limit = documents or None
    tasks = Registry(data_dir=str(data_dir)).load(_names(name, asked.subjects), num_fewshot=SHOTS[name]).tasks
    theirs = Registry(data_dir=str(data_dir)).load(_names(name, asked.subjects), num_fewshot=SHOTS[name]).tasks
    instances, requests, sizes, count = [], [], [], 0
    for task in tasks.values():
        built = task.build(limit=limit)
        count += len(built)
        requests += [request for document in built for request in document.requests]
        sizes += [len(document.requests) for document in built]
    for task in theirs.values():
        with contextlib.redirect_stderr(io.StringIO()):
            task._task.build_all_requests(limit=limit)
        instances += task._task.instances
    for request, instance in zip(requests, instances, strict=True):
        if request.kind == "score" and (request.context, request.continuation) != instance.args:
            raise SystemExit(f"{name}: evalkit's prompts are not lm-eval's")
        if request.kind == "generate" and request.context != instance.args[0]:
            raise SystemExit(f"{name}: evalkit's prompts are not lm-eval's")
    return Suite(name, count, instances, requests, sizes)


def _names(suite: str, subjects: int) -> list[str]:
    if suite == "mmlu":
        return ["mmlu"] if subjects >= 57 else [f"mmlu_{subject}" for subject in SUBJECTS[:subjects]]
    return [f"bbh_cot_fewshot_{task}" for task in BBH] if suite == "bbh" else [suite]


def _checkpoint(folder: Path, asked: argparse.Namespace, data_dir: Path) -> Path:
    from tests.helpers.checkpoints import corpus, make_checkpoint, make_tokenizer

    texts = [*_questions(data_dir), *corpus(1000)]
    if asked.shape == "7m":
        return make_checkpoint(
            folder,
            size="7m",
            vocab=asked.vocab,
            max_position_embeddings=8192,
            texts=texts,
            config={"num_hidden_layers": asked.layers},
        )
    from transformers import MistralConfig

    folder.mkdir(parents=True)
    make_tokenizer(folder, vocab=32000, texts=texts, max_length=32768)
    config = MistralConfig(bos_token_id=0, eos_token_id=1, pad_token_id=2, sliding_window=None)
    config.architectures = ["MistralForCausalLM"]
    config.save_pretrained(folder)
    return folder


def _questions(data_dir: Path) -> Iterator[str]:
    """All questions of MMLU, HellaSwag and GSM8K: of a few documents alone a tokenizer would learn whole sentences."""
    import pyarrow.parquet as parquet

    for folder, columns in (
        ("cais/mmlu/all", ["question", "choices"]),
        ("Rowan/hellaswag", ["ctx", "endings"]),
        ("openai/gsm8k", ["question", "answer"]),
    ):
        for file in sorted((data_dir / folder).rglob("*.parquet")):
            for row in parquet.read_table(file, columns=columns).to_pylist():
                for value in row.values():
                    yield value if isinstance(value, str) else "\n".join(value)


# ── the sides ────────────────────────────────────────────────────────────────


def _measure(
    suites: Sequence[Suite], model: Path, asked: argparse.Namespace, on_cpu: bool
) -> tuple[list[Result], list[Pairs], dict[str, str]]:
    settings: dict[str, Any] = {"max_model_len": asked.max_model_len, "enable_prefix_caching": True}
    if on_cpu:
        os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "4")
        os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
    if asked.shape == "mistral-7b" and not asked.model:
        settings["load_format"] = "dummy"
    settings |= dict(_parsed(asked.model_args))

    with contextlib.ExitStack() as stack:
        ours = stack.enter_context(_evalkit(model, asked, settings))
        sides: dict[str, _Backend] = {"evalkit": ours}
        if "vllm" in asked.against:
            # The smallest blocks that vLLM offers there by itself.
            blocks = {"block_size": 32} if on_cpu else {}
            sides["lm-eval vllm"] = stack.enter_context(_lm_eval_vllm(model, asked, blocks | settings))
        if "hf" in asked.against:
            sides["lm-eval hf"] = _lm_eval_hf(model, asked, "cpu" if on_cpu else None)
        results = [_compare(suite, sides, asked.repeats) for suite in suites]
        theirs = sides.get("lm-eval vllm")
        generating = [suite for suite in suites if suite.generates and theirs and asked.pairs]
        pairs = [_alternate(suite, ours, theirs.llm, asked.pairs) for suite in generating if theirs]
        versions = ours.versions | {"lm_eval": importlib.metadata.version("lm_eval")}
    return results, pairs, versions


@dataclass(slots=True)
class _Backend:
    run: Callable[[Suite, Side], list[Any]]
    """Answers in the order of the requests; says in the Side what it read."""
    reset: Callable[[], Any] = lambda: None
    cpu: Callable[[], float] = time.process_time
    versions: dict[str, str] = field(default_factory=dict)
    floor: dict[str, int] = field(default_factory=dict)
    llm: Any = None
    encode: Callable[[Suite], list[Any]] = lambda suite: []


@contextlib.contextmanager
def _evalkit(model: Path, asked: argparse.Namespace, settings: dict[str, Any]) -> Iterator[_Backend]:
    from evalkit.engines.vllm import load
    from evalkit.planning import plan
    from evalkit.tokens import Tokenizer
    from evalkit.types import Generated, ModelSpec, Scored

    spec = ModelSpec(typed=str(model), source=str(model), dtype=asked.dtype, args=settings)
    tokenizer = Tokenizer.load(spec)
    engine = load(spec, tokenizer)
    print(f"evalkit scores the {engine.description['scoring_path']} way", file=sys.stderr)
    floors: dict[str, int] = {}

    def encode(suite: Suite) -> list[Any]:
        encoded = tokenizer.encode(suite.requests, score_limit=asked.max_model_len - 1)
        return [part for one in encoded for part in one.requests]

    def run(suite: Suite, side: Side) -> list[Any]:
        before = engine.usage.prompt, engine.usage.computed
        order = plan(encode(suite))
        found: dict[int, Any] = {}
        for answer in engine.run(iter(order)):
            assert isinstance(answer, Scored | Generated), answer
            value = (answer.logprob, answer.is_greedy) if isinstance(answer, Scored) else answer.text
            for id in order.owners(answer.id):
                found[id] = value
        floors[suite.name] = order.floor
        side.prompt_tokens = engine.usage.prompt - before[0]
        side.computed = engine.usage.computed - before[1]
        return [found[id] for id in range(len(suite.requests))]

    try:
        yield _Backend(
            run,
            engine.forget,
            cpu=lambda: time.process_time() + _cpu_of(engine.pid),
            versions=dict(engine.description["versions"]),
            floor=floors,
            encode=encode,
        )
    finally:
        engine.close()


def _cpu_of(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def _lm_eval_vllm(model: Path, asked: argparse.Namespace, settings: dict[str, Any]) -> Iterator[_Backend]:
    from lm_eval.models.vllm_causallms import VLLM

    lm = VLLM(pretrained=str(model), dtype=asked.dtype, batch_size="auto", **settings)
    seen: dict[str, int] = {}
    plain = lm.model.generate

    def counted(*args: Any, **kwargs: Any) -> Any:
        outputs = plain(*args, **{**kwargs, "use_tqdm": False})
        for output in outputs:
            seen["prompt"] = seen.get("prompt", 0) + len(output.prompt_token_ids)
            seen["cached"] = seen.get("cached", 0) + (output.num_cached_tokens or 0)
        return outputs

    lm.model.generate = counted

    def run(suite: Suite, side: Side) -> list[Any]:
        seen.clear()
        answers = _through_lm_eval(lm, suite)
        side.prompt_tokens, side.computed = seen["prompt"], seen["prompt"] - seen["cached"]
        return answers

    run(_warm(), Side())
    try:
        yield _Backend(run, lm.model.reset_prefix_cache, llm=lm.model)
    finally:
        gc.collect()


def _lm_eval_hf(model: Path, asked: argparse.Namespace, device: str | None) -> _Backend:
    from lm_eval.models.huggingface import HFLM

    window = asked.max_model_len
    lm = HFLM(pretrained=str(model), dtype=asked.dtype, batch_size=8, max_length=window, device=device)
    _through_lm_eval(lm, _warm())
    return _Backend(lambda suite, side: _through_lm_eval(lm, suite))


def _warm() -> Suite:
    from lm_eval.api.instance import Instance

    instances = [Instance("loglikelihood", {}, ("one two three", f" {n}"), n) for n in range(4)]
    return Suite("warm-up", 1, instances, [], [4])


def _through_lm_eval(lm: Any, suite: Suite) -> list[Any]:
    if suite.generates:
        return list(lm.generate_until(suite.instances, disable_tqdm=True))
    return [(float(value), bool(best)) for value, best in lm.loglikelihood(suite.instances, disable_tqdm=True)]


# ── comparing ────────────────────────────────────────────────────────────────


def _compare(suite: Suite, backends: dict[str, _Backend], repeats: int) -> Result:
    sides = {name: Side() for name in backends}
    for _ in range(repeats):
        for name, backend in backends.items():
            print(f"{suite.name}: {name} …", file=sys.stderr)
            backend.reset()
            start, worked = time.perf_counter(), backend.cpu()
            answers = backend.run(suite, sides[name])
            sides[name].seconds.append(time.perf_counter() - start)
            sides[name].cpu_seconds.append(backend.cpu() - worked)
            sides[name].answers = answers
    ours = sides["evalkit"]
    others = {name: side for name, side in sides.items() if name != "evalkit"}
    floor = backends["evalkit"].floor[suite.name]
    return Result(
        task=suite.name,
        documents=suite.documents,
        requests=len(suite.requests),
        floor=floor,
        sides={
            name: {
                "seconds": side.seconds,
                "cpu_seconds": side.cpu_seconds,
                "prompt_tokens": side.prompt_tokens,
                "computed": side.computed,
            }
            for name, side in sides.items()
        },
        computed_over_floor=(ours.computed or 0) / floor,
        ratio={name: side.best / ours.best for name, side in others.items()},
        largest_difference={name: _difference(suite, ours.answers, side.answers) for name, side in others.items()},
        differing_predictions={name: _differing(suite, ours.answers, side.answers) for name, side in others.items()},
        differing_is_greedy={
            name: 0 if suite.generates else sum(a[1] != b[1] for a, b in zip(ours.answers, side.answers, strict=True))
            for name, side in others.items()
        },
    )


def _difference(suite: Suite, ours: Sequence[Any], theirs: Sequence[Any]) -> float | None:
    if suite.generates:
        return None
    return max(abs(a[0] - b[0]) for a, b in zip(ours, theirs, strict=True))


def _differing(suite: Suite, ours: Sequence[Any], theirs: Sequence[Any]) -> int:
    """Documents whose choice, or whose text, is another."""
    if suite.generates:
        return sum(a != b for a, b in zip(ours, theirs, strict=True))
    differing, start = 0, 0
    for size in suite.sizes:
        a, b = ([pair[0] for pair in side[start : start + size]] for side in (ours, theirs))
        differing += a.index(max(a)) != b.index(max(b))
        start += size
    return differing


def _alternate(suite: Suite, ours: _Backend, llm: Any, pairs: int) -> Pairs:
    """The same token prompts and sampling: evalkit's stream, then LLM.generate with all of them."""
    from vllm import SamplingParams, TokensPrompt

    parts = ours.encode(suite)
    prompts = [TokensPrompt(prompt_token_ids=part.prompt.tolist()) for part in parts]
    params = [
        SamplingParams(
            max_tokens=part.sampling.max_tokens,
            temperature=0.0,
            stop=[text for text in part.sampling.stop if text],
            skip_special_tokens=False,
            spaces_between_special_tokens=False,
        )
        for part in parts
    ]
    stream: list[float] = []
    at_once: list[float] = []
    texts: list[str] = []
    for turn in range(pairs):
        print(f"{suite.name}: pair {turn + 1} of {pairs} …", file=sys.stderr)
        for first in (turn % 2 == 0, turn % 2 == 1):
            if first:
                ours.reset()
                start = time.perf_counter()
                found = ours.run(suite, Side())
                stream.append(time.perf_counter() - start)
            else:
                llm.reset_prefix_cache()
                start = time.perf_counter()
                outputs = llm.generate(prompts, params)
                at_once.append(time.perf_counter() - start)
                texts = [output.outputs[0].text for output in outputs]
    ratios = [a / b for a, b in zip(stream, at_once, strict=True)]
    differing = sum(a != b for a, b in zip(found, texts, strict=True))
    return Pairs(suite.name, stream, at_once, ratios, statistics.median(ratios), differing)


# ── the rest ─────────────────────────────────────────────────────────────────


def _lend_vllm_its_name(folder: Path) -> bool:
    """lm-eval asks for a distribution called `vllm`; the CPU build's has another name. True on that build."""
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        importlib.metadata.version("vllm")
        return False
    found = importlib.metadata.distribution("vllm-cpu")
    version = f"{found.version.split('+')[0]}+cpu"
    copy = folder / f"vllm-{version}.dist-info"
    shutil.copytree(Path(str(found._path)), copy)  # type: ignore[attr-defined]
    metadata = (copy / "METADATA").read_text(encoding="utf-8").splitlines()
    for at, line in enumerate(metadata):
        if line.startswith("Name:"):
            metadata[at] = "Name: vllm"
        if line.startswith("Version:"):
            metadata[at] = f"Version: {version}"
            break
    (copy / "METADATA").write_text("\n".join(metadata) + "\n", encoding="utf-8")
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    return True


def _parsed(text: str) -> Iterator[tuple[str, Any]]:
    import yaml

    for part in filter(None, text.split(",")):
        name, _, value = part.partition("=")
        yield name, yaml.safe_load(value)


def _print(results: Sequence[Result], pairs: Sequence[Pairs], versions: dict[str, str]) -> None:
    print("\n" + ", ".join(f"{name} {version}" for name, version in versions.items()))
    for r in results:
        print(f"\n{r.task}: {r.documents} documents, {r.requests} requests, floor {r.floor:,} prompt tokens")
        print("                   seconds       cpu   prompt tokens      computed   ratio  differs by  others")
        for name, side in r.sides.items():
            prompt, computed = ("—" if side[key] is None else f"{side[key]:,}" for key in ("prompt_tokens", "computed"))
            line = f"  {name:14}{min(side['seconds']):10.2f}{min(side['cpu_seconds']):10.2f}{prompt:>16}{computed:>14}"
            if name != "evalkit":
                apart = r.largest_difference[name]
                shown = "" if apart is None else f"{apart:.1e}"
                line += f"{r.ratio[name]:8.2f}{shown:>12}{r.differing_predictions[name]:8}"
            print(line)
        print(f"  computed / floor = {r.computed_over_floor:.3f}")
    for p in pairs:
        turns = " ".join(f"{ratio:.3f}" for ratio in p.ratios)
        print(
            f"\n{p.task}, stream / all at once: {turns}; median {p.median:.3f}; texts that differ: {p.differing_texts}"
        )


if __name__ == "__main__":
    main()
