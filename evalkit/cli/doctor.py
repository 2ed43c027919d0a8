"""evalkit doctor"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evalkit.cli.options import Verb, debug_option, file_option, output_path_option, write_to
from evalkit.reporting.tables import Cell, Column, Table, draw, open_console

if TYPE_CHECKING:
    from evalkit.engines.spec import EngineSpec

__all__ = ["command"]


@click.command("doctor", cls=Verb)
@output_path_option
@click.option("--data-dir", type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="A mirror to check.")
@file_option("json", "the findings")
@debug_option
def command(output_path: Path, data_dir: Path | None, json: str | None) -> None:
    """Say what works on this machine: engines, GPU, sandbox, results folder, data."""
    import json as json_library

    from evalkit import __version__
    from evalkit.engines.spec import distributions
    from evalkit.hardware import hardware, versions

    findings: dict[str, Any] = {"evalkit": __version__, "hardware": hardware(), "versions": versions(distributions())}
    findings["engines"] = _engines()
    findings["sandbox"] = _sandbox()
    findings["results"] = _results(output_path)
    findings["data"] = _data(data_dir)
    write_to(json, json_library.dumps(findings, indent=2, ensure_ascii=False))
    if json != "-":
        _show(findings)


def _engines() -> dict[str, str]:
    """Each engine that a run can use, and whether it is installed."""
    from evalkit.engines.spec import broken, startable

    return {spec.name: _state(spec) for spec in startable()} | dict(broken())


def _state(spec: EngineSpec) -> str:
    if missing := spec.missing():
        return f"needs {', '.join(missing)}"
    return (spec.check() if spec.check is not None else None) or "installed"


def _sandbox() -> dict[str, Any]:
    from evalkit.errors import SandboxError
    from evalkit.sandbox import Sandbox

    try:
        with Sandbox.start() as sandbox:
            return dict(sandbox.describe())
    except SandboxError as error:
        return {"tier": None, "reason": str(error)}


def _results(root: Path) -> str:
    from evalkit.errors import OutputError
    from evalkit.results import check_writable

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


def _show(findings: dict[str, Any]) -> None:
    hardware = findings["hardware"]
    gpus = ", ".join(hardware["gpus"]) or "none"
    sandbox = findings["sandbox"]
    held = sandbox["tier"] or f"none holds: {sandbox['reason']}"
    rows = [
        ("evalkit", findings["evalkit"]),
        ("python", f"{hardware['python']} on {hardware['system']} {hardware['machine']}"),
        ("cpu", f"{hardware['cpu'] or 'unknown'}, {hardware['cores']} cores, {hardware['memory_gib']} GiB"),
        ("gpu", gpus),
        *((f"engine {name}", state) for name, state in findings["engines"].items()),
        ("sandbox", str(held)),
        ("results", findings["results"]),
        ("data", findings["data"]),
        ("packages", ", ".join(f"{name} {version}" for name, version in findings["versions"].items())),
    ]
    facts = [(Cell(name, "bold"), str(text)) for name, text in rows]
    draw(open_console(), Table((Column("part"), Column("state", "prose")), facts, headings=False))
