"""The folder of a pool."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from evalkit import __version__
from evalkit.api.output import write_to
from evalkit.errors import OutputError
from evalkit.synth.jsonl import as_lines
from evalkit.synth.making import Order
from evalkit.synth.poolfile import EXCHANGES, POOL, SEEDS, SETTINGS, pool_rows
from evalkit.synth.settings import order_settings, seed_rows

if TYPE_CHECKING:
    from evalkit.runner.synthesizing import Making

__all__ = ["folder_made", "write_pool"]


def folder_made(path: Path) -> Path:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"--out {path}: cannot be made ({error.strerror})") from None
    return path


def write_pool(out: Path, order: Order, making: Making) -> None:
    """Seeds, exchanges, settings and the pool; the pool comes last, so that where it is, the rest is too."""
    content = {
        "evalkit": __version__,
        "model": making.model,
        "order": order_settings(order, making.made),
        "funnel": asdict(making.made.funnel),
        "cost": making.cost,
    }
    write_to(str(out / SEEDS), as_lines(seed_rows(order)))
    write_to(str(out / EXCHANGES), as_lines(reply.as_record(ask) for ask, reply in making.exchanges))
    write_to(str(out / SETTINGS), json.dumps(content, ensure_ascii=False, indent=1, default=str) + "\n")
    write_to(str(out / POOL), as_lines(pool_rows(making.made.tasks)))
