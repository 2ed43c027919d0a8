"""Finds benchmarks whose figures were measured with different settings."""

from __future__ import annotations

from collections.abc import Sequence

from evalkit.ranking.records import Benchmark, Line, listed

__all__ = ["differences"]


def differences(lines: Sequence[Line], benchmarks: Sequence[Benchmark]) -> list[str]:
    """Notes on benchmarks that were run in different versions, or with different shots, documents or prompts."""
    notes: dict[str, list[str]] = {}
    for benchmark in benchmarks:
        ways = _judges(lines, benchmark) if benchmark.judged else _settings(lines, benchmark)
        differing = [
            f"{what} ({', '.join(sorted(values))})" for what, values in ways.items() if len(values - {"", "None"}) > 1
        ]
        if differing:
            notes.setdefault("; ".join(differing), []).append(benchmark.name)
    return [f"not measured alike everywhere: {listed(names)}: {what}" for what, names in notes.items()]


def _settings(lines: Sequence[Line], benchmark: Benchmark) -> dict[str, set[str]]:
    ways: dict[str, set[str]] = {"version": set(), "shots": set(), "documents": set(), "chat template": set()}
    for line in lines:
        entry = line.run.entry(benchmark.of)
        if entry is None:
            continue
        shots = line.shots[benchmark.name]
        ways["version"].add(str(entry.version))
        ways["shots"].add("" if shots is None else str(shots))
        ways["documents"].add(str(entry.n))
        ways["chat template"].add("yes" if line.chat_template else "no")
    return ways


def _judges(lines: Sequence[Line], benchmark: Benchmark) -> dict[str, set[str]]:
    names = set()
    for line in lines:
        entry = line.run.entry(benchmark.of)
        metric = entry.metrics.get(benchmark.metric) if entry else None
        if entry is not None:
            names.add(" + ".join(str(judge.name) for judge in metric.judge) if metric else "")
    return {"judge": names}
