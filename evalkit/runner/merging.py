"""Merges each adapter that an engine refuses into a temporary checkpoint, which runs as a separate model."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from evalkit.models.adapters import merge_adapter
from evalkit.runner.listener import Listener
from evalkit.runner.preparing import Prepared

__all__ = ["passes"]


def passes(
    prepared: Prepared, stack: ExitStack, listener: Listener, refused_at_start: Mapping[str, str] = MappingProxyType({})
) -> list[Prepared]:
    """The pass with everything that the engine can serve together, then one pass for each adapter that it refuses.

    `refused_at_start`: adapters that the engine refused when it was started, with the reason.
    """
    refuses = prepared.kind.refuses_adapter
    if refuses is None:
        return [prepared]
    refused = {
        variant.run_id: why
        for variant in prepared.variants
        if variant.adapter is not None
        and not variant.merged
        and (why := refused_at_start.get(variant.adapter.name) or refuses(variant.adapter.path))
    }
    together = [variant for variant in prepared.variants if variant.run_id not in refused]
    parts = [replace(prepared, variants=together)] if together else []
    for variant in prepared.variants:
        if variant.run_id in refused and variant.adapter is not None:
            listener.note(
                f"adapter {variant.adapter.name}: {prepared.kind.title} refuses it ({refused[variant.run_id]});"
                " it is merged into a temporary checkpoint and run as a model of its own"
            )
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="evalkit-merged-"))
            spec = prepared.model.spec
            merged = merge_adapter(
                spec.source, variant.adapter.path, Path(folder) / "model", trust_remote_code=spec.trust_remote_code
            )
            spec = replace(spec, source=str(merged), tokenizer=None)
            model = prepared.model.opened_from(spec)
            parts.append(
                replace(
                    prepared,
                    model=model,
                    tokenizer=prepared.kind.load_tokenizer(model),
                    variants=[replace(variant, merged=True)],
                )
            )
    return parts
