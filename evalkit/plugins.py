"""Plug-ins: what installed packages offer under one of evalkit's entry-point groups.

    evalkit.engines     an `EngineSpec`                     evalkit/engines/spec.py
    evalkit.checks      a `Kind` of check                   evalkit/checks/outcome.py
    evalkit.judges      a `JudgeSpec`                       evalkit/judging/backends/spec.py
    evalkit.exporters   an `ExporterSpec`                   evalkit/exporting/spec.py
    evalkit.task_kinds  a `FileKind`                        evalkit/registry/kinds/kind.py
    evalkit.detectors   a function that makes a `Detector`  evalkit/detectors/detector.py

A package declares one in its pyproject.toml:

    [project.entry-points."evalkit.engines"]
    my-engine = "my_package.engine:SPEC"

Listing the names imports nothing. A plug-in that is broken is an error only for whoever asks for it by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib import metadata
from typing import Generic, TypeVar

from evalkit.errors import PluginError

__all__ = ["PROJECT", "Plugin", "PluginGroup", "installed", "load"]

PROJECT = "lm-evalkit"
"""The name of the distribution on PyPI; `evalkit` there is another project."""


T = TypeVar("T")
N = TypeVar("N")


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
        content = metadata.EntryPoint(plugin.name, plugin.target, plugin.group).load()
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        raise PluginError(
            f"plug-in {plugin.title}: {plugin.target} cannot be imported ({type(error).__name__}: {reason}); "
            f"update or uninstall its package"
        ) from error
    if not isinstance(content, wanted):
        raise PluginError(
            f"plug-in {plugin.title}: {plugin.target} is a {type(content).__name__}, and a {wanted.__name__} is wanted"
        )
    return content


@dataclass(frozen=True)
class PluginGroup(Generic[N]):
    """The plug-ins of one group: those that ship with evalkit and those of other packages."""

    group: str
    wanted: type[N]
    """What an entry point of the group names."""
    shipped: Mapping[str, str]
    """`module:attribute` by name. A source tree that is on the path but not installed has no entry points."""

    def declared(self) -> Mapping[str, Plugin]:
        """All by name, none of them imported. A name that ships can't be taken by another package."""
        plugins = {name: Plugin(self.group, name, target, PROJECT) for name, target in self.shipped.items()}
        for name, plugin in installed(self.group).items():
            own = plugins.get(name)
            taken = own is not None and own.target != plugin.target
            plugins[name] = replace(own, rival=plugin.package or plugin.target) if own and taken else plugin
        return plugins

    def find(self, name: str) -> N:
        """The plug-in of that name, which is declared. PluginError where it cannot be loaded or has another name."""
        plugin = self.declared()[name]
        content = load(plugin, self.wanted)
        called = getattr(content, "name", name)  # a function has no name of its own to agree with
        if called != name:
            kind = "spec" if self.wanted.__name__.endswith("Spec") else "kind"
            raise PluginError(f"plug-in {plugin.title}: its {kind} is called {called!r}; the two names must be equal")
        return content

    def working(self) -> Mapping[str, N]:
        """All that can be loaded."""
        return {name: outcome for name, outcome in self._outcomes().items() if not isinstance(outcome, PluginError)}

    def broken(self) -> Mapping[str, str]:
        """Those that cannot be loaded, and why."""
        return {name: str(outcome) for name, outcome in self._outcomes().items() if isinstance(outcome, PluginError)}

    def _outcomes(self) -> Mapping[str, N | PluginError]:
        outcomes: dict[str, N | PluginError] = {}
        for name in self.declared():
            try:
                outcomes[name] = self.find(name)
            except PluginError as error:
                outcomes[name] = error
        return outcomes
