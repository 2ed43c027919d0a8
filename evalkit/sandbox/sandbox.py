"""Sandbox: chooses a tier that works on this machine, takes programs and returns their verdicts."""

from __future__ import annotations

import dataclasses
import os
import platform
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from evalkit.errors import SandboxError, UsageError, nearest
from evalkit.sandbox.canaries import CANARIES, check
from evalkit.sandbox.inside.limits import Limits
from evalkit.sandbox.packages import Installed, find_packages
from evalkit.sandbox.pool import Pool
from evalkit.types import JsonObject, Program, Verdict

__all__ = ["TIERS", "Sandbox", "Tier", "Tried"]

Tier = Literal["auto", "namespaces", "landlock", "unsafe-none"]
TIERS: tuple[Tier, ...] = ("auto", "namespaces", "landlock", "unsafe-none")
_SAFE: tuple[Tier, ...] = ("namespaces", "landlock")
_FILES, _FILES_EACH = 32, 8
"""Descriptors that the sandbox needs beside those that are open already, and for each worker."""
_DAY = 86400.0
"""Seconds: the longest time limit for one program."""

_MEND = """\
Any one of these mends it:
  - namespaces: allow user namespaces (sysctl kernel.unprivileged_userns_clone=1, user.max_user_namespaces>0;
    on Ubuntu 24.04 sysctl kernel.apparmor_restrict_unprivileged_userns=0), or in Docker run the container with
    --security-opt seccomp=unconfined --security-opt apparmor=unconfined
  - landlock: Linux 5.13 or newer with `landlock` in the kernel's lsm= list
  - not on Linux: run evalkit in a Linux container or virtual machine
Or run the code without any protection: --sandbox unsafe-none (recorded with the results)."""


@dataclasses.dataclass(frozen=True)
class Tried:
    """Whether a tier works on this machine, and if not, why."""

    tier: str
    works: bool
    why: str = ""


