"""The models and adapters that evalkit knows by an alias."""

from __future__ import annotations

import json as json_library
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from evalkit.errors import UnknownModel, nearest
from evalkit.models import catalog
from evalkit.models.catalog import Entry

__all__ = ["KnownModels", "known_models"]


@dataclass(frozen=True, slots=True)
class KnownModels:
    entries: tuple[Entry, ...]
    adapters: Mapping[str, str]
    """Adapters that ship inside, each with its base."""

    def json(self) -> str:
        content = [asdict(entry) for entry in self.entries]
        if not content:
            content = [{"adapter": name, "base": base} for name, base in self.adapters.items()]
        return json_library.dumps(content, indent=2, ensure_ascii=False)


def known_models(name: str | None = None) -> KnownModels:
    """All of them, or the model or adapter of one name."""
    entries = tuple(catalog.all_entries())
    adapters = {shipped: catalog.adapter_base(shipped) for shipped in catalog.adapters()}
    if name is None:
        return KnownModels(entries, adapters)
    if name in adapters:
        return KnownModels((), {name: adapters[name]})
    entry = catalog.get(name)
    if entry is None:
        known = [*(alias for e in entries for alias in (e.alias, *e.also)), *adapters]
        raise UnknownModel(f"no alias {name!r}{nearest(name, known)}; evalkit models lists them all")
    return KnownModels((entry,), {})
