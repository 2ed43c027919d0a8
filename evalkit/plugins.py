"""Plug-ins: what installed packages offer under one of evalkit's entry-point groups.

    evalkit.engines     an `EngineSpec`                     evalkit/engines/spec.py
    evalkit.checks      a function that verifies an answer  evalkit/checks

A package declares one in its pyproject.toml:

    [project.entry-points."evalkit.engines"]
    my-engine = "my_package.engine:SPEC"

Listing the names imports nothing. A plug-in that is broken is an error only for whoever asks for it by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from typing import Any, TypeVar

from evalkit.errors import PluginError

__all__ = ["Plugin", "installed", "load"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Plugin:
    """One entry point, not imported yet."""

    group: str
    name: str
    target: str
    """`module:attribute`."""
    package: str
    """The distribution that declares it, with its version; empty where that is not known."""
    rival: str = ""
    """Another distribution that declares the same name for something else."""

    @property
    def title(self) -> str:
        origin = f" of {self.package}" if self.package else ""
        return f"{self.name} ({self.group}{origin})"


@cache
def installed(group: str) -> Mapping[str, Plugin]:
    """The plug-ins of a group by name. Read once per process; nothing is imported."""
    plugins: dict[str, Plugin] = {}
    for point in metadata.entry_points(group=group):
        package = f"{point.dist.name} {point.dist.version}" if point.dist is not None else ""
        plugin = Plugin(group, point.name, point.value, package)
        first = plugins.get(point.name)
        if first is None:
            plugins[point.name] = plugin
        elif first.target != plugin.target:
            plugins[point.name] = Plugin(group, first.name, first.target, first.package, rival=package or point.value)
    return plugins


def load(plugin: Plugin, wanted: type[T]) -> T:
    """Import a plug-in. PluginError where it cannot be imported, is no `wanted`, or two packages offer its name."""
    if plugin.rival:
        raise PluginError(f"plug-in {plugin.title}: {plugin.rival} offers the same name; uninstall one of the two")
    try:
        found = _imported(plugin)
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        raise PluginError(
            f"plug-in {plugin.title}: {plugin.target} cannot be imported ({type(error).__name__}: {reason}); "
            f"update or uninstall its package"
        ) from error
    if not isinstance(found, wanted):
        raise PluginError(
            f"plug-in {plugin.title}: {plugin.target} is a {type(found).__name__}, and a {wanted.__name__} is wanted"
        )
    return found


def _imported(plugin: Plugin) -> Any:
    return metadata.EntryPoint(plugin.name, plugin.target, plugin.group).load()
