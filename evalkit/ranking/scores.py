"""Makes the line of one run: its model, and its figures with their intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from evalkit.metrics import may_be_share
from evalkit.models import catalog
from evalkit.ranking.records import Benchmark, Line, Score
from evalkit.results import Run
from evalkit.results.record import Entry
from evalkit.stats import wilson

__all__ = ["Z95", "chance_of", "line_of", "shots_of"]

Z95 = 1.959963984540054


def line_of(run: Run, benchmarks: Sequence[Benchmark]) -> Line:
    """The leaderboard line of a run."""
    manifest = run.record.manifest
    engine = manifest.engine
    dtypes = (engine.dtype if engine else None, manifest.model.dtype)
    chat = manifest.chat_template
    return Line(
        run=run,
        engine=(engine.name or None) if engine else None,
        precision=next((dtype for dtype in dtypes if dtype not in (None, "", "auto")), None),
        parameters=_parameters(run),
        license=_license(run),
        scores={benchmark.name: _score(run, benchmark) for benchmark in benchmarks},
        shots={benchmark.name: shots_of(run, benchmark.of) for benchmark in benchmarks},
        documents={benchmark.name: _documents(run, benchmark) for benchmark in benchmarks},
        chat_template=None if chat is None else bool(chat.applied),
    )


# ── what is known of the model ───────────────────────────────────────────────


def _parameters(run: Run) -> int | None:
    """The number of parameters that the run records, or else that of the catalogue."""
    model = run.record.manifest.model
    if model.states("parameters"):
        return model.parameters
    entry = _catalogued(run)
    value = entry.parameters.value if entry else None
    return value if isinstance(value, int) else None


def _license(run: Run) -> str | None:
    model = run.record.manifest.model
    if model.states("license"):
        return model.license or None
    entry = _catalogued(run)
    return str(entry.license.value) if entry and entry.license.value else None


def _catalogued(run: Run) -> catalog.Entry | None:
    model = run.record.manifest.model
    names = (model.source, model.alias, model.typed)
    return next((entry for name in names if name and (entry := catalog.get(name))), None)


# ── figures ──────────────────────────────────────────────────────────────────


def _score(run: Run, benchmark: Benchmark) -> Score:
    entry = run.entry(benchmark.of)
    if entry is None:
        return Score(None, reason="not run")
    metric = entry.metrics.get(benchmark.metric)
    if metric is None:
        return Score(None, reason=f"this run has no {benchmark.metric}")
    if metric.value is None or not math.isfinite(metric.value):
        return Score(None, reason=metric.reason or "not a number")
    value = float(metric.value)
    stderr = float(metric.stderr) if metric.stderr is not None and math.isfinite(metric.stderr) else None
    if metric.ci95 is not None and all(math.isfinite(end) for end in metric.ci95):
        return Score(value, stderr, (float(metric.ci95[0]), float(metric.ci95[1])))
    if stderr is None:
        return Score(value)
    return Score(value, stderr, _interval(benchmark.metric, value, stderr, entry.n))


def _interval(metric: str, value: float, stderr: float, n: int | None) -> tuple[float, float] | None:
    """Wilson's interval for a share of documents, else value ± 1.96 standard errors.

    The standard error shows whether the value is a share. If all answers are right or all wrong, the error is 0 in
    every metric: then the metric's name decides, since a ROUGE of 0 is not a share. The interval of a share stays
    within [0, 1].
    """
    share = 0 <= value <= 1 and may_be_share(metric)
    if share and n is not None and n >= 2:
        by_formula = math.sqrt(value * (1 - value) / (n - 1))
        if math.isclose(stderr, by_formula, rel_tol=1e-6, abs_tol=1e-12):
            interval = wilson(round(value * n), n)
            return interval.low, interval.high
    if share and 0 < value < 1 and stderr > 0:
        # The number of independent documents that would give this standard error.
        size = max(value * (1 - value) / stderr**2, 1.0)
        interval = wilson(value * size, size)
        return interval.low, interval.high
    # A standard error of 0 gives no interval.
    return (value - Z95 * stderr, value + Z95 * stderr) if stderr > 0 else None


def shots_of(run: Run, name: str) -> int | None:
    """The number of few-shot examples; for a group without one, that of its members if they agree."""
    entry = run.entry(name)
    if entry is None or entry.num_fewshot is not None:
        return entry.num_fewshot if entry else None
    tasks = run.record.results.tasks
    shots = {tasks[member].num_fewshot for member in entry.all_members if member in tasks}
    return shots.pop() if len(shots) == 1 else None


def _documents(run: Run, benchmark: Benchmark) -> int | None:
    entry = run.entry(benchmark.of)
    if entry is None:
        return None
    metric = entry.metrics.get(benchmark.metric)
    return metric.n if metric is not None and metric.n is not None else entry.n


def chance_of(run: Run, name: str, usual: Mapping[str, float]) -> float | None:
    """The score of random guessing as the run records it, even if null; the usual one if the run has no such entry."""
    entry = run.entry(name)
    if entry is None:
        return None
    chance = _stated_chance(entry) if entry.states("chance") else usual.get(name)
    return chance if chance is not None and math.isfinite(chance) and chance < 1 else None


def _stated_chance(entry: Entry) -> float | None:
    chance = getattr(entry, "chance", None)
    return None if chance is None else float(chance)
