"""Chooses tasks and documents for --budget with the first checkpoint, and keeps them: a curve needs the same ones."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from evalkit.registry import Registry
from evalkit.results import Run, write_file
from evalkit.training.budget import Choice, TaskCost, choose, measure
from evalkit.training.pace import Discordance, discordance_of, pace_of

__all__ = ["Budget", "Probe"]


class Probe(Protocol):
    """Evaluates a task on a few documents, with the run under a folder that is removed afterwards."""

    def __call__(self, task: str, limit: int, folder: Path) -> Run: ...


@dataclass(slots=True)
class Budget:
    """What fits a time for each checkpoint."""

    seconds: float
    tasks: tuple[str, ...]
    settings: Mapping[str, Any]
    """Arguments of `evaluate`; those that say which documents a task has, and with how many examples, count here."""
    hardware: Mapping[str, Any]
    say: Callable[[str], None]
    path: Path | None = None
    """Where the choice is kept for the next process."""
    choice: Choice | None = None
    typed: str = "--budget"
    """What the time is called where it was asked for."""

    def choose(self, probe: Probe, *, timed: Sequence[Run] = (), earlier: Sequence[Run] = ()) -> Choice:
        """The choice that was made, else a new one. `timed`: runs of the same model or its like, the newest first.

        Tasks that none of these was asked for alone are probed. `earlier`: runs whose answers may be compared.
        """
        if self.choice is None:
            self.choice = self._read() or self._made(probe, timed, earlier)
            self.say(f"{self.typed}: {self.choice.text}")
        return self.choice

    def _made(self, probe: Probe, timed: Sequence[Run], earlier: Sequence[Run]) -> Choice:
        members = self._members()
        costs, fixed = [], 0.0
        with tempfile.TemporaryDirectory(prefix="evalkit-probe-") as folder:
            for name, (sizes, shots) in members.items():
                pace = pace_of(name, shots, timed, self.hardware)
                if pace is not None:
                    seconds, around, source = pace.seconds, pace.fixed, pace.run_id
                else:
                    seconds, around = measure(sizes, partial(_probed, probe, name, Path(folder)))
                    source = None
                fixed = max(fixed, around)
                costs.append(TaskCost(name, sizes, seconds, source, discordance_of(name, earlier)))
        choice = choose(costs, self.seconds, fixed, typed=self.typed)
        if self.path is not None:
            content = {"budget": self.seconds, "asked": self.tasks, "choice": asdict(choice)}
            write_file(self.path, (json.dumps(content, ensure_ascii=False, indent=1) + "\n").encode())
        return choice

    def _read(self) -> Choice | None:
        """What an earlier process chose for the same time and tasks."""
        if self.path is None:
            return None
        try:
            content = json.loads(self.path.read_bytes())
            if (content["budget"], tuple(content["asked"])) != (self.seconds, self.tasks):
                return None
            kept = content["choice"]
            return Choice(
                tasks=tuple(kept["tasks"]),
                limit=kept["limit"],
                seconds=float(kept["seconds"]),
                documents={str(name): int(count) for name, count in kept["documents"].items()},
                left_out=tuple(kept["left_out"]),
                timed_by={str(name): run for name, run in kept.get("timed_by", {}).items()},
                discordances={
                    str(name): Discordance(float(seen["share"]), int(seen["documents"]), tuple(seen["between"]))
                    for name, seen in kept.get("discordances", {}).items()
                },
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def _members(self) -> dict[str, tuple[tuple[int, ...], dict[str, int]]]:
        """Of each task, how many documents its members have, and with how many examples they are asked."""
        reads = ("include_path", "allow_task_code", "data_dir")
        given = {name: self.settings[name] for name in reads if name in self.settings}
        paths = given.pop("include_path", ())
        folders = [paths] if isinstance(paths, str | Path) else paths
        suite = Registry(folders, **given).load(self.tasks, num_fewshot=self.settings.get("num_fewshot"))
        members = {}
        for name in suite.requested:
            leaves = suite.leaves(name)
            sizes = tuple(suite.tasks[leaf].size for leaf in leaves)
            members[name] = sizes, {leaf: suite.tasks[leaf].num_fewshot for leaf in leaves}
        return members


def _probed(probe: Probe, name: str, folder: Path, limit: int) -> Run:
    return probe(name, limit, folder)
