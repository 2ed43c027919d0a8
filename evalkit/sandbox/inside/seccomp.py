"""Builds the BPF program that allows a confined process about 100 system calls.

Any other call is refused with EPERM. A call with another architecture's numbers ends the process. Calls that can reach
or see other processes are allowed only with arguments that concern the process itself.
"""

from __future__ import annotations

import ctypes
import errno
import struct

from .kernel import PR_SET_SECCOMP, Call, machine, number

__all__ = ["Filter"]

_ALWAYS = """
    read write close fstat stat lstat newfstatat statx lseek poll ppoll select pselect6 mmap mprotect munmap mremap
    brk madvise rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending rt_sigtimedwait rt_sigsuspend
    sigaltstack readv writev pread64 pwrite64 access faccessat faccessat2 pipe pipe2 sched_yield dup dup2 dup3
    pause nanosleep gettimeofday time times getitimer setitimer alarm
    getpid gettid getppid getpgrp getuid geteuid getgid getegid getresuid getresgid getgroups
    exit exit_group wait4 waitid uname getcwd umask getrlimit setrlimit getrusage sysinfo
    getcpu getdents64 getrandom set_tid_address set_robust_list rseq close_range
    epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait eventfd2 recvfrom recvmsg shutdown
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
# The plain futex operations. Those with priority inheritance (6 to 8, 11 to 13) take the thread id of any process and
# say whether it exists.
_FUTEX = (0, 1, 3, 4, 5, 9, 10)
_FUTEX_OPERATION = 0x7F
# The machine's clocks, and the caller's own CPU time. A negative number otherwise names another process's CPU time.
_CLOCKS = (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, -6 & 0xFFFFFFFF, -2 & 0xFFFFFFFF)
_AF_UNIX = 1
_O_TRUNC = 0o1000

_ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

_ALLOW = 0x7FFF0000
_KILL = 0x80000000
_ERRNO = 0x00050000

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN, _JUMP, _MASK = 0x20, 0x15, 0x35, 0x45, 0x06, 0x05, 0x54
_NR, _ARCH, _ARGUMENTS = 0, 4, 16

Instruction = tuple[int, int, int, int]
Block = tuple[Instruction, ...]

_PASS: Instruction = (_RETURN, 0, 0, _ALLOW)
_REFUSE: Instruction = (_RETURN, 0, 0, _ERRNO | errno.EPERM)
_ABSENT: Instruction = (_RETURN, 0, 0, _ERRNO | errno.ENOSYS)
_PID = 0x7FFFFFFE
"""Stands for the process's own pid until a process installs the filter."""


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_void_p))


def _low(argument: int) -> Instruction:
    """Loads the lower 32 bits of an argument."""
    return (_LOAD, 0, 0, _ARGUMENTS + 8 * argument)


def _high(argument: int) -> Instruction:
    """Loads the upper 32 bits of an argument."""
    return (_LOAD, 0, 0, _ARGUMENTS + 8 * argument + 4)


class Filter:
    """The program, built once. Each process puts its own pid into it, the only one it may signal, and installs it."""

    def __init__(self, landlock_abi: int) -> None:
        blocks = {number(name): block for name, block in _blocks(landlock_abi).items() if number(name) >= 0}
        start: list[Instruction] = [
            (_LOAD, 0, 0, _ARCH),
            (_EQUAL, 1, 0, _ARCHITECTURE[machine()]),
            (_RETURN, 0, 0, _KILL),
            (_LOAD, 0, 0, _NR),
        ]
        code = start + _search(_intervals(blocks))
        self._own_pid = [8 * at + 4 for at, (*_, value) in enumerate(code) if value == _PID]
        self._bytes = bytearray(b"".join(struct.pack("=HBBI", *i) for i in code))
        self._buffer = (ctypes.c_char * len(self._bytes)).from_buffer(self._bytes)
        self._program = _Program(len(code), ctypes.addressof(self._buffer))
        self._install = Call("prctl", PR_SET_SECCOMP, 2, ctypes.byref(self._program), 0, 0)

    def install(self, pid: int) -> None:
        """Applies the filter to the calling process, for good."""
        for at in self._own_pid:
            struct.pack_into("=I", self._bytes, at, pid)
        self._install()


