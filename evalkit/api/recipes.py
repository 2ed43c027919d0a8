"""Recipes: how a published figure is reproduced, and how far a run is from it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalkit.errors import ConfigError, UsageError, nearest
from evalkit.results import Run
from evalkit.yamlfile import read_yaml

__all__ = ["Published", "Recipe", "find_recipe", "recipes_folder"]

_OWN = ("published", "source", "description")
_Z95 = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Published:
    """One published figure."""

    task: str
    metric: str
    value: float
    stderr: float | None = None

    def told(self, run: Run) -> str:
        """How far the run's figure is from it, with the interval of the difference."""
        name = f"{self.task} {self.metric}"
        entry = run.entry(self.task)
        measured = entry.metrics.get(self.metric) if entry is not None else None
        if measured is None or measured.value is None or not math.isfinite(measured.value):
            why = f": {measured.reason}" if measured is not None and measured.reason else ""
            return f"{name}: {self.value:g} published, and this run has no figure{why}"
        apart = measured.value - self.value
        line = f"{name}: {measured.value:.4f} here, {self.value:g} published: {apart:+.4f}"
        if measured.stderr is None or not math.isfinite(measured.stderr):
            return f"{line}; how sure that is cannot be said, the figure has no standard error"
        # As far as the figure's own interval reaches: of a share of 0 or 1 it is not empty, though the error is 0.
        low, high = measured.ci95 or (measured.value - _Z95 * measured.stderr, measured.value + _Z95 * measured.stderr)
        theirs = _Z95 * (self.stderr or 0.0)
        below, above = math.hypot(measured.value - low, theirs), math.hypot(high - measured.value, theirs)
        verdict = "they agree within it" if -above <= apart <= below else "THEY DIFFER"
        counted = "both" if self.stderr is not None else "this run's documents alone"
        limited = "; the run is limited to some documents" if run.status == "limited" else ""
        return f"{line} (95% {apart - below:+.4f} to {apart + above:+.4f}, of {counted}): {verdict}{limited}"


@dataclass(frozen=True, slots=True)
class Recipe:
    path: Path
    settings: Mapping[str, Any]
    """The flags of `evalkit run`."""
    published: tuple[Published, ...]
    source: str

    def flags(self, keys: Sequence[str]) -> dict[str, Any]:
        """The settings by the flags' names; an unknown one names the nearest."""
        flags = {key.replace("-", "_"): value for key, value in self.settings.items()}
        for key in flags:
            if key not in keys or key == "recipe":
                raise ConfigError(f"{self.path}: unknown key {key!r}{nearest(key, keys)}")
        return flags

    def told(self, run: Run) -> list[str]:
        """A line for each published figure."""
        return [f"recipe {self.path.stem}, figures of {self.source}", *(figure.told(run) for figure in self.published)]


def recipes_folder() -> Path | None:
    """The folder `recipes/`, in a checkout or inside the installed package."""
    package = Path(__file__).resolve().parent.parent
    folders = (package / "_data" / "recipes", package.parent / "recipes")
    return next((folder for folder in folders if folder.is_dir()), None)


def find_recipe(typed: str | Path) -> Recipe:
    """The recipe in this file, or the shipped one of this name."""
    path, folder = Path(typed).expanduser(), recipes_folder()
    if not path.is_file():
        shipped = {file.stem: file for file in sorted(folder.glob("*.yaml"))} if folder is not None else {}
        if str(typed) not in shipped:
            there = ", ".join(shipped) or "none"
            raise UsageError(
                f"--recipe {typed}: no such file or recipe{nearest(str(typed), shipped)}; there is {there}"
            )
        path = shipped[str(typed)]
    raw = read_yaml(path)
    if not isinstance(raw, Mapping):
        raise ConfigError(f"{path}: a mapping of flags with `published` and `source` is wanted")
    source = raw.get("source")
    if not isinstance(source, str) or not source.strip():
        raise ConfigError(f"{path}: source: where the figures were published is missing")
    settings = {str(key): value for key, value in raw.items() if key not in _OWN}
    return Recipe(path, settings, tuple(_published(raw.get("published"), path)), source)


def _published(value: Any, path: Path) -> Iterator[Published]:
    """`published: {TASK: {METRIC: 0.61 | {value: 0.61, stderr: 0.01}}}`."""
    if not isinstance(value, Mapping) or not value:
        raise ConfigError(f"{path}: published: a mapping of tasks to their figures is wanted, this is {value!r:.80}")
    for task, figures in value.items():
        for metric, given in figures.items() if isinstance(figures, Mapping) else [("", None)]:
            parts = given if isinstance(given, Mapping) else {"value": given}
            number, stderr = parts.get("value"), parts.get("stderr")
            sound = set(parts) <= {"value", "stderr"} and _is_number(number) and (stderr is None or _is_number(stderr))
            if not sound:
                raise ConfigError(
                    f"{path}: published: {task}: {metric or 'METRIC'}: a number, or value and stderr, is wanted;"
                    f" this is {given!r:.80}"
                )
            yield Published(str(task), str(metric), float(str(number)), None if stderr is None else float(str(stderr)))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
