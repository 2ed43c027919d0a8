"""What a checkpoint costs: said before the start as far as it is known, and fitted to --budget."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from evalkit import results
from evalkit.api.checkpoints import model_of
from evalkit.api.evaluation import evaluate
from evalkit.api.runs import opened
from evalkit.training.budget import Choice, choose, measure, seconds_text
from evalkit.training.checkpoints import Checkpoint

__all__ = ["Budget", "cost_before"]


def cost_before(earlier: Sequence[results.Run], baseline: results.Run | None, tasks: Sequence[str]) -> str:
    """What a checkpoint will take, by those before it or by the baseline; or that it is not known."""
    known = [seconds for run in earlier if (seconds := run.record.results.timing.total)]
    if known:
        return f"about {seconds_text(sum(known) / len(known))} for each checkpoint, as the {len(known)} before took"
    if baseline is not None and set(baseline.requested) >= set(tasks):
        seconds = baseline.record.results.timing.total
        if seconds and baseline.record.results.tokens.computed.value:
            whose = "tasks" if set(baseline.requested) == set(tasks) else "tasks and more"
            return f"about {seconds_text(seconds)} for each checkpoint, as the baseline took for these {whose}"
    return "what a checkpoint costs is not known yet: nothing was timed here; the first one says"


class Budget:
    """Tasks and documents that fit a time, chosen with the first checkpoint and kept: a curve needs the same ones."""

    def __init__(
        self,
        seconds: float,
        path: Path,
        settings: Mapping[str, Any],
        tasks: tuple[str, ...],
        base: str | None,
        say: Callable[[str], None],
    ) -> None:
        self._seconds, self._path, self._settings, self._tasks = seconds, path, settings, tasks
        self._base, self._say = base, say
        self._choice: Choice | None = None

    def choice(self, checkpoint: Checkpoint) -> Choice:
        if self._choice is None:
            self._choice = self._read() or self._measured(checkpoint)
            self._say(f"--budget: {self._choice.text}")
        return self._choice

    def _read(self) -> Choice | None:
        """What an earlier watch chose for the same time and tasks."""
        try:
            content = json.loads(self._path.read_bytes())
            if (content["budget"], tuple(content["asked"])) != (self._seconds, self._tasks):
                return None
            chosen = content["choice"]
            return Choice(
                tuple(chosen["tasks"]), chosen["limit"], float(chosen["seconds"]),
                {str(name): int(count) for name, count in chosen["documents"].items()}, tuple(chosen["left_out"]),
            )  # fmt: skip
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def _measured(self, checkpoint: Checkpoint) -> Choice:
        with tempfile.TemporaryDirectory(prefix="evalkit-probe-") as folder:

            def probed(task: str, limit: int) -> results.Run:
                model = model_of(checkpoint, self._base)
                run = evaluate(**self._settings, **model, tasks=task, limit=limit, output_path=folder)
                return opened(run[0] if isinstance(run, list) else run, Path(folder))

            costs, fixed = measure(self._sizes(), probed)
        chosen = choose(costs, self._seconds, fixed)
        content = {"budget": self._seconds, "asked": self._tasks, "choice": asdict(chosen)}
        results.write_file(self._path, (json.dumps(content, ensure_ascii=False, indent=1) + "\n").encode())
        return chosen

    def _sizes(self) -> dict[str, tuple[int, ...]]:
        """How many documents each member of each task has."""
        from evalkit.registry import Registry

        reads = ("include_path", "allow_task_code", "data_dir")
        given = {name: self._settings[name] for name in reads if name in self._settings}
        paths = given.pop("include_path", ())
        folders = [paths] if isinstance(paths, str | Path) else paths
        suite = Registry(folders, **given).load(self._tasks, num_fewshot=self._settings.get("num_fewshot"))
        return {name: tuple(suite.tasks[leaf].size for leaf in suite.leaves(name)) for name in suite.requested}
