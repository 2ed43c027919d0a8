"""The list of system calls that a confined process may make, as a BPF program put together here.

Everything not named is refused with EPERM before its arguments are looked at. A call made under another
architecture's numbers kills. Calls that can reach beyond the process are let through only with arguments
that keep them inside it.
"""

from __future__ import annotations

import ctypes
import errno
import struct

from .kernel import PR_SET_SECCOMP, machine, number, prctl

__all__ = ["Filter"]

_ALWAYS = """
    read write close fstat stat lstat newfstatat statx lseek poll ppoll select pselect6 mmap mprotect munmap mremap
    brk madvise futex rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending rt_sigtimedwait rt_sigsuspend
    sigaltstack readv writev pread64 pwrite64 access faccessat faccessat2 pipe pipe2 sched_yield dup dup2 dup3
    pause nanosleep clock_nanosleep clock_gettime clock_getres gettimeofday time times getitimer setitimer alarm
    getpid gettid getppid getpgrp getpgid getsid getuid geteuid getgid getegid getresuid getresgid getgroups
    exit exit_group wait4 waitid uname getcwd umask getrlimit setrlimit getrusage sysinfo getpriority
    sched_getaffinity getcpu getdents64 getrandom set_tid_address set_robust_list rseq close_range
    epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait eventfd2 recvfrom shutdown
""".split()

# Threads only, and no new namespace, tracer or parent with them.
_CLONE_THREAD = 0x00010000
_CLONE_FORBIDDEN = 0x7E020000 | 0x00002000 | 0x00800000 | 0x00008000
# Setting an owner or a signal on a descriptor (F_SETOWN, F_SETSIG) would signal other processes.
_FCNTL = (0, 1, 2, 3, 4, 5, 6, 7, 1030, 1031, 1032)
# FIONREAD, FIONBIO, FIONCLEX, FIOCLEX, TCGETS, TIOCGWINSZ: reads, and flags of one's own descriptors.
_IOCTL = (0x541B, 0x5421, 0x5450, 0x5451, 0x5401, 0x5413)
# A thread's name, and the names of anonymous memory. PR_SET_PDEATHSIG must stay out of reach.
_PRCTL = (15, 16, 0x53564D41)
_AF_UNIX = 1
_O_TRUNC = 0o1000

_ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32 = 0x40000000

_ALLOW = 0x7FFF0000
_KILL = 0x80000000
_ERRNO = 0x00050000

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NR, _ARCH, _ARGUMENTS = 0, 4, 16

Instruction = tuple[int, int, int, int]


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_void_p))


def _low(argument: int) -> Instruction:
    return (_LOAD, 0, 0, _ARGUMENTS + 8 * argument)


def _high(argument: int) -> Instruction:
    return (_LOAD, 0, 0, _ARGUMENTS + 8 * argument + 4)


class Filter:
    """Built once; a process patches in its own pid (it may signal nobody else) and installs it."""

    def __init__(self, landlock_abi: int) -> None:
        self._code: list[Instruction] = []
        self._pids: list[int] = []
        self._assemble(landlock_abi)
        self._bytes = bytearray(b"".join(struct.pack("=HBBI", *i) for i in self._code))

    def _assemble(self, landlock_abi: int) -> None:
        code = self._code
        code += [(_LOAD, 0, 0, _ARCH), (_EQUAL, 1, 0, _ARCHITECTURE[machine()]), (_RETURN, 0, 0, _KILL)]
        code.append((_LOAD, 0, 0, _NR))
        if machine() == "x86_64":
            code += [(_AT_LEAST, 0, 1, _X32), (_RETURN, 0, 0, _ERRNO | errno.EPERM)]
        for name in _ALWAYS:
            self._on(name, [(_RETURN, 0, 0, _ALLOW)])
        self._on("fcntl", self._one_of(1, _FCNTL))
        self._on("ioctl", self._one_of(1, _IOCTL))
        self._on("prctl", self._one_of(0, _PRCTL))
        self._on("socketpair", self._one_of(0, (_AF_UNIX,)))
        # Another process's limits are the harness's, in a tier without namespaces.
        self._on("prlimit64", self._one_of(0, (0,)))
        self._on("clone", [
            _low(0),
            (_ANY_BIT, 2, 0, _CLONE_FORBIDDEN),
            (_ANY_BIT, 0, 1, _CLONE_THREAD),
            (_RETURN, 0, 0, _ALLOW),
            (_RETURN, 0, 0, _ERRNO | errno.EPERM),
        ])  # fmt: skip
        # The C library falls back to clone, whose flags can be seen from here.
        self._on("clone3", [(_RETURN, 0, 0, _ERRNO | errno.ENOSYS)])
        # With a destination address this would reach named sockets.
        self._on("sendto", [
            _low(4), (_EQUAL, 0, 3, 0), _high(4), (_EQUAL, 0, 1, 0), (_RETURN, 0, 0, _ALLOW),
            (_RETURN, 0, 0, _ERRNO | errno.EPERM),
        ])  # fmt: skip
        for name in ("kill", "tgkill"):
            if number(name) >= 0:
                # load nr compare, then: load arg, compare (patched), allow, refuse
                self._on(name, self._one_of(0, (0,)))
                self._pids.append(len(code) - 3)
        # Before its third version Landlock does not see a file being emptied as it is opened.
        truncating: list[Instruction] = [(_RETURN, 0, 0, _ALLOW)]
        for name, flags in (("open", 1), ("openat", 2)):
            if landlock_abi < 3:
                truncating = [
                    _low(flags), (_ANY_BIT, 1, 0, _O_TRUNC), (_RETURN, 0, 0, _ALLOW),
                    (_RETURN, 0, 0, _ERRNO | errno.EPERM),
                ]  # fmt: skip
            self._on(name, truncating)
        code.append((_RETURN, 0, 0, _ERRNO | errno.EPERM))

    def _on(self, name: str, then: list[Instruction]) -> None:
        if number(name) >= 0:
            self._code += [(_EQUAL, 0, len(then), number(name)), *then]

    @staticmethod
    def _one_of(argument: int, values: tuple[int, ...]) -> list[Instruction]:
        tests = [(_EQUAL, len(values) - 1 - i, int(i == len(values) - 1), v) for i, v in enumerate(values)]
        return [_low(argument), *tests, (_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _ERRNO | errno.EPERM)]

    def install(self, pid: int) -> None:
        for index in self._pids:
            struct.pack_into("=I", self._bytes, 8 * index + 4, pid)
        buffer = (ctypes.c_char * len(self._bytes)).from_buffer(self._bytes)
        program = _Program(len(self._code), ctypes.addressof(buffer))
        prctl(PR_SET_SECCOMP, 2, ctypes.byref(program))
