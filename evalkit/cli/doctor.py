"""evalkit doctor"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from evalkit.cli.options import Verb, debug_option, file_option, output_path_option, write_to
from evalkit.reporting.tables import Cell, Column, Table, draw, open_console

if TYPE_CHECKING:
    from evalkit.api.machine import Findings

__all__ = ["command"]


@click.command("doctor", cls=Verb)
@output_path_option
@click.option("--data-dir", type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="A mirror to check.")
@file_option("json", "the findings")
@debug_option
def command(output_path: Path, data_dir: Path | None, json: str | None) -> None:
    """Say what works on this machine: engines, GPU, sandbox, results folder, data."""
    from evalkit.api.machine import examine

    findings = examine(output_path, data_dir)
    write_to(json, findings.json())
    if json != "-":
        _show(findings)


def _show(findings: Findings) -> None:
    hardware, sandbox = findings.hardware, findings.sandbox
    tier = sandbox["tier"] or f"none holds: {sandbox['reason']}"
    rows = [
        ("evalkit", findings.evalkit),
        ("install", findings.install),
        ("python", f"{hardware['python']} on {hardware['system']} {hardware['machine']}"),
        ("cpu", f"{hardware['cpu'] or 'unknown'}, {hardware['cores']} cores, {hardware['memory_gib']} GiB"),
        ("gpu", ", ".join(hardware["gpus"]) or "none"),
        *((f"engine {name}", state) for name, state in findings.engines.items()),
        ("replicas", findings.replicas),
        *((f"plug-in {name}", reason) for name, reason in findings.plugins.items()),
        ("sandbox", str(tier)),
        ("results", findings.results),
        ("data", findings.data),
        ("packages", ", ".join(f"{name} {version}" for name, version in findings.versions.items())),
    ]
    facts = [(Cell(name, "bold"), str(text)) for name, text in rows]
    draw(open_console(), Table((Column("part"), Column("state", "prose")), facts, headings=False))
