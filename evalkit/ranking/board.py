"""Makes the leaderboard: figures with intervals, two means, and ranks with their uncertainty."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from evalkit.comparison import halves_notes
from evalkit.ranking.choosing import choose
from evalkit.ranking.columns import benchmarks_of
from evalkit.ranking.means import mean_of, normalised_mean_of, ranked, shared_benchmarks
from evalkit.ranking.records import Leaderboard, Line, listed
from evalkit.ranking.scores import chance_of, line_of
from evalkit.ranking.unlike import differences
from evalkit.results import Run

__all__ = ["leaderboard"]

_COMPLETE = "complete"


def leaderboard(
    runs: Sequence[Run],
    *,
    named: Sequence[Run] = (),
    every: bool = False,
    also: Collection[str] = (),
    chances: Mapping[str, float] | None = None,
) -> Leaderboard:
    """Make the leaderboard of these runs.

    Each model has one line, for its newest complete run; with `every`, each run has a line. Each of the `named` runs
    has its own line in any case. `also` admits runs of other statuses: limited, partial, incomplete. `chances`: the
    score of random guessing, for runs that do not record it.
    """
    chosen, notes = choose(runs, named, every, {_COMPLETE, *also})
    if not chosen:
        return Leaderboard(notes=tuple(notes))
    benchmarks = benchmarks_of(chosen)
    lines = _told_apart([line_of(run, benchmarks) for run in chosen])
    shared, apart = shared_benchmarks(lines, benchmarks)
    notes += apart + differences(lines, benchmarks)
    levels = [{name: chance_of(run, name, chances or {}) for name in shared} for run in chosen]
    normalised = tuple(name for name in shared if all(level[name] is not None for level in levels))
    if unknown := [name for name in shared if name not in normalised]:
        notes.append(f"not in the chance-normalised mean: {listed(unknown)} (a run doesn't say its chance level)")
    notes += [f"{line.label} ({line.run.run_id}), {note}" for line in lines for note in halves_notes(line.run)]
    with_means = [
        replace(line, mean=mean_of(line, shared), normalised=normalised_mean_of(line, normalised, level))
        for line, level in zip(lines, levels, strict=True)
    ]
    return Leaderboard(tuple(ranked(with_means)), benchmarks, shared, normalised, tuple(notes))


def _told_apart(lines: Sequence[Line]) -> list[Line]:
    """Give lines of the same model something to tell them apart: the revision if it differs, else the run-id."""
    labels = Counter(line.label for line in lines)
    revisions = Counter((line.label, line.run.record.manifest.model.revision) for line in lines)
    return [line if labels[line.label] == 1 else replace(line, apart=_apart(line, revisions)) for line in lines]


def _apart(line: Line, revisions: Mapping[tuple[str, str | None], int]) -> str:
    revision = line.run.record.manifest.model.revision
    return revision if revision and revisions[line.label, revision] == 1 else line.run.run_id
