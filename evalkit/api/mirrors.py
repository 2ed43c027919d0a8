"""Offline mirrors of the benchmarks' data sets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from evalkit.arguments import split_list
from evalkit.errors import DataNotFound
from evalkit.registry import mirror
from evalkit.registry.mirror import Pulled, Served

__all__ = ["Served", "check_mirror", "pull_data", "refuse_empty"]


def pull_data(tasks: str, to: Path) -> Iterator[Pulled]:
    """Fetch the data sets of tasks (with commas) from the hub into a mirror, one after the other."""
    return mirror.pull_data(split_list(tasks), to)


def check_mirror(folder: Path) -> list[Served]:
    """Which benchmarks a mirror can serve, with counts."""
    return mirror.check_data(folder)


def refuse_empty(folder: Path, served: list[Served]) -> None:
    """An error where a mirror can serve nothing."""
    if all(item.problem for item in served):
        raise DataNotFound(
            f"{folder} can serve no benchmark; `evalkit data pull mmlu --to {folder}` puts one there, and a mirror is"
            " laid out as ORG/NAME/ with parquet files and a README.md"
        )
