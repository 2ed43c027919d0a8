"""One log of inspect_ai, `.eval` (a zip) or `.json`: what it says of itself, and its samples one at a time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from evalkit.errors import RunFolderError, UsageError
from evalkit.results.files import open_regular
from evalkit.results.foreign.archive import Archive
from evalkit.results.foreign.reading import listed, mapping, named, parse, read_bytes
from evalkit.types import JsonObject

__all__ = ["Log", "is_log", "looks_like_log", "read_log"]

_HEADER, _START, _REDUCTIONS = "header.json", "_journal/start.json", "reductions.json"
_OPENING = re.compile(rb'\s*\{\s*"version"\s*:\s*\d+\s*,\s*"(status|eval)"\s*:')


@dataclass(frozen=True)
class Log:
    path: Path
    status: str
    """success, error, cancelled, or started: it never came to its end."""
    spec: JsonObject
    """What was asked: task, model, data set, settings."""
    plan: JsonObject
    results: JsonObject
    stats: JsonObject
    reductions: tuple[JsonObject, ...] = ()
    """For each scorer its values, brought together over epochs."""

    @property
    def task(self) -> str:
        return str(self.spec["task"])

    @property
    def model(self) -> str:
        return str(self.spec["model"])

    @property
    def created(self) -> str:
        return str(self.spec.get("created") or "")

    def samples(self) -> Iterator[tuple[str, JsonObject]]:
        """Every sample of every epoch, each with the place it was read from."""
        if self.path.suffix != ".eval":
            content = mapping(parse(read_bytes(self.path), self.path), self.path)
            for i, sample in enumerate(listed(content.get("samples"), f"{self.path}: samples")):
                yield str(i), mapping(sample, f"{self.path}: sample {i}")
            return
        with Archive(self.path) as archive:
            for name in archive.names:
                if name.startswith("samples/") and name.endswith(".json"):
                    yield name, mapping(parse(archive.read(name), f"{self.path}: {name[:80]}"), name)

    def with_reductions(self) -> Log:
        """The same with its values over epochs, which a `.eval` keeps apart."""
        if self.path.suffix != ".eval":
            return self
        with Archive(self.path) as archive:
            if _REDUCTIONS not in archive:
                return self
            content = parse(archive.read(_REDUCTIONS), f"{self.path}: {_REDUCTIONS}")
        return replace(self, reductions=_reductions(content, self.path))


def looks_like_log(path: Path) -> bool:
    """Whether a file of a folder is one: other JSON may lie there."""
    if path.suffix == ".eval":
        return True
    if path.suffix != ".json":
        return False
    try:
        with open_regular(path) as file:
            return _OPENING.match(file.read(200)) is not None
    except (OSError, RunFolderError):
        return False


def is_log(content: Any) -> bool:
    return isinstance(content, dict) and isinstance(content.get("eval"), dict) and "status" in content


def read_log(path: Path) -> Log:
    """All but the samples. A log that is still being written has only its start."""
    if path.suffix != ".eval":
        return _log(parse(read_bytes(path), path), path)
    with Archive(path) as archive:
        name = next((name for name in (_HEADER, _START) if name in archive), None)
        if name is None:
            raise UsageError(f"{path} is a zip file, but no log of inspect_ai: it has no {_HEADER} and no {_START}")
        content = mapping(parse(archive.read(name), f"{path}: {name}"), f"{path}: {name}")
    return _log({"status": "started", **content}, path)


def _log(content: Any, path: Path) -> Log:
    if not is_log(content):
        raise UsageError(f"{path} is no log of inspect_ai: it has no `eval` and `status`")
    spec = content["eval"]
    for key in ("task", "model"):
        named(spec.get(key), f"{path}: eval.{key}")
    return Log(
        path=path,
        status=named(content["status"], f"{path}: status"),
        spec=spec,
        plan=mapping(content.get("plan"), f"{path}: plan"),
        results=mapping(content.get("results"), f"{path}: results"),
        stats=mapping(content.get("stats"), f"{path}: stats"),
        reductions=_reductions(content.get("reductions"), path),
    )


def _reductions(content: Any, path: Path) -> tuple[JsonObject, ...]:
    place = f"{path}: reductions"
    return tuple(mapping(entry, place) for entry in listed(content, place))
