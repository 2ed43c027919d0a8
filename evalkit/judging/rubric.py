"""What a judge is asked: dimensions with criteria, frozen evaluation steps and a scale, read from YAML."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from evalkit.errors import ConfigError, UsageError, nearest
from evalkit.judging.scale import Scale
from evalkit.yamlfile import read_yaml

__all__ = ["INPUTS", "Dimension", "EngineSettings", "Rubric", "find_rubric", "list_rubrics", "load_rubric"]

INPUTS = ("instruction", "answer", "reference", "context", "conversation")
Form = Literal["score", "analyse"]
Kind = Literal["pointwise", "pairwise"]

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}")


@dataclass(frozen=True, slots=True)
class Dimension:
    name: str
    criteria: str
    steps: tuple[str, ...]
    scale: Scale
    anchors: Mapping[str, str] = field(default_factory=dict)
    """What a label looks like in an answer."""
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class EngineSettings:
    temperature: float = 1.0
    """Of the samples; the reply whose log-probabilities are read is greedy."""
    samples: int = 20
    max_tokens: int = 512
    top_logprobs: int = 20
    min_mass: float = 0.9
    """The labels' probability below which log-probabilities are not believed and samples are taken."""


@dataclass(frozen=True, slots=True)
class Rubric:
    id: str
    version: int
    kind: Kind
    language: Mapping[str, str]
    """Of the instructions, and of the answer (`any` where it does not matter)."""
    inputs: Mapping[str, bool]
    """Name → whether an item has to have it."""
    dimensions: tuple[Dimension, ...]
    form: Form
    settings: EngineSettings
    min_coverage: float
    hash: str
    system: str = ""
    path: str = ""

    def dimension(self, name: str) -> Dimension:
        for dimension in self.dimensions:
            if dimension.name == name:
                return dimension
        known = [dimension.name for dimension in self.dimensions]
        raise UsageError(f"rubric {self.id} has no dimension {name!r}{nearest(name, known)} ({', '.join(known)})")

    @property
    def scales(self) -> dict[str, Scale]:
        return {dimension.name: dimension.scale for dimension in self.dimensions}


# ── finding ──────────────────────────────────────────────────────────────────


def _shipped() -> Path:
    """In the wheel beside the package, in a checkout beside it."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "_data" / "judges"
    return inside if inside.is_dir() else package.parent / "judges"


def _files(folders: Iterable[Path]) -> dict[str, Path]:
    """The user's folders come first, so that an id of theirs wins over a shipped one."""
    found: dict[str, Path] = {}
    for folder in folders:
        for path in sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")]):
            found.setdefault(path.stem, path)
    return found


def list_rubrics(include_paths: Sequence[Path | str] = ()) -> dict[str, Path]:
    for folder in include_paths:
        if not Path(folder).is_dir():
            raise UsageError(f"--include-path {folder}: no such folder")
    return _files([*map(Path, include_paths), _shipped()])


def find_rubric(asked: str, include_paths: Sequence[Path | str] = ()) -> Rubric:
    """By id, or by the path of its file."""
    path = Path(asked)
    if path.suffix in (".yaml", ".yml"):
        if path.is_file():
            return load_rubric(path)
        raise UsageError(f"--rubric {asked}: no such file")
    known = list_rubrics(include_paths)
    if asked not in known:
        for own in _files(map(Path, include_paths)).values():
            if _id_of(own) == asked:
                return load_rubric(own)
        raise UsageError(f"--rubric {asked}: no such rubric{nearest(asked, known)} (there are {', '.join(known)})")
    return load_rubric(known[asked])


def _id_of(path: Path) -> str | None:
    """What a file says its id is, whatever it is called itself; a broken one says nothing."""
    try:
        content = read_yaml(path)
    except ConfigError:
        return None
    return str(content.get("id")) if isinstance(content, dict) else None


# ── reading ──────────────────────────────────────────────────────────────────

_TOP = ("id", "version", "kind", "language", "inputs", "dimensions", "form", "engine", "min_coverage", "system")
_DIMENSION = ("criteria", "steps", "scale", "anchors", "weight")
_SCALE = ("low", "high", "labels")
_LANGUAGE = ("instructions", "answer")
_ENGINE = tuple(EngineSettings.__dataclass_fields__)


def load_rubric(path: Path) -> Rubric:
    return _Reader(path).rubric(read_yaml(path, f"rubric {path}"))


