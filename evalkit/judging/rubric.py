"""Rubrics: dimensions, each with criteria, evaluation steps and a scale; and how a rubric is found by its name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from evalkit.errors import ConfigError, UsageError, nearest
from evalkit.judging.scale import Scale
from evalkit.yamlfile import read_yaml

__all__ = ["INPUTS", "Dimension", "Form", "JudgeSettings", "Kind", "Rubric", "find_rubric", "list_rubrics"]

INPUTS = ("instruction", "answer", "reference", "context", "conversation")
Form = Literal["score", "analyse"]
Kind = Literal["pointwise", "pairwise"]


@dataclass(frozen=True, slots=True)
class Dimension:
    name: str
    criteria: str
    steps: tuple[str, ...]
    scale: Scale
    anchors: Mapping[str, str] = field(default_factory=dict)
    """A description of answers that deserve a label, by label."""
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class JudgeSettings:
    """How a judge is asked."""

    temperature: float = 1.0
    """Of sampled replies. A reply whose log-probabilities are read is greedy."""
    samples: int = 20
    max_tokens: int = 512
    top_logprobs: int = 20
    min_mass: float = 0.9
    """If all labels together have less probability than this, replies are sampled instead."""


@dataclass(frozen=True, slots=True)
class Rubric:
    id: str
    version: int
    kind: Kind
    language: Mapping[str, str]
    """Of the `instructions` and of the `answer`; `any`: every language."""
    inputs: Mapping[str, bool]
    """Whether an input is required, by name."""
    dimensions: tuple[Dimension, ...]
    form: Form
    settings: JudgeSettings
    min_coverage: float
    hash: str
    system: str = ""
    path: str = ""

    def dimension(self, name: str) -> Dimension:
        for dimension in self.dimensions:
            if dimension.name == name:
                return dimension
        names = [dimension.name for dimension in self.dimensions]
        raise UsageError(f"rubric {self.id} has no dimension {name!r}{nearest(name, names)} ({', '.join(names)})")

    @property
    def scales(self) -> dict[str, Scale]:
        return {dimension.name: dimension.scale for dimension in self.dimensions}


# ── finding ──────────────────────────────────────────────────────────────────


def _shipped() -> Path:
    """The folder of the rubrics that ship with evalkit: inside the package in a wheel, beside it in a checkout."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "_data" / "judges"
    return inside if inside.is_dir() else package.parent / "judges"


def _files(folders: Iterable[Path]) -> dict[str, Path]:
    """Rubric files by id. The first folder that has an id counts, so the user's folders come first."""
    files: dict[str, Path] = {}
    for folder in folders:
        for path in sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")]):
            files.setdefault(path.stem, path)
    return files


def list_rubrics(include_paths: Sequence[Path | str] = ()) -> dict[str, Path]:
    for folder in include_paths:
        if not Path(folder).is_dir():
            raise UsageError(f"--include-path {folder}: no such folder")
    return _files([*map(Path, include_paths), _shipped()])


def find_rubric(asked: str, include_paths: Sequence[Path | str] = ()) -> Rubric:
    """Find a rubric by its id, or by the path of its file."""
    from evalkit.judging.rubricfile import load_rubric

    path = Path(asked)
    if path.suffix in (".yaml", ".yml"):
        if path.is_file():
            return load_rubric(path)
        raise UsageError(f"--rubric {asked}: no such file")
    rubrics = list_rubrics(include_paths)
    if asked not in rubrics:
        for own in _files(map(Path, include_paths)).values():
            if _id_of(own) == asked:
                return load_rubric(own)
        raise UsageError(f"--rubric {asked}: no such rubric{nearest(asked, rubrics)} (there are {', '.join(rubrics)})")
    return load_rubric(rubrics[asked])


def _id_of(path: Path) -> str | None:
    """The id in a file; None if the file is broken."""
    try:
        content = read_yaml(path)
    except ConfigError:
        return None
    return str(content.get("id")) if isinstance(content, dict) else None
