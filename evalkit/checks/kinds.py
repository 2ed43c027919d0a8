"""The table of kinds."""

from __future__ import annotations

from collections.abc import Mapping

from evalkit.checks import (
    choice,
    code,
    copying,
    email,
    formats,
    json_value,
    language,
    lengths,
    persona,
    politeness,
    sql,
    summary,
    wording,
)
from evalkit.checks.ifeval import following
from evalkit.checks.outcome import Kind

__all__ = ["KINDS"]

_ROOMS = (
    *(sql.KINDS, json_value.KINDS, code.KINDS, language.KINDS, lengths.KINDS, copying.KINDS, summary.KINDS),
    *(email.KINDS, politeness.KINDS, choice.KINDS, formats.KINDS, wording.KINDS, persona.KINDS, following.KINDS),
)

KINDS: Mapping[str, Kind] = {kind.name: kind for kinds in _ROOMS for kind in kinds}
