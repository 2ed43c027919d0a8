"""Which names lm-eval's task files speak of, read as plain text: lm_eval is not imported and no YAML is parsed.

Parsing its 14,000 files takes many seconds, which a misspelt name is not worth.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Spotted", "spot", "spot_builtin"]

_DEFINED = re.compile(rb"""^["']?(task|group|tag)["']?:[ ]*["']?([^\s"'\[{#]+)""", re.MULTILINE)
_PART = rb"[\w.+/-]"
_NO_YAML = (".py", ".pyc", ".json", ".jsonl", ".csv", ".tsv", ".parquet", ".md", ".sh", ".png", ".txt")
"""What task files include may bear any other name."""
_LARGE = 4 << 20


@dataclass(frozen=True, slots=True)
class Spotted:
    folders: dict[str, frozenset[Path]]
    """Where a task or group of this name is defined, of the names looked for."""
    mentioned: frozenset[str]
    """Those of them that stand in any file at all. One that stands in none is the name of nothing there."""
    defined: frozenset[str]
    """All names, for saying which is near."""


@functools.lru_cache(maxsize=8)
def spot_builtin(names: frozenset[str]) -> Spotted | None:
    """In the folder of the installed package, which stays as it is while the process lives; None without one."""
    spec = importlib.util.find_spec("lm_eval")
    places = spec.submodule_search_locations if spec is not None else None
    return spot(Path(places[0]).resolve() / "tasks", names) if places else None


def spot(root: Path, names: frozenset[str]) -> Spotted:
    wanted = {name.encode(): name for name in names}
    alone = {key: re.compile(rb"(?<!" + _PART + rb")" + re.escape(key) + rb"(?!" + _PART + rb")") for key in wanted}
    folders: dict[str, set[Path]] = {}
    mentioned: set[str] = set()
    defined: set[bytes] = set()
    for folder, name in _files(root):
        with open(os.path.join(folder, name), "rb") as file:  # noqa: PTH118, PTH123  14,000 times
            content = file.read(_LARGE + 1)
        if len(content) > _LARGE:
            mentioned |= names
        for kind, found in _DEFINED.findall(content):
            defined.add(found)
            if found in wanted and kind != b"tag":
                folders.setdefault(wanted[found], set()).add(Path(folder))
        mentioned.update(wanted[key] for key in wanted if key in content and alone[key].search(content))
    return Spotted(
        {name: frozenset(found) for name, found in folders.items()},
        frozenset(mentioned),
        frozenset(name.decode("utf-8", "replace") for name in defined),
    )


def _files(root: Path) -> Iterator[tuple[str, str]]:
    for folder, _, files in os.walk(root):
        yield from ((folder, name) for name in files if not name.endswith(_NO_YAML))
