"""Where on the axis a run stands: from a table, its revision, its names, or its trainer's state."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from evalkit.curves.records import Number
from evalkit.curves.trainer import read_state
from evalkit.errors import RunFolderError
from evalkit.results import AdapterInfo, Run

__all__ = ["Placed", "in_name", "place_runs", "whole"]

_WORDS = {
    "step": "global[-_]?steps?|steps?|checkpoint|ckpt|iterations?|iter",
    "tokens": "tokens?|toks?",
    "examples": "examples?|samples?",
    "epoch": "epochs?",
}
_THOUSANDS = {"": 1, "k": 10**3, "m": 10**6, "b": 10**9, "t": 10**12}
_LONGEST = 4096


@dataclass(frozen=True, slots=True)
class Placed:
    run: Run
    x: Number


def place_runs(
    runs: Sequence[Run], axis: str, table: Mapping[str, Number] | None = None
) -> tuple[list[Placed], list[str]]:
    """The runs with their places, and a note for each one that has none.

    `table`: places by run-id, folder, file or model. It comes first; then revision, names, trainer_state.json.
    """
    placed, notes = [], []
    for run in runs:
        try:
            x = _in_table(run, table) if table else None
            x = _place(run, axis) if x is None else x
        except RunFolderError as error:
            notes.append(f"{run.path} is left out: {error}")
            continue
        if x is None:
            where = "revision, names and trainer_state.json" + (" and the table" if table else "")
            notes.append(f"{run.path} is left out: {where} do not say its {axis} (--points FILE.csv can)")
        else:
            placed.append(Placed(run, x))
    return placed, notes


def in_name(text: str, axis: str) -> Number | None:
    """The number that a name gives for the axis: step103000, checkpoint-500, stage1-step1000-tokens5B, epoch_2.5."""
    pattern = rf"(?<![a-z])(?:{_WORDS[axis]})[-_=]?(\d{{1,15}}(?:\.\d{{1,6}})?)([kmbt]?)(?![a-z\d])"
    matches = re.findall(pattern, text[-_LONGEST:], re.IGNORECASE)
    if not matches:
        return None
    digits, unit = matches[-1]
    return whole(float(digits) * _THOUSANDS[unit.lower()])


def whole(value: float) -> Number:
    """An integer where the number is whole."""
    return int(value) if math.isfinite(value) and value == int(value) else value


def _place(run: Run, axis: str) -> Number | None:
    for name in _names(run):
        place = in_name(name, axis)
        if place is not None:
            return place
    for folder in _folders(run):
        state = read_state(folder, axis)
        if state is not None:
            return whole(state)
    return None


def _names(run: Run) -> Iterator[str]:
    """Names that may hold the place, the surest first. An adapter's come before those of the model below it."""
    adapter, model = run.record.manifest.adapter or AdapterInfo(), run.model
    yield from filter(None, (adapter.path, adapter.name, model.revision))
    yield run.path.parent.name if run.path.is_file() else run.path.name
    yield run.path.name
    yield from filter(None, (model.typed, model.path, model.source))
    yield run.path.parent.name
    yield run.path.parent.parent.name


def _folders(run: Run) -> Iterator[Path]:
    """Folders in which a trainer may have left its state: the checkpoint's, and those around the results."""
    adapter, model = run.record.manifest.adapter or AdapterInfo(), run.model
    for text in filter(None, (adapter.path, model.path, model.source, model.typed)):
        if "\0" not in text and len(text) < _LONGEST:
            yield Path(text).expanduser()
    here = run.path.parent if run.path.is_file() else run.path
    yield here
    yield here.parent


def _in_table(run: Run, table: Mapping[str, Number]) -> Number | None:
    folder = run.path.parent if run.path.is_file() else run.path
    names = (run.run_id, str(run.path), run.path.name, str(folder), folder.name, run.label)
    return next((table[name] for name in names if name in table), None)
