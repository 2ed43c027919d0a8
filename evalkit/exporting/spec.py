"""The description that each exporter declares, and how installed exporters are found and called.

Each exporter declares one `ExporterSpec` under the entry-point group `evalkit.exporters`, those that ship with evalkit
too (in pyproject.toml). Reading a spec must not import the library that it sends with: `export` does when it is called.

docs/exports.md shows what each one writes.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from evalkit import safe
from evalkit.errors import EvalkitError, ExportError, UsageError, nearest
from evalkit.plugins import PROJECT, PluginGroup

if TYPE_CHECKING:
    from evalkit.exporting.parcel import Parcel

__all__ = [
    "GROUP",
    "ExporterSpec",
    "Options",
    "Receipt",
    "broken",
    "check_arguments",
    "check_reachable",
    "exporter_names",
    "find_exporter",
    "live_exporters",
    "ready",
    "send",
]

GROUP = "evalkit.exporters"
_TARGETS = "evalkit.exporting.targets"


@dataclass(frozen=True, slots=True)
class Options:
    """What the user asked of an export. Each exporter reads what it has a use for."""

    out: Path = Path("exports")
    """Where an exporter that writes files writes them."""
    project: str | None = None
    """The project or experiment; each exporter knows a default."""
    id: str | None = None
    """The run's id at the target, to go on with one that is there."""
    step: int = 0
    """Where the run stands on the axis of a training run."""
    repo: str | None = None
    """The model repository on the hub."""
    push: bool = False
    """Open a pull request; without it nothing is sent to the hub."""
    args: Mapping[str, str] = field(default_factory=dict)
    """Settings of one exporter (--export-args)."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What an exporter did."""

    exporter: str
    what: str
    """One line: what was written, and where."""
    files: tuple[Path, ...] = ()
    """The files that it wrote, where it writes files."""
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExporterSpec:
    """One exporter: what it needs, what it takes, and the function that sends a run."""

    name: str
    """What --to takes."""
    title: str
    """As a person writes it: MLflow."""
    export: Callable[[Parcel, Options], Receipt]
    needs: tuple[str, ...] = ()
    """The modules that must be installed."""
    install: str = PROJECT
    """What pip installs for it: `lm-evalkit[wandb]`."""
    tracks: bool = False
    """It is an experiment tracker, so that `run --log-to` takes it too."""
    pushes: bool = False
    """--push means something to it."""
    arguments: frozenset[str] = frozenset()
    """--export-args that it takes."""

    def missing(self) -> list[str]:
        return [module for module in self.needs if importlib.util.find_spec(module) is None]


# ── finding ──────────────────────────────────────────────────────────────────


EXPORTERS: PluginGroup[ExporterSpec] = PluginGroup(
    GROUP,
    ExporterSpec,
    shipped={
        "wandb": f"{_TARGETS}.wandb:SPEC",
        "mlflow": f"{_TARGETS}.mlflow:SPEC",
        "trackio": f"{_TARGETS}.trackio:SPEC",
        "hf": f"{_TARGETS}.hub:SPEC",
        "eee": f"{_TARGETS}.eee:SPEC",
        "lm-eval": f"{_TARGETS}.lmeval:SPEC",
    },
)


def exporter_names() -> tuple[str, ...]:
    return tuple(sorted(EXPORTERS.declared()))


def live_exporters() -> tuple[str, ...]:
    """What `run --log-to` takes."""
    return tuple(name for name in exporter_names() if name not in broken() and find_exporter(name).tracks)


def broken() -> Mapping[str, str]:
    """The plug-ins that cannot be loaded, and why."""
    return EXPORTERS.broken()


def find_exporter(name: str, flag: str = "--to") -> ExporterSpec:
    """The exporter of that name. UsageError where there is none, PluginError where it cannot be loaded."""
    if name not in EXPORTERS.declared():
        names = exporter_names()
        raise UsageError(f"{flag} {name}: no such exporter{nearest(name, names)} (one of {', '.join(names)})")
    return EXPORTERS.find(name)


def ready(names: Sequence[str], flag: str = "--to", *, tracking: bool = False) -> list[ExporterSpec]:
    """The exporters of these names, each with its library installed. Asked before a run, so that it does not cost one.

    `tracking`: experiment trackers only.
    """
    specs = [find_exporter(name, flag) for name in names]
    for spec in specs:
        if tracking and not spec.tracks:
            raise UsageError(
                f"{flag} {spec.name}: that writes files; takes {', '.join(live_exporters())}"
                f" (after the run: evalkit export RUN --to {spec.name})"
            )
        if missing := spec.missing():
            raise UsageError(f'{flag} {spec.name} needs {", ".join(missing)}: pip install "{spec.install}"')
    return specs


def check_arguments(specs: Sequence[ExporterSpec], args: Mapping[str, Any]) -> None:
    """UsageError for an --export-args that none of the exporters takes."""
    accepted = sorted(frozenset().union(*(spec.arguments for spec in specs)))
    for name in args:
        if name not in accepted:
            takes = f"takes {', '.join(accepted)}" if accepted else "there are none"
            names = ", ".join(spec.name for spec in specs)
            raise UsageError(f"--export-args {name}: unknown to {names}{nearest(name, accepted)} ({takes})")


# ── sending ──────────────────────────────────────────────────────────────────


def send(spec: ExporterSpec, parcel: Parcel, options: Options) -> Receipt:
    """Export the run. Whatever goes wrong at the target is one line; nothing is changed in the run's folder."""
    try:
        # Libraries print greetings; stdout belongs to the results.
        with contextlib.redirect_stdout(sys.stderr):
            receipt = spec.export(parcel, options)
        return replace(receipt, what=safe.line(receipt.what))
    except EvalkitError:
        raise
    except Exception as error:
        reason = parcel.cleaner.name(" ".join(str(error).split()))[:300] or "no reason given"
        raise ExportError(
            f"{spec.title}: not exported ({type(error).__name__}: {reason}); the run itself is as it was"
        ) from error


def check_reachable(url: str, title: str, seconds: float = 10.0) -> None:
    """ExportError where nobody answers at an http address; clients would try again for minutes."""
    address = urlsplit(url)
    if address.scheme not in ("http", "https") or address.hostname is None:
        return
    port = address.port or (443 if address.scheme == "https" else 80)
    try:
        socket.create_connection((address.hostname, port), timeout=seconds).close()
    except OSError as error:
        raise ExportError(
            f"{title}: {address.hostname}:{port} cannot be reached ({error.strerror or error});"
            " the run itself is as it was"
        ) from None
