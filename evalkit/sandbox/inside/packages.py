"""The installed packages that programs and tests may import: read-only, and none beside them."""

from __future__ import annotations

import contextlib
import ctypes
import importlib.machinery
import importlib.util
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from types import ModuleType
from typing import Any

__all__ = ["PLACE", "Packages", "load_libraries", "offer"]

PLACE = "/packages"
"""The folder inside a private root in which the packages lie."""
_SUFFIXES = (*importlib.machinery.EXTENSION_SUFFIXES, *importlib.machinery.SOURCE_SUFFIXES)
_ONE_THREAD = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
"""Numeric libraries start a thread for each CPU as they are loaded, and reserve memory for each."""

_LIBRARIES = (
    *("gcc_s.so.1", "stdc++.so.6", "m.so.6", "pthread.so.0", "dl.so.2", "rt.so.1", "util.so.1", "resolv.so.2"),
    *("nsl.so.1", "z.so.1", "expat.so.1", "atomic.so.1"),
)
"""Shared libraries of the system that wheels may need (PEP 600) and that Python itself may not have loaded."""


class Packages:
    """A finder for `sys.meta_path` that knows the packages' folders and files, and no other.

    The folder that holds them is not searched: what else is installed there must not even look as if it were there.
    """

    def __init__(self, paths: Iterable[str]) -> None:
        self._modules: dict[str, str] = {}
        self._about: list[str] = []
        for path in paths:
            name = os.path.basename(path)
            if name.endswith((".dist-info", ".egg-info")):
                self._about.append(path)
            else:
                self._modules[_module(name)] = path

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> Any:
        """The spec of a package or a module at the top; what lies in a package is found the usual way."""
        place = self._modules.get(name) if path is None else None
        if place is None:
            return None
        if not os.path.isdir(place):
            return importlib.util.spec_from_file_location(name, place)
        for suffix in _SUFFIXES:
            first = os.path.join(place, "__init__" + suffix)
            if os.path.isfile(first):
                return importlib.util.spec_from_file_location(name, first, submodule_search_locations=[place])
        spec = importlib.machinery.ModuleSpec(name, None, is_package=True)
        spec.submodule_search_locations = [place]
        return spec

    def find_distributions(self, context: Any = None) -> Iterator[Any]:
        """For importlib.metadata: packages ask for their own version."""
        from importlib.metadata import PathDistribution
        from pathlib import Path

        for path in self._about:
            distribution = PathDistribution(Path(path))
            if context is None or context.name is None or _same(distribution.name, context.name):
                yield distribution


def load_libraries(paths: Sequence[str]) -> None:
    """Loads what the packages need of the system, whose files a confined process cannot open."""
    for name in _LIBRARIES if paths else ():
        with contextlib.suppress(OSError):
            ctypes.CDLL(f"lib{name}")


def offer(paths: Sequence[str]) -> None:
    """Lets this process and those forked from it import these packages."""
    if paths:
        os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))
        sys.meta_path.append(Packages(paths))


def _module(name: str) -> str:
    return next((name.removesuffix(suffix) for suffix in _SUFFIXES if name.endswith(suffix)), name)


def _same(name: str, other: str) -> bool:
    return name.replace("-", "_").casefold() == other.replace("-", "_").casefold()
