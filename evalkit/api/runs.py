"""A run in Python: its figures, scores and rows as data frames."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from evalkit import results, safe
from evalkit.api.output import as_html_table
from evalkit.errors import UnknownTask, UsageError, nearest
from evalkit.models import catalog

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Run", "RunLike", "load", "load_all", "opened"]


@dataclass(frozen=True, eq=False, repr=False)
class Run:
    """A finished run. `evaluate` and `score` make one, `load` finds one."""

    stored: results.Run
    """The run as evalkit's own rooms read it."""

    @property
    def run_id(self) -> str:
        return self.stored.run_id

    @property
    def model(self) -> str:
        """The model as it was typed, with its adapter."""
        return self.stored.label

    @property
    def path(self) -> Path:
        return self.stored.path

    @property
    def status(self) -> str:
        """complete, limited, partial or incomplete."""
        return self.stored.status

    @property
    def tasks(self) -> list[str]:
        """The tasks that have rows: groups stand for their members."""
        return list(self.stored.record.results.tasks)

    @property
    def requested(self) -> list[str]:
        """The tasks and groups that were asked for."""
        return list(self.stored.requested)

    @property
    def notes(self) -> list[str]:
        return list(self.stored.record.results.notes)

    @property
    def verdict(self) -> str | None:
        """pass, regression or cannot_tell of a run that was judged while it ran (`against`); else None."""
        early = self.stored.record.results.early_stopping
        return early.verdict if early else None

    def figures(self) -> pd.DataFrame:
        """One row for each task or group and metric: value, standard error, 95% interval, number of documents.

        A value that is not known is missing, and `reason` says why.
        """
        import pandas as pd

        return pd.DataFrame(list(_figures(self.stored)), columns=list(_FIGURES))

    def scores(self) -> pd.DataFrame:
        """scores.parquet: one row for each document, filter and metric."""
        import pandas as pd

        frame = self.stored.scores().to_pandas()
        assert isinstance(frame, pd.DataFrame)
        return frame

    def samples(self, task: str) -> pd.DataFrame:
        """The rows of a task: one for each document and filter, with prompt, answers and metrics."""
        import pandas as pd

        if task not in self.tasks:
            entry = self.stored.record.results.entry(task)
            members = () if entry is None else entry.all_members
            hint = f"; it is a group of {', '.join(members)}" if members else nearest(task, self.tasks)
            raise UnknownTask(f"{self.run_id} has no rows of {task}{hint or '; it has ' + ', '.join(self.tasks)}")
        return pd.DataFrame(list(self.stored.rows(task)))

    def bless(self, output_path: str | Path = "results") -> Path:
        """Make it the baseline of a results folder, which `@baseline` then names."""
        from evalkit.comparison import usable, whole

        usable(self.stored)
        whole(self.stored)
        self.stored.scores()  # a baseline that can't be read is found now, not by the first gate
        return results.bless(self.stored, Path(output_path))

    def __repr__(self) -> str:
        heading = f"Run {self.run_id} of {self.model} ({self.status}): {self.path}"
        frame = _shown(self.figures())
        return safe.terminal(heading if frame.empty else f"{heading}\n{frame.to_string(index=False, na_rep='')}")

    def _repr_html_(self) -> str:
        heading = f"{self.model} · {self.run_id} ({self.status})"
        return as_html_table(heading, _shown(self.figures()), self.notes)


RunLike: TypeAlias = "Run | results.Run | str | Path"
"""A run, or a reference to one: a path, a run-id, MODEL@latest or @baseline."""


def load(ref: RunLike, output_path: str | Path = "results") -> Run:
    """The run that a reference names: a path, a run-id, `MODEL@latest` or `@baseline`.

    A path may also hold a run of lm-eval or inspect_ai. `output_path` is the folder that holds the runs.
    """
    return ref if isinstance(ref, Run) else Run(opened(ref, Path(output_path)))


def opened(ref: Any, root: Path) -> results.Run:
    """What a reference names, as the rooms below read it. An alias and its hub id are the same model."""
    if isinstance(ref, Run):
        return ref.stored
    if isinstance(ref, results.Run):
        return ref
    if not isinstance(ref, str | Path):
        raise UsageError(f"a run is wanted, or a path, run-id, MODEL@latest or @baseline; this is {type(ref).__name__}")
    return results.find(str(ref), root, same_model=_other_names)


def load_all(refs: RunLike | Sequence[RunLike], root: Path) -> list[results.Run]:
    """The runs that several references name; one alone needs no list."""
    several = refs if isinstance(refs, list | tuple) else [refs]
    return [opened(ref, root) for ref in several]


def _other_names(model: str) -> list[str]:
    entry = catalog.get(model)
    return [] if entry is None else [name for name in (entry.alias, entry.id, *entry.also) if name]


_FIGURES = (
    "task",
    "metric",
    "value",
    "stderr",
    "low",
    "high",
    "n",
    "num_fewshot",
    "higher_is_better",
    "group",
    "requested",
    "reason",
)


def _figures(run: results.Run) -> Iterator[tuple[Any, ...]]:
    """Tasks and groups in the order asked for, then the members of groups."""
    figures = run.record.results
    for name in dict.fromkeys([*run.requested, *figures.groups, *figures.tasks]):
        entry = figures.entry(name)
        if entry is None:
            continue
        for metric, figure in entry.metrics.items():
            low, high = figure.ci95 or (None, None)
            yield (
                name,
                metric,
                figure.value,
                figure.stderr,
                low,
                high,
                entry.n,
                entry.num_fewshot,
                figure.higher_is_better,
                name in figures.groups,
                name in run.requested,
                figure.reason,
            )


def _shown(frame: pd.DataFrame) -> pd.DataFrame:
    """The columns that fit beside each other, of the names that were asked for."""
    asked = frame[frame["requested"]]
    return asked[["task", "metric", "value", "stderr", "low", "high", "n"]]
