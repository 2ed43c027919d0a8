"""All runs in one table: figures with their intervals, two means, and ranks that say how sure they are."""

from __future__ import annotations

import datetime
import math
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from evalkit.comparison import entry, headline, judged
from evalkit.models import catalog
from evalkit.results import Run
from evalkit.stats import Rank, chance_normalised_mean, pairwise_better, plain_mean, rank_intervals, wilson

__all__ = ["Benchmark", "Leaderboard", "Line", "Score", "leaderboard", "newest_of_each"]

_Z95 = 1.959963984540054
_COMPLETE = ("complete",)


@dataclass(frozen=True, slots=True)
class Score:
    """A figure with its interval, or the reason why there is none."""

    value: float | None
    stderr: float | None = None
    ci95: tuple[float, float] | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Benchmark:
    name: str
    """The task or group; with the metric behind it where it is what a judge said beside the headline."""
    metric: str
    higher_is_better: bool | None = True
    """None: neither way is better."""
    task: str = ""
    """The task or group where the name says more."""

    @property
    def of(self) -> str:
        return self.task or self.name

    @property
    def judged(self) -> bool:
        return bool(self.task)


@dataclass(frozen=True)
class Line:
    """One run. What its manifest doesn't say is None."""

    run: Run
    engine: str | None
    precision: str | None
    parameters: int | None
    license: str | None
    scores: Mapping[str, Score]
    shots: Mapping[str, int | None]
    mean: Score = Score(None)
    normalised: Score = Score(None)
    rank: Rank | None = None
    """From the best to the worst that the data allow."""

    @property
    def label(self) -> str:
        return self.run.label

    @property
    def date(self) -> datetime.date | None:
        return None if self.run.dated is None else self.run.dated.date()


@dataclass(frozen=True)
class Leaderboard:
    lines: tuple[Line, ...] = ()
    """Best first."""
    benchmarks: tuple[Benchmark, ...] = ()
    shared: tuple[str, ...] = ()
    """The benchmarks of the mean: every line has them."""
    normalised: tuple[str, ...] = ()
    """Those of the chance-normalised mean: shared, and the chance level is known."""
    notes: tuple[str, ...] = field(default=())


def leaderboard(
    runs: Sequence[Run],
    *,
    every: bool = False,
    also: Collection[str] = (),
    chances: Mapping[str, float] | None = None,
) -> Leaderboard:
    """The table of these runs.

    One model has one line, its newest complete run, unless `every`. `also` lets in runs of other statuses: limited,
    partial, incomplete. `chances` says what guessing scores where a run doesn't.
    """
    chosen, notes = _choose(runs, every, {*_COMPLETE, *also})
    if not chosen:
        return Leaderboard(notes=tuple(notes))
    benchmarks = _benchmarks(chosen)
    lines = [_line(run, benchmarks) for run in chosen]
    shared, apart = _shared(lines, benchmarks)
    notes += apart + _unlike(chosen, benchmarks)
    levels = {run.path: {name: _chance(run, name, chances or {}) for name in shared} for run in chosen}
    known = tuple(name for name in shared if all(levels[run.path][name] is not None for run in chosen))
    notes += [
        f"{name} is not in the chance-normalised mean: a run doesn't say its chance level"
        for name in shared
        if name not in known
    ]
    lines = [
        replace(
            line,
            mean=_mean(line, shared),
            normalised=_normalised(line, known, levels[line.run.path]),
        )
        for line in lines
    ]
    return Leaderboard(tuple(_ranked(lines)), benchmarks, shared, known, tuple(notes))


def newest_of_each(runs: Iterable[Run]) -> list[Run]:
    """One run of each model: the newest complete one, else the newest."""
    newest: dict[str, Run] = {}
    for run in sorted(runs, key=lambda run: (run.status == "complete", run.finished or run.created)):
        newest[_identity(run)] = run
    return list(newest.values())


# ── which runs ───────────────────────────────────────────────────────────────


def _choose(runs: Sequence[Run], every: bool, statuses: Collection[str]) -> tuple[list[Run], list[str]]:
    notes = []
    let_in = [
        run
        for run in runs
        # What stopped as soon as it was sure measured a difference; its figures are of a part that the verdict chose.
        if run.status in statuses and (run.finished or "partial" in statuses) and not run.not_run
    ]
    out = Counter(_why_out(run) for run in runs if run not in let_in)
    if out:
        listed = ", ".join(f"{count} {status}" for status, count in sorted(out.items()))
        notes.append(f"left out: {listed}")
    chosen = let_in if every else newest_of_each(let_in)
    if older := len(let_in) - len(chosen):
        notes.append(f"left out: {older} older runs of models that have a newer one (--all shows them)")
    return chosen, notes


def _why_out(run: Run) -> str:
    if run.not_run and run.status == "partial":
        return "stopped early"
    return run.status if run.finished else "unfinished"