def _blocks(landlock_abi: int) -> dict[str, Block]:
    """What to do on each call by name. Calls that are not named here are refused."""
    blocks: dict[str, Block] = dict.fromkeys(_ALWAYS, (_PASS,))
    blocks["fcntl"] = _one_of(1, _FCNTL)
    blocks["ioctl"] = _one_of(1, _IOCTL)
    blocks["prctl"] = _one_of(0, _PRCTL)
    blocks["socketpair"] = _one_of(0, (_AF_UNIX,))
    # Another process's limits are the harness's, in a tier without namespaces.
    blocks["prlimit64"] = _one_of(0, (0,))
    blocks["kill"] = blocks["tgkill"] = _one_of(0, (_PID,))
    blocks["clone"] = (_low(0), (_ANY_BIT, 2, 0, _CLONE_FORBIDDEN), (_ANY_BIT, 0, 1, _CLONE_THREAD), _PASS, _REFUSE)
    # The C library falls back to clone, whose flags can be seen from here.
    blocks["clone3"] = (_ABSENT,)
    for name in ("clock_gettime", "clock_getres", "clock_nanosleep"):
        blocks[name] = _one_of(0, _CLOCKS)
    # Asked about another process, each of these says whether it exists.
    blocks["getpgid"] = blocks["getsid"] = _one_of(0, (0, _PID))
    # The C library asks about a thread by its number, and does without an answer where there is no such call.
    blocks["sched_getaffinity"] = _one_of(0, (0, _PID), otherwise=_ABSENT)
    blocks["getpriority"] = (_low(0), (_EQUAL, 0, 3, 0), _low(1), (_EQUAL, 0, 1, 0), _PASS, _REFUSE)
    blocks["futex"] = _one_of(1, _FUTEX, mask=_FUTEX_OPERATION)
    # With a destination address this would reach named sockets.
    blocks["sendto"] = (_low(4), (_EQUAL, 0, 3, 0), _high(4), (_EQUAL, 0, 1, 0), _PASS, _REFUSE)
    for name, flags in (("open", 1), ("openat", 2)):
        # Before its third version Landlock does not see a file being emptied as it is opened.
        emptying: Block = (_low(flags), (_ANY_BIT, 1, 0, _O_TRUNC), _PASS, _REFUSE)
        blocks[name] = (_PASS,) if landlock_abi >= 3 else emptying
    return blocks


def _one_of(argument: int, values: tuple[int, ...], mask: int = 0xFFFFFFFF, otherwise: Instruction = _REFUSE) -> Block:
    """Allows the call where the argument's low word, under the mask, is one of the values."""
    last = len(values) - 1
    tests = [(_EQUAL, last - i, int(i == last), value) for i, value in enumerate(values)]
    masked = [] if mask == 0xFFFFFFFF else [(_MASK, 0, 0, mask)]
    return (_low(argument), *masked, *tests, _PASS, otherwise)


def _intervals(blocks: dict[int, Block]) -> list[tuple[int, Block]]:
    """The numbers, in order, from which on another block applies, each with its block."""
    intervals: list[tuple[int, Block]] = [(0, blocks.get(0, (_REFUSE,)))]
    for call in range(1, max(blocks) + 2):
        block = blocks.get(call, (_REFUSE,))
        if block != intervals[-1][1]:
            intervals.append((call, block))
    return intervals


def _search(intervals: list[tuple[int, Block]]) -> list[Instruction]:
    """A binary search for the call's number: the kernel runs the filter on every call."""
    if len(intervals) == 1:
        return list(intervals[0][1])
    middle = len(intervals) // 2
    below, above = _search(intervals[:middle]), _search(intervals[middle:])
    return [(_AT_LEAST, 0, 1, intervals[middle][0]), (_JUMP, 0, 0, len(below)), *below, *above]
