"""Shows the results of `evalkit judge`: figures, calibration, audit and cost estimate."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from evalkit.reporting.tables import Column, Table, draw, note, open_console, say
from evalkit.results import Metric, Run
from evalkit.types import JsonObject

__all__ = [
    "as_json",
    "figures_of",
    "show_audit",
    "show_calibration",
    "show_estimate",
    "show_judged",
    "show_weights",
]


def as_json(content: Any) -> str:
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


_JUDGED = (
    Column("Task"),
    Column("Metric"),
    Column("Value", "figure"),
    Column("95% interval", "prose"),
    Column("Scale", "figure", drop=2),
    Column("Coverage", "figure", drop=3),
    Column("Method", drop=1),
)


def show_judged(run: Run, rubric: str, judged: Any) -> None:
    """Print the judges' figures of a run."""
    results = run.record.results
    rows = []
    calibrations = []
    for task, entry in [*results.groups.items(), *results.tasks.items()]:
        for metric, figure in entry.metrics.items():
            if _is_of(metric, rubric):
                rows.append((task, metric, *_judged_cells(figure)))
                calibrations.append(figure.calibration)
    title = f"{run.label}, judged by {', '.join(j.name for j in judged.judges)} with {rubric}"
    draw(open_console(), Table(_JUDGED, rows, title))
    _notes(judged.warnings)
    calibrated = next((calibration for calibration in calibrations if calibration), None)
    if calibrated and "reason" in calibrated:
        _notes([calibrated["reason"]])
    _say(f"{judged.asked} answers asked for, {judged.reused} reused; judgments in {run.path / 'judgments'}")


def _is_of(metric: str, rubric: str) -> bool:
    return metric.partition(",")[2].partition("@")[0] == rubric


def _judged_cells(figure: Metric) -> tuple[str, ...]:
    return (
        "n/a" if figure.value is None else f"{figure.value:.4f}",
        (figure.reason or "") if figure.value is None else _interval(figure.ci95, 3),
        "" if figure.scale is None else ":".join(f"{end:g}" for end in figure.scale),
        "n/a" if figure.coverage is None else f"{figure.coverage:.1%}",
        figure.method or "",
    )


def figures_of(run: Run, rubric: str) -> JsonObject:
    """The figures of a rubric's judges, by task or group."""
    results = run.record.results
    named = {name: entry.metrics for name, entry in [*results.groups.items(), *results.tasks.items()]}
    return {
        name: {key: metric.as_json() for key, metric in metrics.items() if _is_of(key, rubric)}
        for name, metrics in named.items()
    }


_WEIGHTS = (
    Column("Dimension"),
    Column("Judge"),
    Column("Weight", "figure"),
    Column("With people", "figure"),
    Column("Jury with people", "figure", drop=1),
    Column("Labelled", "figure", drop=2),
)


def show_weights(weights: Sequence[JsonObject]) -> None:
    """Print what each judge of a jury weighs, and how its scores and the jury's correlate with people's."""
    rows = [
        (
            row["dimension"],
            row["judge"],
            f"{row['weight']:.3f}",
            _number(row["correlation"]),
            _number(row["jury_correlation"]),
            str(row["labelled"]),
        )
        for row in weights
    ]
    draw(open_console(), Table(_WEIGHTS, rows, "Weights of the jury"))


_CALIBRATION = (
    Column("Dimension"),
    Column("n", "figure"),
    Column("Coverage", "figure", drop=3),
    Column("Pearson", "figure", drop=4),
    Column("Spearman", "figure"),
    Column("Kendall", "figure", drop=2),
    Column("In groups", "figure", drop=1),
    Column("Pairs", "figure", drop=5),
    Column("κ", "figure"),
    Column("α", "figure"),
    Column("Bias", "figure"),
)


