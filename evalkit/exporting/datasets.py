"""Where the data of well-known tasks is on the Hugging Face hub, and which of these data sets are Hub benchmarks.

A run records hashes of its data and not where it came from. A task that is not listed is exported without a data set.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Benchmark", "HubData", "benchmark_of", "data_of"]


@dataclass(frozen=True, slots=True)
class HubData:
    id: str
    config: str | None
    split: str


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A data set with a leaderboard on the hub, and the task's name in its eval.yaml."""

    id: str
    task_id: str


_DATA = {
    "bbh": HubData("SaylorTwift/bbh", None, "test"),
    "gpqa_diamond": HubData("Idavidrein/gpqa", "gpqa_diamond", "train"),
    "gsm8k": HubData("openai/gsm8k", "main", "test"),
    "hellaswag": HubData("Rowan/hellaswag", None, "validation"),
    "humaneval": HubData("openai/openai_humaneval", None, "test"),
    "ifeval": HubData("google/IFEval", None, "train"),
    "kobest": HubData("skt/kobest_v1", None, "test"),
    "mmlu_pro": HubData("TIGER-Lab/MMLU-Pro", None, "test"),
    "mmlu": HubData("cais/mmlu", None, "test"),
    "truthfulqa": HubData("truthfulqa/truthful_qa", None, "validation"),
}

_BENCHMARKS = {
    "gpqa_diamond": Benchmark("Idavidrein/gpqa", "diamond"),
    "gsm8k": Benchmark("openai/gsm8k", "gsm8k"),
    "mmlu_pro": Benchmark("TIGER-Lab/MMLU-Pro", "mmlu_pro"),
}
"""MMLU, HellaSwag, BBH, HumanEval and IFEval are data sets on the hub, but not benchmarks there."""


def data_of(task: str) -> HubData | None:
    """The data of a task or group; a longer name is a form or a part of it, as mmlu_anatomy is of mmlu."""
    names = sorted(_DATA, key=len, reverse=True)
    return next((_DATA[name] for name in names if task == name or task.startswith(f"{name}_")), None)


def benchmark_of(task: str) -> Benchmark | None:
    """The Hub benchmark that a task measures in full: a part of one is not reported as the whole."""
    return _BENCHMARKS.get(_WHOLE.get(task, task))


_WHOLE = {
    "gsm8k_cot": "gsm8k",
    "gpqa_diamond_cot_zeroshot": "gpqa_diamond",
    "gpqa_diamond_cot_n_shot": "gpqa_diamond",
    "gpqa_diamond_generative_n_shot": "gpqa_diamond",
    "gpqa_diamond_n_shot": "gpqa_diamond",
    "gpqa_diamond_zeroshot": "gpqa_diamond",
}
