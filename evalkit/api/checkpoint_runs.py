"""Checkpoints are evaluated together: adapters of one base in one pass, full ones with shared prompts."""

from __future__ import annotations

import glob
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalkit import results
from evalkit.api.checkpoints import base_of, is_alike, probe_of, refuse_wrong, settings_of
from evalkit.api.evaluation import evaluate
from evalkit.api.runs import opened
from evalkit.errors import UsageError
from evalkit.hardware import hardware
from evalkit.training.budget import parse_seconds
from evalkit.training.budgeting import Budget
from evalkit.training.checkpoints import Checkpoint, is_whole, merge_command, signature

__all__ = ["CheckpointRuns", "evaluate_checkpoints", "split_checkpoints"]

_CONFIGS = ("config.json", "adapter_config.json")
_PHASES = ("load", "build", "inference", "scoring")


@dataclass(frozen=True, slots=True)
class CheckpointRuns:
    runs: list[results.Run]
    notes: list[str]
    """What was left out, and where the time went."""


def split_checkpoints(refs: Sequence[Any]) -> tuple[list[Path], list[Any]]:
    """Folders of checkpoints, patterns of them filled in, and all other references."""
    folders: list[Path] = []
    others = []
    for ref in refs:
        text = str(ref) if isinstance(ref, str | Path) else ""
        matching = [Path(path) for path in sorted(glob.glob(text))] if glob.has_magic(text) else []  # noqa: PTH207
        if matching:
            folders += [path for path in matching if path.is_dir()]
        elif text and Path(text).is_dir() and _holds_checkpoint(Path(text)):
            folders.append(Path(text))
        else:
            others.append(ref)
    runs = [folder for folder in folders if (folder / "manifest.json").is_file()]
    return [folder for folder in folders if folder not in runs], [*others, *runs]


def evaluate_checkpoints(
    folders: Sequence[Path],
    *,
    tasks: tuple[str, ...],
    base: str | None,
    limit: float | None,
    budget: str | None,
    compared: Sequence[results.Run],
    config: Path | None,
    output_path: Path,
    progress: bool = False,
) -> CheckpointRuns:
    """Evaluate checkpoints. `compared`: runs beside them in the curve, which may say what fits `budget`."""
    if not tasks:
        raise UsageError(f"--tasks is missing: {folders[0]} is a checkpoint; which tasks is it evaluated on?")
    settings = settings_of(config, "curve")
    refuse_wrong(settings, tasks)
    if budget is not None and limit is not None:
        raise UsageError("--budget picks how many documents are asked, and --limit says it: drop one of them")
    seconds = None if budget is None else parse_seconds(budget)
    whole, notes = _whole(folders)
    if seconds is not None:
        # The last one's weights are those that a curve is asked for, and its answers to the probe are kept.
        chosen = Budget(seconds, tasks, settings, hardware(), _note if progress else notes.append).choose(
            probe_of(whole[-1], base, settings, output_path),
            timed=[run for run in compared if is_alike(run, whole[-1], base)],
            earlier=compared,
        )
        tasks, limit = chosen.tasks, chosen.limit
    began = time.monotonic()
    passes = []
    for model in _models(whole, base):
        made = evaluate(
            **settings, **model, tasks=tasks, limit=limit, output_path=output_path, progress=progress
        )  # fmt: skip
        passes.append(made if isinstance(made, list) else [made])
    runs = [opened(run, output_path) for made in passes for run in made]
    if runs:
        notes.append(_where_the_time_went(passes, runs, time.monotonic() - began))
    return CheckpointRuns(runs, notes)


def _holds_checkpoint(folder: Path) -> bool:
    return any((folder / name).is_file() for name in _CONFIGS) or merge_command(folder) is not None


def _whole(folders: Sequence[Path]) -> tuple[list[Checkpoint], list[str]]:
    whole, notes = [], []
    for folder in folders:
        checkpoint = Checkpoint.at(folder)
        command = merge_command(folder)
        if command is not None:
            notes.append(f"{folder} is left out: it holds shards, which no engine loads; this merges them: {command}")
        elif not is_whole(checkpoint, signature(folder)):
            notes.append(f"{folder} is left out: it is no checkpoint, or not whole")
        else:
            whole.append(checkpoint)
    if not whole:
        raise UsageError("none of these folders is a whole checkpoint" + "".join(f"\n  {note}" for note in notes[:5]))
    return whole, notes


def _note(line: str) -> None:
    from evalkit.reporting.tables import note

    note(line)


def _models(whole: Sequence[Checkpoint], base: str | None) -> list[Mapping[str, Any]]:
    """The arguments of each call of `evaluate`: all full checkpoints, then the adapters of each base."""
    full = [str(checkpoint.path) for checkpoint in whole if not checkpoint.is_adapter]
    adapters: dict[str, list[str]] = {}
    for checkpoint in whole:
        if checkpoint.is_adapter:
            adapters.setdefault(base_of(checkpoint, base), []).append(f"{checkpoint.name}={checkpoint.path}")
    of_full: list[Mapping[str, Any]] = [{"model": full}] if full else []
    return [*of_full, *({"model": model, "adapter": named, "no_base": True} for model, named in adapters.items())]


def _where_the_time_went(passes: Sequence[Sequence[Any]], runs: Sequence[results.Run], seconds: float) -> str:
    """Adapters of one pass state the pass's times, each of them: they count once."""
    spent = dict.fromkeys(_PHASES, 0.0)
    engines = 0
    for made in passes:
        together = made[0].stored.record.manifest.adapter is not None
        counted = [made[-1]] if together else made
        engines += len(counted)
        for run in counted:
            timing = run.stored.record.results.timing
            for phase in _PHASES:
                spent[phase] += getattr(timing, phase) or 0.0
    rest = max(seconds - sum(spent.values()), 0.0)
    shares = ", ".join(f"{phase} {value:.1f} s" for phase, value in spent.items())
    loads = f"{engines} engine" + ("s" if engines != 1 else "")
    return f"{len(runs)} checkpoints in {seconds:.1f} s, {loads}: {shares}, rest {rest:.1f} s"
