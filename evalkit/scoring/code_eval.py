"""pass@k as a metric of the `evaluate` library, computed offline and in the sandbox.

    from evalkit.scoring.code_eval import CodeEval
    figures, results = CodeEval().compute(predictions=[["def add(a, b): return a + b"]],
                                          references=["assert add(2, 3) == 5"], k=[1])

The arguments and results are those of that library's `code_eval`, whose script has to be downloaded and which runs
the programs without a sandbox.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from statistics import fmean
from typing import Any

import datasets
import evaluate

from evalkit.errors import SandboxError
from evalkit.sandbox import Limits, Sandbox
from evalkit.scoring.passk import pass_at_k
from evalkit.types import JsonObject, Program, Verdict

__all__ = ["CodeEval"]

_DESCRIPTION = "pass@k of programs by their unit tests, run in evalkit's sandbox."
_INPUTS = """
Args:
    predictions: for each problem a list of programs.
    references: for each problem its tests, as code that raises where a program is wrong.
    k: the ks of pass@k; those over the smallest number of samples of a problem are left out.
    num_workers: programs judged at a time; the number of CPUs by default.
    timeout: seconds for a program and its tests, not counting the time spent waiting for a CPU.
    tier: auto, namespaces, landlock or unsafe-none.
    preludes: for each problem, code that its tests need and that the program must not be trusted with.
Returns:
    a dict of figures, and for each problem a list of (completion id, result).
"""


class CodeEval(evaluate.Metric):  # type: ignore[misc]
    """A drop-in replacement for the `evaluate` library's `code_eval`."""

    def _info(self) -> Any:
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation="",
            inputs_description=_INPUTS,
            features=datasets.Features(
                {
                    "predictions": datasets.Sequence(datasets.Value("string")),
                    "references": datasets.Value("string"),
                }
            ),
        )

    def _compute(
        self,
        predictions: Sequence[Sequence[str]],
        references: Sequence[str],
        k: Sequence[int] = (1, 10, 100),
        num_workers: int | None = None,
        timeout: float = 3.0,
        tier: str = "auto",
        preludes: Sequence[str] | None = None,
    ) -> tuple[dict[str, float], dict[int, list[tuple[int, JsonObject]]]]:
        trusted = preludes or [""] * len(references)
        names, programs = [], []
        for task, (samples, tests) in enumerate(zip(predictions, references, strict=True)):
            for sample, source in enumerate(samples):
                names.append((task, sample))
                programs.append(Program(source, tests, prelude=trusted[task]))
        with Sandbox.start(tier, num_workers, Limits(seconds=timeout)) as sandbox:
            verdicts = sandbox.judge(programs)
        lost = [v for v in verdicts if v.verdict == "sandbox_error"]
        if lost:
            raise SandboxError(f"{len(lost)} of {len(verdicts)} programs could not be judged: {lost[0].reason}")
        results: dict[int, list[tuple[int, JsonObject]]] = defaultdict(list)
        for (task, sample), verdict in zip(names, verdicts, strict=True):
            results[task].append((sample, _result(task, sample, verdict)))
        return _figures(results, k), results


def _figures(results: dict[int, list[tuple[int, JsonObject]]], ks: Sequence[int]) -> dict[str, float]:
    counts = [(len(samples), sum(r["passed"] for _, r in samples)) for samples in results.values()]
    figures = {}
    for k in ks:
        values = [pass_at_k(samples, correct, k) for samples, correct in counts]
        estimates = [value for value in values if value is not None]
        if estimates and len(estimates) == len(values):
            figures[f"pass@{k}"] = fmean(estimates)
    return figures


def _result(task: int, sample: int, verdict: Verdict) -> JsonObject:
    result = {"passed": "passed", "timed_out": "timed out"}.get(verdict.verdict, f"failed: {verdict.reason}")
    return {
        "task_id": task,
        "completion_id": sample,
        "passed": verdict.verdict == "passed",
        "result": result,
        "verdict": verdict.verdict,
        "reason": verdict.reason,
        "seconds": verdict.seconds,
    }
