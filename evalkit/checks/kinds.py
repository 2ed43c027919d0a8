"""The table of kinds."""

from __future__ import annotations

from collections.abc import Mapping

from evalkit.checks import formats
from evalkit.checks.outcome import Kind

__all__ = ["KINDS"]

KINDS: Mapping[str, Kind] = {kind.name: kind for kind in (*formats.KINDS,)}
