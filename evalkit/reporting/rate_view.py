"""Rates as text, markdown and JSON. A rate that labels did not correct is called raw wherever it stands."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from evalkit import safe
from evalkit.detectors.change import Change, Changes
from evalkit.detectors.rated import PromptRates, Rated
from evalkit.detectors.rates import Rate
from evalkit.reporting.tables import Column, Table, draw, open_console, say

__all__ = ["Line", "as_markdown", "as_text", "content", "heading", "lines", "remarks", "show"]

Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class Line:
    """One rate."""

    what: str
    n: int
    rate: float
    low: float
    high: float
    p_holm: float | None = None


def content(rated: Rated) -> Json:
    """What --json writes."""
    corrected: Json | None = None
    if rated.corrected is not None:
        corrected = {
            "rate": rated.corrected.rate,
            "ci95": list(rated.corrected.ci95),
            "sensitivity": rated.corrected.sensitivity,
            "specificity": rated.corrected.specificity,
            "labels": rated.corrected.labels,
        }
    entry: Json = {"n": rated.n, "raw": _rate(rated.raw), "corrected": corrected, "reason": rated.reason}
    if rated.missing:
        entry["missing"] = rated.missing
    if rated.notes:
        entry["notes"] = list(rated.notes)
    if rated.groups:
        entry["groups"] = {
            group.name: {"n": group.n, "raw": _rate(group.raw), "p_holm": group.p_holm} for group in rated.groups
        }
    if rated.by_prompt is not None:
        entry["by_prompt"] = _by_prompt(rated.by_prompt)
    if rated.changes is not None:
        entry["changes"] = _changes(rated.changes)
    return entry


def _changes(changes: Changes) -> Json:
    written: Json = {"pairs": changes.pairs, "unpaired": changes.unpaired, "raw": _change(changes.raw)}
    written["repetition"] = None if changes.repetition is None else _change(changes.repetition)
    if changes.model is not None:
        perplexity = None if changes.perplexity is None else _change(changes.perplexity, "ratio")
        why = {} if perplexity is not None else {"reason": changes.perplexity_reason}
        written["perplexity"] = {"under": changes.model, "value": perplexity, **why}
    return written


def _change(change: Change, difference: str = "difference") -> Json:
    bounds = None if change.ci95 is None else list(change.ci95)
    entry: Json = {
        "n": change.n,
        "before": change.before,
        "after": change.after,
        difference: change.difference,
        "ci95": bounds,
    }
    return entry if change.reason is None else {**entry, "reason": change.reason}


def _by_prompt(rates: PromptRates) -> Json:
    return {
        "prompts": rates.prompts,
        "expected_maximum": _rate(rates.expected_maximum),
        "at_least_one": _rate(rates.at_least_one),
    }


def _rate(rate: Rate) -> Json:
    return {"rate": rate.rate, "ci95": list(rate.ci95)}


def lines(rated: Rated) -> Iterator[Line]:
    yield Line("raw", rated.n, rated.raw.rate, *rated.raw.ci95)
    if rated.corrected is not None:
        yield Line("corrected", rated.n, rated.corrected.rate, *rated.corrected.ci95)
    for group in rated.groups:
        yield Line(f"raw, {group.name}", group.n, group.raw.rate, *group.raw.ci95, group.p_holm)
    if rated.by_prompt is not None:
        prompts = rated.by_prompt
        yield Line(
            "raw, expected maximum", prompts.prompts, prompts.expected_maximum.rate, *prompts.expected_maximum.ci95
        )
        yield Line("raw, at least one", prompts.prompts, prompts.at_least_one.rate, *prompts.at_least_one.ci95)


def heading(rated: Rated) -> str:
    return f"{rated.detector.name} in {rated.n:,} answers"


def remarks(rated: Rated) -> list[str]:
    corrected = rated.corrected
    notes = [f"detector {rated.detector.name} {rated.detector.version}: {rated.detector.known_error}"]
    if rated.missing:
        notes.append(f"{rated.missing:,} answers without a verdict are in no rate")
    if corrected is not None:
        notes.append(
            f"against {corrected.labels} labels: sensitivity {_share(corrected.sensitivity)}, specificity"
            f" {_share(corrected.specificity)}; Rogan–Gladen would say {_share(corrected.rogan_gladen)}"
        )
    if rated.reason:
        notes.append(rated.reason)
    return [*notes, *rated.notes, *(() if rated.changes is None else _changed(rated.changes))]


def _changed(changes: Changes) -> Iterator[str]:
    """What became of the rate and of the texts, in pairs."""
    raw = changes.raw
    yield (
        f"against the answers before, {changes.pairs:,} pairs: raw {raw.before:.2%} → {raw.after:.2%},"
        f" {_signed(raw.difference)}{_bounds(raw, _signed)}"
    )
    if changes.unpaired:
        yield f"{changes.unpaired:,} answers have no pair with a verdict on both sides, and are in no change"
    if changes.repetition is None:
        yield "repetition is not known: no pair has answers of four words"
    else:
        texts = changes.repetition
        yield (
            f"repetition (runs of four words that stood in the answer before){_of(texts, changes)}:"
            f" {texts.before:.2%} → {texts.after:.2%}, {_signed(texts.difference)}{_bounds(texts, _signed)}"
        )
    if changes.model is None:
        return
    if changes.perplexity is None:
        yield f"perplexity under {changes.model} is not known: {changes.perplexity_reason}"
    else:
        fluency = changes.perplexity
        yield (
            f"perplexity under {changes.model} (geometric mean over answers){_of(fluency, changes)}:"
            f" {fluency.before:.4g} → {fluency.after:.4g}, times {_times(fluency.difference)}{_bounds(fluency, _times)}"
        )


def _of(change: Change, changes: Changes) -> str:
    """How many pairs it rests on, where these are not all."""
    return "" if change.n == changes.pairs else f", {change.n:,} pairs"


def _signed(share: float) -> str:
    """With its sign; what is nothing to two digits has none."""
    text = f"{share:+.2%}"
    return text[1:] if text in ("+0.00%", "-0.00%") else text


def _times(ratio: float) -> str:
    return f"{ratio:.3f}" if 0.001 <= ratio < 1e6 else f"{ratio:.3g}"


def _bounds(change: Change, write: Callable[[float], str]) -> str:
    if change.ci95 is None:
        return f"; {change.reason}"
    low, high = change.ci95
    return f" (95% {write(low)} to {write(high)})"


def as_text(rated: Rated) -> str:
    width = max(len(line.what) for line in lines(rated))
    rows = [
        f"  {safe.terminal(line.what):<{width}}  {line.rate:7.2%}   {line.low:.2%} – {line.high:.2%}   n {line.n:,}"
        + ("" if line.p_holm is None else f"   p {line.p_holm:.3g}")
        for line in lines(rated)
    ]
    return "\n".join([safe.line(heading(rated)), *rows, *(f"  {safe.terminal(remark)}" for remark in remarks(rated))])


def show(rated: Rated) -> None:
    """Print the rates for the width of the terminal."""
    console = open_console()
    say(console, heading(rated))
    shown = list(lines(rated))
    columns = [Column("rate"), Column("value", "figure"), Column("95% interval", "figure"), Column("n", "figure")]
    if any(line.p_holm is not None for line in shown):
        columns.append(Column("p (Holm)", "figure", drop=1))
    rows = []
    for line in shown:
        cells = [line.what, f"{line.rate:.2%}", f"{line.low:.2%} – {line.high:.2%}", f"{line.n:,}"]
        cells.append("" if line.p_holm is None else f"{line.p_holm:.3g}")
        rows.append(cells[: len(columns)])
    draw(console, Table(columns, rows))
    for remark in remarks(rated):
        say(console, f"- {remark}")


def as_markdown(rated: Rated) -> str:
    rows = [
        f"| {safe.markdown(line.what)} | {line.rate:.2%} | {line.low:.2%} – {line.high:.2%} | {line.n:,} |"
        f" {'' if line.p_holm is None else f'{line.p_holm:.3g}'} |"
        for line in lines(rated)
    ]
    table = ["| rate | value | 95% interval | n | p (Holm) |", "|---|---:|---:|---:|---:|", *rows]
    notes = [f"- {safe.markdown(remark)}" for remark in remarks(rated)]
    return "\n".join([f"## {safe.markdown(heading(rated))}", "", *table, "", *notes]) + "\n"


def _share(value: float | None) -> str:
    return "not known" if value is None else f"{value:.1%}"
