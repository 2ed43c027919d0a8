"""The table of all kinds of checks: evalkit's own, and those of installed plug-ins."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

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
from evalkit.plugins import PluginGroup

__all__ = ["GROUP", "KINDS", "AllKinds"]

GROUP = "evalkit.checks"

_SHIPPED_GROUPS = (
    *(sql.KINDS, json_value.KINDS, code.KINDS, language.KINDS, lengths.KINDS, copying.KINDS, summary.KINDS),
    *(email.KINDS, politeness.KINDS, choice.KINDS, formats.KINDS, wording.KINDS, persona.KINDS, following.KINDS),
)

PLUGINS: PluginGroup[Kind] = PluginGroup(GROUP, Kind, shipped={})
SHIPPED: Mapping[str, Kind] = {kind.name: kind for kinds in _SHIPPED_GROUPS for kind in kinds}


class AllKinds(Mapping[str, Kind]):
    """All kinds by name. A plug-in's kind is imported when it is looked up, and cannot replace one of evalkit's."""

    def __getitem__(self, name: str) -> Kind:
        if name in SHIPPED:
            return SHIPPED[name]
        return PLUGINS.find(name)

    def __iter__(self) -> Iterator[str]:
        yield from SHIPPED
        yield from (name for name in PLUGINS.declared() if name not in SHIPPED)

    def __len__(self) -> int:
        return sum(1 for _ in self)


KINDS = AllKinds()