class _Reader:
    """Checks one file. Whatever is wrong is said with the file and the key that it stands under."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def rubric(self, content: Any) -> Rubric:
        top = self._mapping(content, "", _TOP)
        identity = self._text(top, "id", "")
        if not _ID.fullmatch(identity):
            raise self._wrong("id", f"{identity!r} may hold letters, digits and . _ + - only")
        kind = self._one_of(top, "kind", ("pointwise", "pairwise"), "pointwise")
        form = self._one_of(top, "form", ("score", "analyse"), "score")
        dimensions = self._dimensions(top.get("dimensions"), kind)
        coverage = self._number(top.get("min_coverage", 0.9), "min_coverage", 0, 1)
        return Rubric(
            id=identity,
            version=int(self._number(top.get("version", 1), "version", 0, 1e9)),
            kind="pairwise" if kind == "pairwise" else "pointwise",
            language=self._language(top.get("language", "en")),
            inputs=self._inputs(top.get("inputs", ["instruction", "answer"])),
            dimensions=dimensions,
            form="analyse" if form == "analyse" else "score",
            settings=self._settings(top.get("engine", {}), form),
            min_coverage=coverage,
            hash=hashlib.sha256(_canonical(top).encode()).hexdigest(),
            system=str(top.get("system", "")).strip(),
            path=str(self._path),
        )

    def _dimensions(self, content: Any, kind: str) -> tuple[Dimension, ...]:
        if not isinstance(content, dict) or not content:
            raise self._wrong("dimensions", "one dimension at least is wanted, as a mapping of names")
        found = tuple(self._dimension(str(name), value) for name, value in content.items())
        for dimension in found:
            if kind == "pairwise" and dimension.scale.describe() != [0.0, 1.0]:
                example = "{labels: {A: 1, B: 0, C: 0.5}}"
                raise self._wrong(
                    f"dimensions.{dimension.name}.scale", f"a comparison goes from 0 to 1, as in {example}"
                )
            if len(found) > 1 and dimension.name == "overall":
                raise self._wrong("dimensions.overall", "that is what the weighted mean of all is called; take another")
        if not any(dimension.weight for dimension in found):
            raise self._wrong("dimensions", "every weight is 0: nothing would count")
        return found

    def _dimension(self, name: str, content: Any) -> Dimension:
        where = f"dimensions.{name}"
        if "," in name:
            raise self._wrong(where, "a comma would split the metric's name")
        body = self._mapping(content, where, _DIMENSION)
        steps = body.get("steps", [])
        if not isinstance(steps, list) or not all(isinstance(step, str) and step.strip() for step in steps):
            raise self._wrong(f"{where}.steps", "a list of sentences is wanted (evalkit judge steps drafts them)")
        scale = self._scale(body.get("scale", "1:5"), f"{where}.scale")
        given = body.get("anchors") or {}
        if not isinstance(given, dict):
            raise self._wrong(f"{where}.anchors", "a mapping of labels to what they look like is wanted")
        anchors = {str(label): str(text).strip() for label, text in given.items()}
        for label in anchors:
            if label not in scale.labels:
                raise self._wrong(f"{where}.anchors", f"{label!r} is no label of its scale{nearest(label, scale)}")
        return Dimension(
            name=name,
            criteria=self._text(body, "criteria", where),
            steps=tuple(step.strip() for step in steps),
            scale=scale,
            anchors=anchors,
            weight=self._number(body.get("weight", 1), f"{where}.weight", 0, 1e9),
        )

    def _scale(self, content: Any, where: str) -> Scale:
        try:
            return self._read_scale(content, where)
        except UsageError as error:
            raise self._wrong(where, str(error)) from None

    def _read_scale(self, content: Any, where: str) -> Scale:
        if isinstance(content, str):
            low, colon, high = content.partition(":")
            if not colon:
                raise self._wrong(where, f"{content!r} is not low:high, as in 1:5")
            return Scale.between(self._number(low, where), self._number(high, where))
        if isinstance(content, int):  # YAML 1.1 reads 1:5 as sixty and five
            raise self._wrong(where, "write it in quotes, as in '1:5'")
        body = self._mapping(content, where, _SCALE)
        labels = body.get("labels")
        if labels is None:
            ends = [self._number(body.get(end), f"{where}.{end}") for end in ("low", "high")]
            return Scale.between(*ends)
        if isinstance(labels, list):
            labels = {str(label): label for label in labels}
        if not isinstance(labels, dict):
            raise self._wrong(f"{where}.labels", "a mapping of labels to values is wanted")
        if any(isinstance(label, bool) for label in labels):  # YAML 1.1 reads yes as true
            raise self._wrong(f"{where}.labels", "write yes and no in quotes, as in {'yes': 1, 'no': 0}")
        values = {
            str(label): self._number(value, f"{where}.labels.{label}", -1e15, 1e15) for label, value in labels.items()
        }
        if len(set(values.values())) < 2:
            raise self._wrong(f"{where}.labels", f"two values at least are wanted, found {[*values.values()]}")
        return Scale(values)

    def _inputs(self, content: Any) -> dict[str, bool]:
        if isinstance(content, list):
            content = {str(name).rstrip("?"): "optional" if str(name).endswith("?") else "required" for name in content}
        body = self._mapping(content, "inputs", INPUTS)
        for name, value in body.items():
            if value not in ("required", "optional"):
                raise self._wrong(f"inputs.{name}", f"{value!r} is neither required nor optional")
        if body.get("answer") != "required":
            raise self._wrong("inputs", "the answer is what is judged: it has to be there")
        return {name: value == "required" for name, value in body.items()}

    def _language(self, content: Any) -> dict[str, str]:
        if isinstance(content, str):
            content = {"instructions": content, "answer": content}
        body = self._mapping(content, "language", _LANGUAGE)
        return {name: str(body.get(name, "any")) for name in _LANGUAGE}

    def _settings(self, content: Any, form: str) -> EngineSettings:
        body = dict(self._mapping(content, "engine", _ENGINE))
        values: dict[str, Any] = {"max_tokens": 1024 if form == "analyse" else 16}
        limits = {"temperature": (0, 2), "samples": (1, 1000), "top_logprobs": (0, 100), "min_mass": (0, 1)}
        for name, value in body.items():
            number = self._number(value, f"engine.{name}", *limits.get(name, (1, 1e9)))
            values[name] = number if name in ("temperature", "min_mass") else int(number)
        return EngineSettings(**values)

    # ── pieces ───────────────────────────────────────────────────────────────

    def _mapping(self, content: Any, where: str, known: Sequence[str]) -> dict[str, Any]:
        if not isinstance(content, dict):
            raise self._wrong(where or "the file", f"a mapping is wanted, found {type(content).__name__}")
        for key in content:
            if key not in known:
                raise self._wrong(where, f"unknown key {key!r}{nearest(str(key), known)} (one of {', '.join(known)})")
        return content

    def _text(self, body: Mapping[str, Any], name: str, where: str) -> str:
        value = body.get(name)
        if not isinstance(value, str | int) or not str(value).strip():
            raise self._wrong(f"{where}.{name}".lstrip("."), "is missing or empty")
        return str(value).strip()

    def _one_of(self, body: Mapping[str, Any], name: str, known: Sequence[str], default: str) -> str:
        value = body.get(name, default)
        if value not in known:
            raise self._wrong(name, f"{value!r}{nearest(str(value), known)} (one of {', '.join(known)})")
        return str(value)

    def _number(self, value: Any, where: str, low: float = -1e300, high: float = 1e300) -> float:
        try:
            number = float("nan") if isinstance(value, bool) else float(value)
        except (TypeError, ValueError, OverflowError):
            number = float("nan")
        if not low <= number <= high:
            raise self._wrong(
                where, f"{value!r} is not a number" + (f" from {low:g} to {high:g}" if low > -1e299 else "")
            )
        return number

    def _wrong(self, where: str, what: str) -> ConfigError:
        return ConfigError(f"rubric {self._path}: {f'{where}: ' if where else ''}{what}")


def _canonical(content: Any) -> str:
    """The same text for the same content, whatever YAML took its keys for."""
    try:
        return json.dumps(content, sort_keys=True, ensure_ascii=False)
    except TypeError:
        return json.dumps(_of_text(content), sort_keys=True, ensure_ascii=False)


def _of_text(content: Any) -> Any:
    if isinstance(content, dict):
        return {str(key): _of_text(value) for key, value in content.items()}
    return [_of_text(value) for value in content] if isinstance(content, list) else str(content)