class Sandbox:
    """Judges programs in parallel, in processes that can reach nothing outside.

    with Sandbox.start() as sandbox:
        sandbox.submit(program, key)
        for key, verdict in sandbox.completed(): ...
    """

    def __init__(
        self, pool: Pool, tier: str, workers: int, limits: Limits, refused: tuple[Tried, ...], packages: Installed
    ) -> None:
        self._pool = pool
        self._about = {
            "tier": tier,
            "user": pool.greeting.user,
            "landlock_abi": pool.greeting.landlock or None,
            "seccomp": tier != "unsafe-none",
            "namespaces": ["user", "mount", "pid", "net", "ipc", "uts"] if tier == "namespaces" else [],
            "canaries": [] if tier == "unsafe-none" else [canary.name for canary in CANARIES],
            "workers": workers,
            "limits": dataclasses.asdict(limits),
            "packages": dict(packages.versions),
            "python": platform.python_version(),
            "refused": {tried.tier: tried.why for tried in refused},
        }

    @classmethod
    def start(
        cls,
        tier: str = "auto",
        workers: int | None = None,
        limits: Limits | None = None,
        packages: Sequence[str] = (),
    ) -> Sandbox:
        """Starts a sandbox in the strongest tier that works here, or in the one named; raises SandboxError if none.

        `packages`: installed packages that programs and their tests may import, with those that they require.
        """
        if tier not in TIERS:
            raise UsageError(f"no sandbox is called {tier!r}{nearest(tier, TIERS)}; there are {', '.join(TIERS)}")
        limits = limits or Limits()
        count = workers or len(_cpus())
        _check_limits(limits)
        _check_open_files(count)
        installed = find_packages(packages)
        refused: list[Tried] = []
        for name in _SAFE if tier == "auto" else (tier,):
            try:
                pool = _tried(name, count, limits, installed)
            except SandboxError as error:
                refused.append(Tried(name, False, str(error)))
                continue
            return cls(pool, name, count, limits, tuple(refused), installed)
        reasons = "\n".join(f"  - {t.tier}: {t.why}" for t in refused)
        raise SandboxError(f"no sandbox holds on this machine, so untrusted code is not run.\n{reasons}\n{_MEND}")

    @classmethod
    def probe(cls) -> list[Tried]:
        """Tries every safe tier and says which work."""
        tiers = []
        for name in _SAFE:
            try:
                _tried(name, 1, Limits(), Installed()).close()
            except SandboxError as error:
                tiers.append(Tried(name, False, str(error)))
            else:
                tiers.append(Tried(name, True))
        return tiers

    def submit(self, program: Program, key: Any) -> None:
        """Queues a program and returns at once; `completed` yields its verdict with the key."""
        self._pool.submit(program, key)

    def completed(self, wait: bool = True) -> Iterator[tuple[Any, Verdict]]:
        """Yields (key, verdict) pairs as programs finish: until all have, or with wait=False those finished so far."""
        return self._pool.completed(wait)

    def judge(self, programs: Iterable[Program]) -> list[Verdict]:
        """Judges the programs and returns their verdicts in order. No other program may be under way."""
        if self.pending:
            raise SandboxError("judge() was called while submitted programs are under way; take those first")
        wanted = list(programs)
        for index, program in enumerate(wanted):
            self.submit(program, index)
        verdicts = dict(self.completed())
        return [verdicts[index] for index in range(len(wanted))]

    @property
    def pending(self) -> int:
        """How many programs were submitted and their verdicts not yet taken."""
        return self._pool.pending

    @property
    def server_pid(self) -> int:
        """The process id of the running server."""
        return self._pool.server_pid

    def describe(self) -> JsonObject:
        """What holds the programs, for a run's manifest and for `evalkit doctor`."""
        return {**self._about, "server_restarts": self._pool.restarts}

    def close(self) -> None:
        """Ends every process of the sandbox; returns when they are gone."""
        self._pool.close()

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _cpus() -> list[int]:
    """The CPUs that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def _check_limits(limits: Limits) -> None:
    """Raises UsageError for a limit that no kernel could hold: not a number, not above 0, or beyond counting."""
    for name, most in (("seconds", _DAY), ("cpu", 2 * _DAY), ("cap", 20 * _DAY)):
        value = getattr(limits, name)
        if not 0 < value <= most:
            raise UsageError(f"a sandbox limit of {value} ({name}); it must be above 0 and at most {most:.0f} s")
    for name in ("memory", "threads", "files", "answer_bytes"):
        value = getattr(limits, name)
        if not 0 < value < 1 << 40:
            raise UsageError(f"a sandbox limit of {value} ({name}); it must be above 0 and below 2**40")


def _check_open_files(workers: int) -> None:
    """Raises SandboxError where the limit on open files is too low for any tier: no other remedy would help."""
    if platform.system() != "Linux":
        return
    import resource

    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    needed = _open_files() + _FILES + _FILES_EACH * workers
    if most != resource.RLIM_INFINITY and most < needed:
        raise SandboxError(
            f"this process may open {most} files (ulimit -n), and the sandbox needs {needed} with {workers} workers; "
            f"raise the limit: ulimit -n {max(1024, 2 * needed)}"
        )


def _open_files() -> int:
    """How many descriptors this process has open; 0 where that cannot be told."""
    try:
        return sum(1 for _ in Path("/proc/self/fd").iterdir())
    except OSError:
        return 0


def _tried(tier: str, workers: int, limits: Limits, packages: Installed) -> Pool:
    """Starts a pool in this tier and checks that it holds; raises SandboxError where it does not."""
    if tier == "unsafe-none":
        return Pool(tier, workers, limits, packages.paths)
    if platform.system() != "Linux":
        raise SandboxError(f"needs Linux, this is {platform.system()}")
    pool = Pool(tier, workers, limits, packages.paths)
    try:
        check(pool)
    except BaseException:
        pool.close()
        raise
    return pool
