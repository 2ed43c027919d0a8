"""Reads a rubric's YAML file and checks it. Every error names the file and the key that is wrong."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator

from evalkit.errors import UsageError, nearest
from evalkit.judging.rubric import INPUTS, Dimension, Form, JudgeSettings, Kind, Rubric
from evalkit.judging.scale import FARTHEST, Scale
from evalkit.validation import Strict, describe, parse, refuse
from evalkit.yamlfile import read_yaml

__all__ = ["load_rubric"]

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}")


def load_rubric(path: Path) -> Rubric:
    """The rubric in a file. ConfigError in one line where it is wrong."""
    where = f"rubric {path}"
    content = read_yaml(path, where)
    file = parse(_File, content, where)
    return Rubric(
        id=file.id,
        version=file.version,
        kind=file.kind,
        language={"instructions": file.language.instructions, "answer": file.language.answer},
        inputs=file.inputs,
        dimensions=file.all_dimensions(),
        form=file.form,
        settings=file.engine.settings(1024 if file.form == "analyse" else 16),
        min_coverage=file.min_coverage,
        hash=hashlib.sha256(_canonical(content).encode()).hexdigest(),
        system=file.system,
        path=str(path),
    )


# ── single values ────────────────────────────────────────────────────────────


def _number_in(value: Any, low: float, high: float) -> float:
    """A number between two ends; text that spells one counts."""
    try:
        number = float("nan") if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = float("nan")
    if not low <= number <= high:
        refuse(f"{value!r} is not a number" + (f" from {low:g} to {high:g}" if low > -FARTHEST else ""))
    return number


def _number(low: float, high: float) -> BeforeValidator:
    return BeforeValidator(lambda value: _number_in(value, low, high))


def _whole(low: float, high: float) -> BeforeValidator:
    return BeforeValidator(lambda value: int(_number_in(value, low, high)))


def _filled(value: Any) -> str:
    if not isinstance(value, str | int) or not str(value).strip():
        refuse(f"is {describe(value)}; text is wanted")
    return str(value).strip()


def _id(value: Any) -> str:
    text = _filled(value)
    if not _ID.fullmatch(text):
        refuse(f"{text!r} may hold letters, digits and . _ + - only")
    return text


def _choice(*options: str) -> BeforeValidator:
    def check(value: Any) -> Any:
        if value not in options:
            refuse(f"{value!r}{nearest(str(value), options)} (one of {', '.join(options)})")
        return value

    return BeforeValidator(check)


def _steps(value: Any) -> Any:
    if not isinstance(value, list) or not all(isinstance(step, str) and step.strip() for step in value):
        refuse("a list of sentences is wanted (evalkit judge steps drafts them)")
    return tuple(step.strip() for step in value)


def _anchors(value: Any) -> Any:
    if not isinstance(value or {}, dict):
        refuse("a mapping of labels to what they look like is wanted")
    return {str(label): str(text).strip() for label, text in (value or {}).items()}


def _labels(value: Any) -> Any:
    """Each label with its value; a list has labels that are their own values."""
    if value is None:
        return None
    if isinstance(value, list):
        value = {str(label): label for label in value}
    if not isinstance(value, dict):
        refuse("a mapping of labels to values is wanted")
    if any(isinstance(label, bool) for label in value):  # YAML 1.1 reads yes as true
        refuse("write yes and no in quotes, as in {'yes': 1, 'no': 0}")
    return {str(label): number for label, number in value.items()}


def _scale(value: Any) -> Any:
    """`low:high` as the mapping that it is short for."""
    if isinstance(value, bool | int):  # YAML 1.1 reads 1:5 as sixty and five
        refuse("write it in quotes, as in '1:5'")
    if not isinstance(value, str):
        return value
    low, colon, high = value.partition(":")
    if not colon:
        refuse(f"{value!r} is not low:high, as in 1:5")
    return {"low": low, "high": high}


def _inputs(value: Any) -> Any:
    """The names, each with whether an item has to have it. `name?` in a list is optional."""
    if isinstance(value, list):
        value = {str(name).rstrip("?"): "optional" if str(name).endswith("?") else "required" for name in value}
    if not isinstance(value, dict):
        refuse(f"is {describe(value)}; a list or mapping of inputs is wanted")
    for name, need in value.items():
        if name not in INPUTS:
            refuse(f"unknown key {name!r}{nearest(str(name), INPUTS)} (one of {', '.join(INPUTS)})")
        if need not in ("required", "optional"):
            refuse(f"{name}: {need!r} is neither required nor optional")
    if value.get("answer") != "required":
        refuse("the answer is what is judged: it has to be there")
    return {name: need == "required" for name, need in value.items()}


def _language(value: Any) -> Any:
    return {"instructions": value, "answer": value} if isinstance(value, str) else value


def _dimensions(value: Any) -> Any:
    if not isinstance(value, dict) or not value:
        refuse("one dimension at least is wanted, as a mapping of names")
    return {str(name): content for name, content in value.items()}


# ── the file ─────────────────────────────────────────────────────────────────


class _ScaleForm(Strict):
    low: Annotated[float | None, _number(-1e300, 1e300)] = None
    high: Annotated[float | None, _number(-1e300, 1e300)] = None
    labels: Annotated[Mapping[str, Annotated[float, _number(-FARTHEST, FARTHEST)]] | None, BeforeValidator(_labels)] = (
        None
    )

    def scale(self) -> Scale:
        if self.labels is not None:
            return Scale(self.labels)
        assert self.low is not None
        assert self.high is not None
        return Scale.between(self.low, self.high)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.labels is not None:
            if len(set(self.labels.values())) < 2:
                refuse(f"two values at least are wanted, found {[*self.labels.values()]}")
            return self
        for end in ("low", "high"):
            if getattr(self, end) is None:
                refuse(f"{end} is missing; a scale has low and high, or labels")
        try:
            self.scale()
        except UsageError as error:
            refuse(str(error))
        return self


class _DimensionForm(Strict):
    criteria: Annotated[str, BeforeValidator(_filled)]
    steps: Annotated[tuple[str, ...], BeforeValidator(_steps)] = ()
    scale: Annotated[_ScaleForm, BeforeValidator(_scale)] = _ScaleForm(low=1, high=5)
    anchors: Annotated[Mapping[str, str], BeforeValidator(_anchors)] = Field(default_factory=dict)
    weight: Annotated[float, _number(0, 1e9)] = 1.0

    @model_validator(mode="after")
    def _check(self) -> Self:
        scale = self.scale.scale()
        for label in self.anchors:
            if label not in scale.labels:
                refuse(f"anchors: {label!r} is no label of its scale{nearest(label, scale)}")
        return self

    def dimension(self, name: str) -> Dimension:
        return Dimension(name, self.criteria, self.steps, self.scale.scale(), self.anchors, self.weight)


class _Language(Strict):
    instructions: Annotated[str, BeforeValidator(str)] = "any"
    answer: Annotated[str, BeforeValidator(str)] = "any"


_USUAL = JudgeSettings()


class _Engine(Strict):
    temperature: Annotated[float, _number(0, 2)] = _USUAL.temperature
    samples: Annotated[int, _whole(1, 1000)] = _USUAL.samples
    max_tokens: Annotated[int | None, _whole(1, 1e9)] = None
    top_logprobs: Annotated[int, _whole(0, 100)] = _USUAL.top_logprobs
    min_mass: Annotated[float, _number(0, 1)] = _USUAL.min_mass

    def settings(self, max_tokens: int) -> JudgeSettings:
        tokens = max_tokens if self.max_tokens is None else self.max_tokens
        return JudgeSettings(self.temperature, self.samples, tokens, self.top_logprobs, self.min_mass)


class _File(Strict):
    id: Annotated[str, BeforeValidator(_id)]
    version: Annotated[int, _whole(0, 1e9)] = 1
    kind: Annotated[Kind, _choice("pointwise", "pairwise")] = "pointwise"
    language: Annotated[_Language, BeforeValidator(_language)] = _Language(instructions="en", answer="en")
    inputs: Annotated[Mapping[str, bool], BeforeValidator(_inputs)] = Field(
        default_factory=lambda: {"instruction": True, "answer": True}
    )
    dimensions: Annotated[Mapping[str, _DimensionForm], BeforeValidator(_dimensions)]
    form: Annotated[Form, _choice("score", "analyse")] = "score"
    engine: _Engine = _Engine()
    min_coverage: Annotated[float, _number(0, 1)] = 0.9
    system: Annotated[str, BeforeValidator(lambda value: str(value).strip())] = ""

    def all_dimensions(self) -> tuple[Dimension, ...]:
        return tuple(form.dimension(name) for name, form in self.dimensions.items())

    @model_validator(mode="after")
    def _check(self) -> Self:
        for dimension in self.all_dimensions():
            where = f"dimensions.{dimension.name}"
            if "," in dimension.name:
                refuse(f"{where}: a comma would split the metric's name")
            if self.kind == "pairwise" and dimension.scale.describe() != [0.0, 1.0]:
                refuse(f"{where}.scale: a comparison goes from 0 to 1, as in {{labels: {{A: 1, B: 0, C: 0.5}}}}")
            if dimension.name == "overall" and len(self.dimensions) > 1:
                refuse(f"{where}: that is what the weighted mean of all is called; take another")
        if not any(form.weight for form in self.dimensions.values()):
            refuse("dimensions: every weight is 0: nothing would count")
        return self


# ── the hash ─────────────────────────────────────────────────────────────────


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
