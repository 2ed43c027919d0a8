"""What the judge verbs show."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["as_json", "show_audit", "show_calibration", "show_estimate", "show_judged"]


def as_json(content: Any) -> str:
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


def show_judged(run: Any, rubric: str, judged: Any) -> None:
    table = _table(f"{run.label}, judged by {', '.join(j.name for j in judged.judges)} with {rubric}")
    for name in ("Task", "Metric", "Value", "95% interval", "Scale", "Coverage", "Method"):
        table.add_column(name, overflow="fold")
    for task, entry in [*run.groups.items(), *run.tasks.items()]:
        for metric, figure in entry.get("metrics", {}).items():
            if metric.partition(",")[2] != rubric:
                continue
            value = figure.get("value")
            table.add_row(
                task,
                metric,
                "n/a" if value is None else f"{value:.4f}",
                figure.get("reason", "") if value is None else _interval(figure.get("ci95"), 3),
                ":".join(f"{end:g}" for end in figure.get("scale", ())),
                f"{figure.get('coverage', 0):.1%}",
                figure.get("method") or "",
            )
    _print(table)
    _notes(judged.warnings)
    calibrated = next((f.get("calibration") for _, f in _figures(run, rubric)), None)
    if calibrated and "reason" in calibrated:
        _notes([calibrated["reason"]])
    _say(f"{judged.asked} answers asked for, {judged.reused} reused; judgments in {run.path / 'judgments'}")


def _figures(run: Any, rubric: str) -> list[tuple[str, Mapping[str, Any]]]:
    return [
        (metric, figure)
        for entry in run.tasks.values()
        for metric, figure in entry.get("metrics", {}).items()
        if metric.partition(",")[2] == rubric
    ]


def show_calibration(figures: Mapping[str, Mapping[str, Any]]) -> None:
    table = _table("Agreement with people")
    table.add_column("Dimension", no_wrap=True)
    for name in ("n", "Coverage", "Pearson", "Spearman", "Kendall", "In groups", "Pairs", "κ", "α", "Bias"):
        table.add_column(name, overflow="fold", justify="right")
    for dimension, found in figures.items():
        table.add_row(
            dimension,
            str(found["n"]),
            f"{found['coverage']:.1%}",
            _number(found.get("pearson")),
            _with_interval(found, "spearman"),
            _number(found.get("kendall")),
            _number((found.get("per_group") or {}).get("spearman")),
            *(_number(found.get(name)) for name in ("pairwise_accuracy", "qwk", "alpha", "bias")),
        )
    _print(table)
    for dimension, found in figures.items():
        missing = ", ".join(f"{reason} {count}" for reason, count in found["missing"].items())
        _notes([f"{dimension}: missing: {missing}"] if missing else [])
        _notes([f"{dimension}: {found['reason']}"] if "reason" in found else [])
        estimate = found.get("estimate")
        if estimate and estimate["unlabelled"]:
            alone = estimate["people_alone"]
            _say(
                f"{dimension}: people's mean over all {estimate['labelled'] + estimate['unlabelled']} items:"
                f" {estimate['mean']:.4f} {_interval(estimate['ci95'], 4)}"
                f" (from their labels alone {alone['mean']:.4f} {_interval(alone['ci95'], 4)})"
            )


def show_audit(report: Mapping[str, Any]) -> None:
    systems = report.get("systems")
    if systems:
        table = _table("Comparisons")
        for name in ("System", "n", "Win rate", "95% interval", "Shown first", "Shown second", "Same winner"):
            table.add_column(name, overflow="fold")
        for system, found in systems.items():
            position = found["position"]
            table.add_row(
                system,
                str(found["n"]),
                _percent(found["win_rate"]),
                _interval(found["ci95"], 3),
                _percent(position.get("first")),
                _percent(position.get("second")),
                _percent(found["consistency"].get("value")),
            )
        _print(table)
    dimensions = report.get("dimensions")
    if dimensions:
        table = _table("Judgments")
        for name in ("Dimension", "n", "Coverage", "Length (Spearman)", "Samples' SD", "Samples agree"):
            table.add_column(name, overflow="fold")
        for dimension, found in dimensions.items():
            table.add_row(
                dimension,
                str(found["n"]),
                _percent(found["coverage"]),
                _number(found["length"].get("spearman")),
                _number(found["repeatability"].get("sd")),
                _percent(found["repeatability"].get("agree")),
            )
        _print(table)
    canaries = report.get("canaries")
    if canaries:
        _say(f"injection attempts: {canaries['succeeded']} of {canaries['tried']} moved the score by a quarter or more")
        for name, found in canaries["attacks"].items():
            _say(f"  {name}: mean gain {found['gain']:+.1%} of the scale, worst {found['worst']:+.1%}")
    _notes(report.get("warnings", ()), "warning")


def show_estimate(estimate: Mapping[str, Any]) -> None:
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


def _table(title: str) -> Any:
    from rich.markup import escape
    from rich.table import Table

    return Table(title=escape(title), title_justify="left", header_style="bold")


def _print(table: Any) -> None:
    from rich.console import Console

    console = Console()
    Console(width=None if console.is_terminal else max(console.width, 120)).print(table)


def _say(text: str) -> None:
    import click

    click.echo(text)


def _notes(texts: Sequence[str], kind: str = "note") -> None:
    import click

    for text in texts:
        click.echo(f"{kind}: {text}", err=True)


def _number(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.3f}"


def _percent(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.1%}"


def _interval(ends: Sequence[float] | None, digits: int) -> str:
    return "" if not ends else f"[{ends[0]:.{digits}f}, {ends[1]:.{digits}f}]"


def _with_interval(found: Mapping[str, Any], name: str) -> str:
    value = found.get(name)
    ends = found.get(f"{name}_ci95")
    return _number(value) + (f" {_interval(ends, 2)}" if ends else "")