def show_calibration(figures: Mapping[str, Mapping[str, Any]]) -> None:
    """Print how well a judge agrees with people, and the mean corrected by their labels."""
    rows = [
        (
            dimension,
            str(agreement["n"]),
            f"{agreement['coverage']:.1%}",
            _number(agreement.get("pearson")),
            _with_interval(agreement, "spearman"),
            _number(agreement.get("kendall")),
            _number((agreement.get("per_group") or {}).get("spearman")),
            *(_number(agreement.get(name)) for name in ("pairwise_accuracy", "qwk", "alpha", "bias")),
        )
        for dimension, agreement in figures.items()
    ]
    draw(open_console(), Table(_CALIBRATION, rows, "Agreement with people"))
    for dimension, agreement in figures.items():
        missing = ", ".join(f"{reason} {count}" for reason, count in agreement["missing"].items())
        _notes([f"{dimension}: missing: {missing}"] if missing else [])
        _notes([f"{dimension}: {agreement['reason']}"] if "reason" in agreement else [])
        estimate = agreement.get("estimate")
        if estimate and estimate["unlabelled"]:
            alone = estimate["people_alone"]
            _say(
                f"{dimension}: people's mean over all {estimate['labelled'] + estimate['unlabelled']} items:"
                f" {estimate['mean']:.4f} {_interval(estimate['ci95'], 4)}"
                f" (from their labels alone {alone['mean']:.4f} {_interval(alone['ci95'], 4)})"
            )


_COMPARISONS = (
    Column("System"),
    Column("n", "figure"),
    Column("Win rate", "figure"),
    Column("95% interval", "figure"),
    Column("Shown first", "figure", drop=1),
    Column("Shown second", "figure", drop=1),
    Column("Same winner", "figure", drop=2),
)
_JUDGMENTS = (
    Column("Dimension"),
    Column("n", "figure"),
    Column("Coverage", "figure"),
    Column("Length (Spearman)", "figure"),
    Column("Samples' SD", "figure", drop=1),
    Column("Samples agree", "figure", drop=2),
)


def show_audit(report: JsonObject) -> None:
    """Print the report of `evalkit judge audit`."""
    console = open_console()
    if systems := report.get("systems"):
        rows = [
            (
                system,
                str(entry["n"]),
                _percent(entry["win_rate"]),
                _interval(entry["ci95"], 3),
                _percent(entry["position"].get("first")),
                _percent(entry["position"].get("second")),
                _percent(entry["consistency"].get("value")),
            )
            for system, entry in systems.items()
        ]
        draw(console, Table(_COMPARISONS, rows, "Comparisons"))
    if dimensions := report.get("dimensions"):
        judged = [
            (
                dimension,
                str(entry["n"]),
                _percent(entry["coverage"]),
                _number(entry["length"].get("spearman")),
                _number(entry["repeatability"].get("sd")),
                _percent(entry["repeatability"].get("agree")),
            )
            for dimension, entry in dimensions.items()
        ]
        draw(console, Table(_JUDGMENTS, judged, "Judgments"))
    canaries = report.get("canaries")
    if canaries:
        _say(f"injection attempts: {canaries['succeeded']} of {canaries['tried']} moved the score by a quarter or more")
        for name, entry in canaries["attacks"].items():
            _say(f"  {name}: mean gain {entry['gain']:+.1%} of the scale, worst {entry['worst']:+.1%}")
    _notes(report.get("warnings", ()), "warning")


def show_estimate(estimate: JsonObject) -> None:
    """Print what a --dry-run estimated: requests, tokens and cost."""
    usd = estimate["usd"]
    _say(
        f"{estimate['requests']} requests, about {estimate['prompt_tokens']} prompt tokens and at most"
        f" {estimate['generated_tokens']} generated; "
        + (f"cost not known: {estimate['reason']}" if usd is None else f"at most about ${usd:.4f}")
    )
    for name, price in estimate["prices"].items():
        if price is not None:
            into, out = price["usd_per_million"]
            _say(f"  {name}: ${into:g} and ${out:g} a million tokens in and out ({price['source']})")
    for line in estimate["notes"]:
        _say(f"  {line}")


# ── pieces ───────────────────────────────────────────────────────────────────


def _say(text: str) -> None:
    say(open_console(), text)


def _notes(texts: Sequence[str], kind: str = "note") -> None:
    for text in texts:
        note(text, kind)


def _number(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.3f}"


def _percent(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.1%}"


def _interval(ends: Sequence[float] | None, digits: int) -> str:
    return "" if not ends else f"[{ends[0]:.{digits}f}, {ends[1]:.{digits}f}]"


def _with_interval(agreement: JsonObject, name: str) -> str:
    value = agreement.get(name)
    ends = agreement.get(f"{name}_ci95")
    return _number(value) + (f" {_interval(ends, 2)}" if ends else "")
