"""Where a page of the documentation is on this machine: beside a checkout, or inside the installed package."""

from __future__ import annotations

from pathlib import Path

__all__ = ["document"]


def document(name: str) -> str:
    """The path of a page, as `tasks.md` or `gate.yaml`, for a message to name."""
    package = Path(__file__).resolve().parent
    shipped = package / "_data" / "docs" / name
    return str(shipped if shipped.is_file() else package.parent / "docs" / name)
