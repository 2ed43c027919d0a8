"""What works on this machine."""

from __future__ import annotations

import json as json_library
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

from evalkit import __version__
from evalkit.checks.kinds import PLUGINS as CHECKS
from evalkit.engines.spec import PROJECT, EngineSpec, all_specs, broken, distributions, startable
from evalkit.errors import OutputError, SandboxError
from evalkit.exporting.spec import EXPORTERS
from evalkit.hardware import Hardware, hardware, versions
from evalkit.judging.backends.spec import BACKENDS
from evalkit.registry.kinds import PLUGINS as TASK_KINDS
from evalkit.results import check_writable
from evalkit.sandbox import Sandbox
from evalkit.types import JsonObject

__all__ = ["Findings", "examine"]


@dataclass(frozen=True, slots=True)
class Findings:
    evalkit: str
    hardware: Hardware
    versions: Mapping[str, str]
    engines: Mapping[str, str]
    """Each engine that a run can use, and whether it is installed."""
    replicas: str
    """Whether copies of a model can run together, and on which cluster."""
    plugins: Mapping[str, str]
    """The checks, judges, exporters and kinds of tasks of other packages that cannot be loaded, and why."""
    sandbox: JsonObject
    results: str
    data: str
    install: str
    """Whether this is the package that it should be."""

    def json(self) -> str:
        return json_library.dumps(asdict(self), indent=2, ensure_ascii=False)


def examine(output_path: Path, data_dir: Path | None = None) -> Findings:
    """Look at engines, GPU, sandbox, results folder and data."""
    return Findings(
        evalkit=__version__,
        hardware=hardware(),
        versions=versions(distributions()),
        engines={spec.name: _state(spec) for spec in startable()} | dict(broken()),
        replicas=_replicas(),
        plugins={**CHECKS.broken(), **BACKENDS.broken(), **TASK_KINDS.broken(), **EXPORTERS.broken()},
        sandbox=_sandbox(),
        results=_results(output_path),
        data=_data(data_dir),
        install=_install(),
    )


def _install() -> str:
    """Which distribution this is. A second one with the same package overwrites files of the first."""
    try:
        stranger = metadata.version("evalkit")
    except metadata.PackageNotFoundError:
        stranger = None
    if stranger is not None:
        return (
            f"the distribution evalkit {stranger} is here too: another project, whose files stand in the same folder;"
            f" pip uninstall evalkit {PROJECT}, then pip install {PROJECT}"
        )
    try:
        return f"{PROJECT} {metadata.version(PROJECT)}"
    except metadata.PackageNotFoundError:
        return "a source tree that is not installed"


def _replicas() -> str:
    spec = next((spec for spec in all_specs().values() if spec.wrap is not None), None)
    if spec is None:
        return "no engine is installed that runs several copies of a model"
    missing = spec.missing()
    return f'needs {", ".join(missing)}: pip install "{spec.install}"' if missing else _state(spec)


def _state(spec: EngineSpec) -> str:
    if missing := spec.missing():
        return f"needs {', '.join(missing)}"
    return (spec.check() if spec.check is not None else None) or "installed"


def _sandbox() -> JsonObject:
    try:
        with Sandbox.start() as sandbox:
            return dict(sandbox.describe())
    except SandboxError as error:
        return {"tier": None, "reason": str(error)}


def _results(root: Path) -> str:
    try:
        check_writable(root)
    except OutputError as error:
        return str(error)
    return f"{root} can be written"


def _data(folder: Path | None) -> str:
    if folder is None:
        return "no mirror (--data-dir); data sets come from the hub"
    if not folder.is_dir():
        return f"{folder} is no folder"
    return f"{folder} (evalkit data check {folder} counts what it holds)"
