"""Confines a process before it runs anything from outside: limits, system calls, files, privileges."""

from __future__ import annotations

import ctypes
import os
import resource
import struct
import sys
from collections.abc import Sequence

from . import landlock, namespaces
from .kernel import PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS, PR_SET_PDEATHSIG, Call, Unsupported
from .limits import Limits
from .packages import PLACE
from .seccomp import Filter

__all__ = ["TIERS", "Confinement"]

TIERS = ("namespaces", "landlock", "unsafe-none")
"""The strongest first. The last has the limits only."""

_SIGKILL = 9
_STACK = 8 << 20
_UNSET = -2
_BESIDES = 512 << 20
"""Address space beyond the memory limit, for libraries, stacks and heaps that are mapped but not used."""
_INTERPRETER = 24 << 20
"""Memory that the interpreter uses before a program starts."""
_OWN_PROCESSES = 3
"""A worker, a tester and a candidate, which the kernel's limit on threads counts as well."""


class Confinement:
    """One tier, entered once in the server, and applied in each process that runs a program or its tests."""

    def __init__(
        self, tier: str, user: str, landlock_abi: int = 0, proc: int = -1, packages: Sequence[str] = ()
    ) -> None:
        self.tier = tier
        self.user = user
        self.landlock_abi = landlock_abi
        self.proc = proc
        """A descriptor of /proc, for the workers' clocks. Programs do not get it."""
        self.packages = list(packages)
        """Where the packages lie that programs may import."""
        self.rules = landlock.ruleset(landlock_abi, packages) if landlock_abi else -1
        """A descriptor of the Landlock rules; -1 where there are none."""
        self._filter: Filter | None = None
        self._calls: list[Call] = []
        if sys.platform == "linux":
            self._calls.append(Call("prctl", PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0))
        if tier != "unsafe-none":
            self._filter = Filter(landlock_abi)
            self._calls += [
                Call("prctl", PR_SET_DUMPABLE, 0, 0, 0, 0),
                Call("prctl", PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
                Call("capset", ctypes.c_char_p(struct.pack("=Ii", 0x20080522, 0)), ctypes.c_char_p(bytes(24))),
            ]
        if self.rules >= 0:
            self._calls.append(Call("landlock_restrict_self", self.rules, 0))

    @classmethod
    def enter(cls, tier: str, packages: Sequence[str] = ()) -> Confinement:
        """Confines the server as far as it can still start programs; raises Unsupported where the kernel refuses.

        `packages`: folders and files that programs may read beside Python's own library.
        """
        proc = os.open("/proc", os.O_PATH | os.O_CLOEXEC) if os.path.isdir("/proc/self") else -1
        if tier == "unsafe-none":
            return cls(tier, f"uid {os.geteuid()}", proc=proc, packages=packages)
        if proc < 0:
            raise Unsupported("/proc is not mounted")
        abi = landlock.abi()
        if tier == "landlock":
            if abi == 0:
                raise Unsupported("this kernel has no Landlock (it takes Linux 5.13, with landlock among its lsm=)")
            return cls(tier, _drop_user(packages), abi, proc, packages)
        namespaces.enter(proc, packages)
        inside = [os.path.join(PLACE, os.path.basename(path)) for path in packages]
        return cls(tier, f"nobody (uid {os.geteuid()})", abi, proc, inside)

    def enter_worker(self) -> None:
        """Confines a worker, in the worker."""
        if self.tier == "namespaces":
            namespaces.own_user_namespace(self.proc)

    def fork_candidate(self) -> int:
        """Forks a process for a program; returns as os.fork does."""
        if self.tier == "namespaces":
            return namespaces.fork_into_pid_namespace()
        pid = os.fork()
        if pid == 0 and self.tier == "unsafe-none":
            os.setsid()  # so that what it starts can be killed with it
        return pid

    def apply(self, limits: Limits, programs: int = 1) -> None:
        """Confines the calling process for good. Its CPU time has to last for this many programs."""
        _limit(limits, self.tier, programs)
        for call in self._calls:
            call()
        if self._filter is not None:
            self._filter.install(os.getpid())


def _drop_user(packages: Sequence[str]) -> str:
    """Makes root nobody, where nobody can read Python's library and the packages. Returns the user in words."""
    if os.geteuid() != 0:
        return f"uid {os.geteuid()}"
    folders = [*landlock.library_folders(), *filter(os.path.isdir, packages)]
    pid = os.fork()
    if pid == 0:
        try:
            namespaces.become_nobody()
            for folder in folders:
                os.listdir(folder)
            os._exit(0)
        finally:
            os._exit(1)
    if os.waitpid(pid, 0)[1] == 0:
        namespaces.become_nobody()
        return f"nobody (uid {os.geteuid()})"
    return "uid 0 without capabilities"


def _limit(limits: Limits, tier: str, programs: int) -> None:
    """Sets the kernel's limits for the calling process."""
    for what, most in (
        (resource.RLIMIT_AS, limits.memory + _BESIDES),
        (resource.RLIMIT_DATA, limits.memory + _INTERPRETER),
        (resource.RLIMIT_STACK, _STACK),
        (resource.RLIMIT_CPU, int(limits.cpu * programs) + 2),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, limits.files),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_NPROC, limits.threads + _OWN_PROCESSES if tier == "namespaces" else _UNSET),
    ):
        if most == _UNSET:
            continue
        try:
            resource.setrlimit(what, (most, most))
        except (ValueError, OSError):  # a stricter limit holds already
            hard = resource.getrlimit(what)[1]
            resource.setrlimit(what, (hard, hard))