def _identity(run: Run) -> str:
    """A model is known by what it is loaded from, so that an alias and its hub id are one; an adapter makes another."""
    source = run.model.get("source") or run.model.get("typed") or run.label
    adapter = (run.adapter or {}).get("name")
    return f"{source}+{adapter}" if adapter else str(source)


# ── one line ─────────────────────────────────────────────────────────────────


def _benchmarks(runs: Sequence[Run]) -> tuple[Benchmark, ...]:
    """Every name that any run was asked for, under the headline metric that most runs give it, and what judges said."""
    votes: dict[str, Counter[str]] = {}
    opinions: dict[str, dict[str, None]] = {}
    for run in runs:
        for name in _judged_names(run, run.requested):
            found = entry(run, name)
            if found is not None and (metric := headline(found)):
                votes.setdefault(name, Counter())[metric] += 1
                opinions.setdefault(name, {}).update(dict.fromkeys(judged(found)))
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


def _judged_names(run: Run, names: Iterable[str]) -> Iterator[str]:
    """The names asked for. A group that has no figure of its own stands for its members."""
    for name in names:
        found = entry(run, name) or {}
        members = [str(member) for member in found.get("members") or () if member != name]
        if members and not found.get("metrics"):
            yield from _judged_names(run, members)
        else:
            yield name


def _higher(runs: Sequence[Run], name: str, metric: str) -> bool | None:
    said = [figure.get("higher_is_better", True) for run in runs if (figure := _raw(run, name, metric))]
    return None if None in said else all(said)


def _line(run: Run, benchmarks: Sequence[Benchmark]) -> Line:
    engine = run.manifest.get("engine")
    described: Mapping[str, Any] = engine if isinstance(engine, Mapping) else {"name": engine}
    dtypes = (described.get("dtype"), run.model.get("dtype"))
    parameters = _number(_fact(run, "parameters"))
    return Line(
        run=run,
        engine=_text(described.get("name")),
        precision=next((_text(dtype) for dtype in dtypes if dtype not in (None, "", "auto")), None),
        parameters=None if parameters is None else int(parameters),
        license=_text(_fact(run, "license")),
        scores={benchmark.name: _score(run, benchmark) for benchmark in benchmarks},
        shots={benchmark.name: _shots(run, benchmark.of) for benchmark in benchmarks},
    )


def _fact(run: Run, name: str) -> Any:
    """What the run says of its model; where it says nothing, what the catalogue does."""
    if name in run.model:
        return run.model[name]
    names = (run.model.get(key) for key in ("source", "alias", "typed"))
    found = next((known for typed in names if isinstance(typed, str) and (known := catalog.get(typed))), None)
    return None if found is None else found.facts[name].value


def _score(run: Run, benchmark: Benchmark) -> Score:
    if entry(run, benchmark.of) is None:
        return Score(None, reason="not run")
    found = _raw(run, benchmark.of, benchmark.metric)
    if not found:
        return Score(None, reason=f"this run has no {benchmark.metric}")
    value, stderr = _number(found.get("value")), _number(found.get("stderr"))
    if value is None:
        return Score(None, reason=str(found.get("reason") or "not a number"))
    ci95 = found.get("ci95")
    ends = [_number(end) for end in ci95] if isinstance(ci95, list | tuple) else []
    if len(ends) == 2 and ends[0] is not None and ends[1] is not None:
        return Score(value, stderr, (ends[0], ends[1]))
    share = _share(value, stderr, _number((entry(run, benchmark.of) or {}).get("n")))
    return _with_interval(value, stderr) if share is None else Score(value, stderr, share)


def _share(value: float, stderr: float | None, n: float | None) -> tuple[float, float] | None:
    """Wilson's interval where the standard error shows a share of documents: all right or all wrong has the error 0."""
    if stderr is None or n is None or n < 2 or not 0 <= value <= 1:
        return None
    if not math.isclose(stderr, math.sqrt(value * (1 - value) / (n - 1)), rel_tol=1e-6, abs_tol=1e-12):
        return None
    found = wilson(round(value * n), int(n))
    return found.low, found.high


def _raw(run: Run, name: str, metric: str) -> Mapping[str, Any]:
    found = ((entry(run, name) or {}).get("metrics") or {}).get(metric)
    if found is None:
        return {}
    return found if isinstance(found, Mapping) else {"value": found}


def _shots(run: Run, name: str) -> int | None:
    """A group's shots where the run states them, else those of its members where they agree."""
    found = entry(run, name) or {}
    shots = _number(found.get("num_fewshot"))
    if shots is None:
        members = [run.tasks.get(str(member)) for member in found.get("members") or ()]
        said = {_number(member.get("num_fewshot")) for member in members if isinstance(member, Mapping)}
        shots = said.pop() if len(said) == 1 else None
    return None if shots is None else int(shots)


def _chance(run: Run, name: str, usual: Mapping[str, float]) -> float | None:
    """A run that says it doesn't know is believed; one that doesn't say has the benchmark's own."""
    chance = _number((entry(run, name) or {"chance": None}).get("chance", usual.get(name)))
    return chance if chance is not None and chance < 1 else None


