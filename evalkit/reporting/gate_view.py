"""Shows a gate's verdict on a terminal, as markdown for a pull request, as JUnit XML and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from evalkit import safe
from evalkit.gating import Bound, GateResult, TaskVerdict
from evalkit.reporting.pieces import members_entry, row, rule, run_entry, unpaired_entry
from evalkit.reporting.tables import Cell, Column, Table, draw, open_console, say
from evalkit.types import JsonObject

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["as_dict", "as_json", "as_junit", "as_markdown", "grid", "headline", "policy_words", "show"]

_WORDS = {"pass": "PASS", "regression": "REGRESSION", "cannot_tell": "CANNOT TELL"}
_COLOURS = {"pass": "green", "regression": "red", "cannot_tell": "yellow"}
_MARKS = {"pass": "✅", "regression": "❌", "cannot_tell": "❔"}
_COLUMNS = (
    Column("task"),
    Column("verdict"),
    Column("metric", drop=1),
    Column("baseline", "figure"),
    Column("candidate", "figure"),
    Column("Δ", "figure"),
    Column("95% interval", "figure"),
    Column("tolerated", "figure", drop=2),
    Column("lost / gained", "figure", drop=3),
    Column("n", "figure", drop=4),
)
_HEAD = tuple(column.title for column in _COLUMNS)


def headline(result: GateResult) -> str:
    """The verdict and the tasks that decided it, in one line."""
    deciding = [task for task in result.tasks if task.verdict == result.verdict and _counts(task, result.verdict)]
    if result.verdict == "pass":
        passed = f"{len(deciding)} of {len(result.tasks)} tasks within their tolerance"
        return f"PASS: {passed} at {result.policy.confidence * 100:g}%"
    if result.verdict == "regression":
        return f"REGRESSION: {', '.join(task.name for task in deciding)}"
    wanting = [_wanting(task) for task in deciding]
    return f"CANNOT TELL: {', '.join([*wanting, *(f'{name} (not run)' for name in result.not_run)])}"


def _wanting(task: TaskVerdict) -> str:
    needs_more = task.needed_n is not None and task.needed_n > task.n
    return f"{task.name} (needs about {task.needed_n:,} documents, has {task.n:,})" if needs_more else task.name


def as_dict(result: GateResult) -> JsonObject:
    return {
        "schema": 1,
        "verdict": result.verdict,
        "exit_code": result.exit_code,
        "baseline": run_entry(result.baseline),
        "candidate": run_entry(result.candidate),
        "noise": None if result.noise is None else run_entry(result.noise),
        "confidence": result.policy.confidence,
        "policy": result.policy.source,
        "tasks": {task.name: _task(task) for task in result.tasks},
        "notes": list(result.notes),
    }


def as_json(result: GateResult) -> str:
    return json.dumps(as_dict(result), indent=2, ensure_ascii=False, allow_nan=False)


def as_markdown(result: GateResult) -> str:
    """The verdict, a table, and the reasons, which are folded if the gate passed."""
    candidate, baseline = (
        f"`{safe.code(run.label)}` ({safe.markdown(run.run_id)})" for run in (result.candidate, result.baseline)
    )
    text = [f"## {_MARKS[result.verdict]} {safe.markdown(headline(result))}", ""]
    text += [f"{candidate} against {baseline}, {safe.markdown(policy_words(result))}", ""]
    text += [row(_HEAD), rule(len(_HEAD), words=3)]
    for task in result.tasks:
        name, verdict, *rest = _cells(task)
        text.append(row([name, f"{_MARKS[task.verdict]} {verdict}", *rest]))
    reasons = [
        f"- **{safe.markdown(task.name)}**: {safe.markdown(reason)}" for task in result.tasks for reason in task.reasons
    ]
    reasons += [f"- {safe.markdown(note)}" for note in result.notes]
    folded = result.verdict == "pass"
    text += ["", "<details><summary>Why</summary>", ""] if folded else [""]
    text += reasons
    text += ["", "</details>"] if folded else []
    return "\n".join(text) + "\n"


def grid(result: GateResult) -> tuple[Sequence[str], list[list[str]]]:
    """Head and rows of the table."""
    return _HEAD, [_cells(task) for task in result.tasks]


def as_junit(result: GateResult) -> str:
    """One test case per task. Tasks that can't fail the gate are skipped, with their verdict as the message."""
    suite = ElementTree.Element("testsuite", name="evalkit gate", tests=str(len(result.tasks)))
    counts = {"failures": 0, "errors": 0, "skipped": 0}
    for task in result.tasks:
        case = ElementTree.SubElement(suite, "testcase", classname="evalkit.gate", name=safe.xml(task.name), time="0")
        text = "\n".join(task.reasons)
        kind = _junit_kind(task)
        if kind:
            tag, count = kind
            counts[count] += 1
            message = f"{_WORDS[task.verdict]}: {task.reasons[0]}"
            ElementTree.SubElement(case, tag, type=task.verdict, message=safe.xml(message)).text = safe.xml(text)
        else:
            ElementTree.SubElement(case, "system-out").text = safe.xml(text)
    for name, total in counts.items():
        suite.set(name, str(total))
    root = ElementTree.Element("testsuites", name=safe.xml(headline(result)))
    root.append(suite)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def show(result: GateResult) -> None:
    """Print to stdout: the verdict and a table on a terminal, markdown in a pipe."""
    console = open_console()
    if console.is_terminal:
        _show(console, result)
    else:
        print(as_markdown(result), end="")


