"""Finds installed packages, with those that they need, so that the sandbox can let programs import them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution, packages_distributions
from pathlib import Path, PurePosixPath

from evalkit.errors import UsageError

__all__ = ["Installed", "find_packages"]


@dataclass(frozen=True, slots=True)
class Installed:
    """Packages for the sandbox: what is read from where."""

    versions: tuple[tuple[str, str], ...] = ()
    """Name and version of each distribution."""
    paths: tuple[str, ...] = ()
    """Their folders and files at the top of site-packages."""


def find_packages(names: Iterable[str]) -> Installed:
    """Finds these distributions or modules and what they require; raises UsageError for one that is not installed."""
    versions: dict[str, str] = {}
    paths: dict[str, None] = {}
    waiting = [_asked(name) for name in dict.fromkeys(names)]
    while waiting:
        package = waiting.pop()
        if package.name in versions:
            continue
        versions[package.name] = package.version
        own = [str(path) for path in _top(package)]
        if not any(Path(path).suffix != ".dist-info" for path in own):
            raise UsageError(
                f"--sandbox-packages: {package.name} has no files in site-packages (an editable install?);"
                " install it the usual way: pip install " + package.name
            )
        paths |= dict.fromkeys(own)
        waiting += _required(package)
    return Installed(tuple(sorted(versions.items())), tuple(paths))


def _asked(name: str) -> Distribution:
    try:
        return distribution(name)
    except (PackageNotFoundError, ValueError):
        owners = packages_distributions().get(name)
    if not owners:
        raise UsageError(f"--sandbox-packages {name}: no package of this name is installed here; pip install {name}")
    return distribution(owners[0])


def _top(package: Distribution) -> Iterator[Path]:
    """What the distribution has at the top of site-packages. Scripts and path files are no part of it."""
    names = dict.fromkeys(PurePosixPath(str(file)).parts[0] for file in package.files or () if str(file))
    for name in names:
        path = Path(str(package.locate_file(name)))
        if name not in ("..", "__pycache__") and not name.endswith((".pth", ".virtualenv")) and path.exists():
            yield path.absolute()


def _required(package: Distribution) -> Iterator[Distribution]:
    """The installed distributions that this one cannot do without on this machine."""
    from packaging.requirements import InvalidRequirement, Requirement

    for text in package.requires or ():
        try:
            wanted = Requirement(text)
        except InvalidRequirement:
            continue
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
            continue
        try:
            yield distribution(wanted.name)
        except PackageNotFoundError:
            continue