# ── means and ranks ──────────────────────────────────────────────────────────


def _shared(lines: Sequence[Line], benchmarks: Sequence[Benchmark]) -> tuple[tuple[str, ...], list[str]]:
    """The benchmarks whose figures can be averaged, and why others can't be."""
    shared: list[str] = []
    apart: dict[str, list[str]] = {}
    for benchmark in benchmarks:
        if benchmark.judged:
            apart.setdefault("a judge's opinion", []).append(benchmark.name)
            continue
        values = [line.scores[benchmark.name].value for line in lines]
        known = [value for value in values if value is not None]
        if len(known) < len(values):
            apart.setdefault(f"{len(values) - len(known)} of {len(values)} lines have no figure", []).append(
                benchmark.name
            )
        elif benchmark.higher_is_better is None:
            apart.setdefault(f"neither more nor less {benchmark.metric} is better", []).append(benchmark.name)
        elif not benchmark.higher_is_better or not all(0 <= value <= 1 for value in known):
            apart.setdefault(f"{benchmark.metric} is no share of 1", []).append(benchmark.name)
        else:
            shared.append(benchmark.name)
    return tuple(shared), [f"not in the mean: {', '.join(names)} ({reason})" for reason, names in apart.items()]


def _mean(line: Line, shared: Sequence[str]) -> Score:
    if not shared:
        return Score(None, reason="no benchmark is shared by all lines")
    values, stderrs = _columns(line, shared)
    return _with_interval(*plain_mean(values, stderrs))


def _normalised(line: Line, known: Sequence[str], chances: Mapping[str, float | None]) -> Score:
    if not known:
        return Score(None, reason="no shared benchmark whose chance level is known")
    values, stderrs = _columns(line, known)
    return _with_interval(*chance_normalised_mean(values, stderrs, [chances[name] or 0.0 for name in known]))


def _columns(line: Line, names: Sequence[str]) -> tuple[list[float], list[float]]:
    scores = [line.scores[name] for name in names]
    values = [math.nan if score.value is None else score.value for score in scores]
    return values, [_spread(score) for score in scores]


def _spread(score: Score) -> float:
    """All right or all wrong has the standard error 0 by formula; its interval still says how sure that is."""
    if not score.stderr and score.ci95 is not None and score.value is not None:
        return max(score.ci95[1] - score.value, score.value - score.ci95[0]) / _Z95
    return math.nan if score.stderr is None else score.stderr


def _with_interval(value: float, stderr: float | None) -> Score:
    if stderr is None or not math.isfinite(stderr):
        return Score(value)
    return Score(value, stderr, (value - _Z95 * stderr, value + _Z95 * stderr))


def _ranked(lines: Sequence[Line]) -> list[Line]:
    """Best first. Two lines whose intervals of ranks overlap are not told apart by the data."""
    ordered = sorted(lines, key=lambda line: -math.inf if line.mean.value is None else line.mean.value, reverse=True)
    if any(line.mean.value is None for line in ordered):
        return sorted(ordered, key=lambda line: line.label)
    values = [line.mean.value for line in ordered]
    stderrs = [math.nan if line.mean.stderr is None else line.mean.stderr for line in ordered]
    ranks = rank_intervals(pairwise_better([value for value in values if value is not None], stderrs))
    return [replace(line, rank=rank) for line, rank in zip(ordered, ranks, strict=True)]


# ── what does not compare ────────────────────────────────────────────────────


def _unlike(runs: Sequence[Run], benchmarks: Sequence[Benchmark]) -> list[str]:
    """Columns whose figures were not measured in one way."""
    notes = []
    for benchmark in benchmarks:
        ways: dict[str, set[str]] = {"version": set(), "shots": set(), "documents": set(), "chat template": set()}
        for run in runs:
            found = entry(run, benchmark.of)
            if found is None:
                continue
            if benchmark.judged:
                judges = _raw(run, benchmark.of, benchmark.metric).get("judge") or ()
                ways.setdefault("judge", set()).add(" + ".join(str(judge.get("name")) for judge in judges))
                continue
            chat = run.manifest.get("chat_template")
            shots = _shots(run, benchmark.of)
            ways["version"].add(str(found.get("version")))
            ways["shots"].add("" if shots is None else str(shots))
            ways["documents"].add(str(found.get("n")))
            ways["chat template"].add("yes" if isinstance(chat, Mapping) and chat.get("applied") else "no")
        differing = [
            f"{what} ({', '.join(sorted(said))})" for what, said in ways.items() if len(said - {"", "None"}) > 1
        ]
        if differing:
            notes.append(f"{benchmark.name} was not measured alike everywhere: {'; '.join(differing)}")
    return notes


def _text(value: Any) -> str | None:
    return None if value is None or value == "" else str(value)


def _number(value: Any) -> float | None:
    known = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if known else None