def _show(console: Console, result: GateResult) -> None:
    console.print()
    say(console, headline(result), f"bold {_COLOURS[result.verdict]}")
    console.print()
    candidate, baseline = (f"{run.label} {run.run_id}" for run in (result.candidate, result.baseline))
    say(console, f"{candidate} against {baseline}, {policy_words(result)}")
    rows: list[list[Cell | str]] = []
    for task in result.tasks:
        cells: list[Cell | str] = list(_cells(task))
        cells[1] = Cell(str(cells[1]), _COLOURS[task.verdict])
        rows.append(cells)
    draw(console, Table(_COLUMNS, rows))
    for task in result.tasks:
        say(console, task.name, "bold", indent=2)
        for reason in task.reasons:
            say(console, reason, indent=4)
    for note in result.notes:
        say(console, note, "yellow")


# ── pieces ───────────────────────────────────────────────────────────────────


def _counts(task: TaskVerdict, verdict: str) -> bool:
    if verdict == "regression":
        return task.tier != "advisory"
    return verdict == "pass" or task.tier == "critical"


def _junit_kind(task: TaskVerdict) -> tuple[str, str] | None:
    if task.verdict == "pass":
        return None
    if task.tier == "advisory" or (task.tier == "supporting" and task.verdict == "cannot_tell"):
        return ("skipped", "skipped")
    return ("failure", "failures") if task.verdict == "regression" else ("error", "errors")


def policy_words(result: GateResult) -> str:
    """The policy in a few words, for the line below the verdict."""
    if result.policy.tasks:
        return f"by {result.policy.source or 'the policy given'} at {result.policy.confidence * 100:g}% one-sided"
    drop = result.tasks[0].max_drop if result.tasks else None
    return (
        f"by the default policy: headline metric of every shared task, max_drop {drop},"
        f" critical, {result.policy.confidence * 100:g}% one-sided"
    )


def _cells(task: TaskVerdict) -> list[str]:
    qualities = [quality for quality in (task.because, None if task.tier == "critical" else task.tier) if quality]
    verdict = _WORDS[task.verdict] + (f" ({'; '.join(qualities)})" if qualities else "")
    points = _in_points(task)
    interval = "" if task.ci95 is None else " to ".join(_signed(end, points) for end in task.ci95)
    return [
        task.name,
        verdict,
        task.metric + ("" if task.higher_is_better else " ↓"),
        _value(task.baseline, points),
        _value(task.candidate, points),
        "" if task.delta is None else _signed(task.delta, points),
        interval,
        f"−{task.max_drop.value * 100:.2f}" if points and not task.max_drop.relative else f"−{task.max_drop}",
        f"{task.lost:,} / {task.gained:,}",
        f"{task.n:,}",
    ]


def _in_points(task: TaskVerdict) -> bool:
    values = [value for value in (task.baseline, task.candidate) if value is not None]
    return task.scale == 1.0 and all(0 <= value <= 1 for value in values)


def _value(value: float | None, points: bool) -> str:
    if value is None:
        return "n/a"
    return f"{value * 100:.2f}" if points else f"{value:.4g}"


def _signed(value: float, points: bool) -> str:
    return f"{value * 100:+.2f}" if points else f"{value:+.4g}"


def _task(task: TaskVerdict) -> JsonObject:
    return {
        "verdict": task.verdict,
        "tier": task.tier,
        "metric": task.metric,
        "higher_is_better": task.higher_is_better,
        "baseline": task.baseline,
        "candidate": task.candidate,
        "delta": task.delta,
        "ci95": None if task.ci95 is None else list(task.ci95),
        "p": task.p,
        "p_holm": task.p_holm,
        "n": task.n,
        "flips": {"lost": task.lost, "gained": task.gained, "rate": task.flip_rate},
        "needed_n": task.needed_n,
        "needed_repeats": task.needed_repeats,
        "max_drop": task.max_drop.typed,
        "tolerance": task.tolerance,
        "lower": _bound(task.lower),
        "upper": _bound(task.upper),
        "margin": {"lower": _bound(task.margin_lower), "upper": _bound(task.margin_upper)},
        "flags": {
            flag.kind: {
                "verdict": flag.verdict,
                "baseline": flag.baseline,
                "candidate": flag.candidate,
                "n": flag.n,
                "rise": flag.rise,
                "max_rise": flag.max_rise,
                "lower": _bound(flag.lower),
                "p": flag.p,
                "p_holm": flag.p_holm,
                "needed_n": flag.needed_n,
                **({} if flag.reason is None else {"reason": flag.reason}),
            }
            for flag in task.flags
        },
        "missing": {
            "baseline": task.missing_baseline,
            "candidate": task.missing_candidate,
            "both": task.missing_both,
        },
        "unpaired": unpaired_entry(task.unpaired),
        "noise": None
        if task.noise is None
        else {
            "n": task.noise.n,
            "lost": task.noise.lost,
            "gained": task.noise.gained,
            "rate": task.noise.flip_rate,
        },
        "members": members_entry(task.members),
        "reasons": list(task.reasons),
    }


def _bound(bound: Bound) -> dict[str, float | None]:
    """A bound as JSON. Positive means better; `level` is its one-sided confidence."""
    return {"value": bound.value, "level": bound.level}
