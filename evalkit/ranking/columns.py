"""Chooses the benchmarks of a leaderboard: every name that a run requested."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from evalkit.comparison import headline, judged
from evalkit.ranking.records import Benchmark
from evalkit.results import Run

__all__ = ["benchmarks_of"]


def benchmarks_of(runs: Sequence[Run]) -> tuple[Benchmark, ...]:
    """Each name with the headline metric that most runs give it, and the metrics of judges."""
    votes: dict[str, Counter[str]] = {}
    opinions: dict[str, dict[str, None]] = {}
    for run in runs:
        for name in _spelled_out(run, run.requested):
            entry = run.entry(name)
            if entry is not None and (metric := headline(entry)):
                votes.setdefault(name, Counter())[metric] += 1
                ratings = [other for other in entry.metrics if other.startswith("rating,")]
                opinions.setdefault(name, {}).update(dict.fromkeys([*judged(entry), *ratings]))
    benchmarks = []
    for name, count in votes.items():
        chief = count.most_common(1)[0][0]
        benchmarks.append(Benchmark(name, chief, _higher(runs, name, chief)))
        benchmarks += [
            Benchmark(f"{name} {metric}", metric, _higher(runs, name, metric), task=name)
            for metric in opinions[name]
            if metric != chief
        ]
    return tuple(benchmarks)


def _spelled_out(run: Run, names: Iterable[str]) -> Iterator[str]:
    """The requested names; a group without figures is replaced by its members."""
    for name in names:
        group = run.entry(name)
        members = [member for member in group.all_members if member != name] if group else []
        if group and members and not group.metrics:
            yield from _spelled_out(run, members)
        else:
            yield name


def _higher(runs: Sequence[Run], name: str, metric: str) -> bool | None:
    entries = (run.entry(name) for run in runs)
    ways = [given.metrics[metric].higher_is_better for given in entries if given and metric in given.metrics]
    return None if None in ways else all(ways)
