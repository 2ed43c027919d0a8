"""Makes system calls that Python has no function for, by name, on x86-64 and aarch64."""

from __future__ import annotations

import ctypes
import functools
import os
import platform

__all__ = ["Call", "Unsupported", "Word", "machine", "mount", "number", "prctl", "syscall", "unmount"]

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_SECCOMP = 22
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38

# name: (x86-64, aarch64); -1 where the newer architecture never had the call
NUMBERS: dict[str, tuple[int, int]] = {
    "read": (0, 63), "write": (1, 64), "open": (2, -1), "close": (3, 57), "stat": (4, -1), "fstat": (5, 80),
    "lstat": (6, -1), "poll": (7, -1), "lseek": (8, 62), "mmap": (9, 222), "mprotect": (10, 226),
    "munmap": (11, 215), "brk": (12, 214), "rt_sigaction": (13, 134), "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139), "ioctl": (16, 29), "pread64": (17, 67), "pwrite64": (18, 68), "readv": (19, 65),
    "writev": (20, 66), "access": (21, -1), "pipe": (22, -1), "select": (23, -1), "sched_yield": (24, 124),
    "mremap": (25, 216), "madvise": (28, 233), "dup": (32, 23), "dup2": (33, -1), "pause": (34, -1),
    "nanosleep": (35, 101), "getitimer": (36, 102), "alarm": (37, -1), "setitimer": (38, 103),
    "getpid": (39, 172), "sendto": (44, 206), "recvfrom": (45, 207), "recvmsg": (47, 212), "shutdown": (48, 210),
    "socketpair": (53, 199), "clone": (56, 220), "exit": (60, 93), "wait4": (61, 260), "kill": (62, 129),
    "uname": (63, 160), "fcntl": (72, 25), "getcwd": (79, 17), "umask": (95, 166), "gettimeofday": (96, 169),
    "getrlimit": (97, 163), "getrusage": (98, 165), "sysinfo": (99, 179), "times": (100, 153),
    "getuid": (102, 174), "getgid": (104, 176), "geteuid": (107, 175), "getegid": (108, 177),
    "getppid": (110, 173), "getpgrp": (111, -1), "getgroups": (115, 158), "getresuid": (118, 148),
    "getresgid": (120, 150), "getpgid": (121, 155), "getsid": (124, 156), "capset": (126, 91),
    "rt_sigpending": (127, 136), "rt_sigtimedwait": (128, 137), "rt_sigsuspend": (130, 133),
    "sigaltstack": (131, 132), "getpriority": (140, 141), "pivot_root": (155, 41), "prctl": (157, 167),
    "setrlimit": (160, 164), "gettid": (186, 178), "time": (201, -1), "futex": (202, 98),
    "sched_getaffinity": (204, 123), "epoll_create": (213, -1), "getdents64": (217, 61),
    "set_tid_address": (218, 96), "clock_gettime": (228, 113), "clock_getres": (229, 114),
    "clock_nanosleep": (230, 115), "exit_group": (231, 94), "epoll_wait": (232, -1), "epoll_ctl": (233, 21),
    "tgkill": (234, 131), "waitid": (247, 95), "openat": (257, 56), "newfstatat": (262, 79),
    "faccessat": (269, 48), "pselect6": (270, 72), "ppoll": (271, 73), "unshare": (272, 97),
    "set_robust_list": (273, 99), "epoll_pwait": (281, 22), "eventfd2": (290, 19), "epoll_create1": (291, 20),
    "dup3": (292, 24), "pipe2": (293, 59), "prlimit64": (302, 261), "getcpu": (309, 168),
    "getrandom": (318, 278), "statx": (332, 291), "rseq": (334, 293), "clone3": (435, 435),
    "close_range": (436, 436), "faccessat2": (439, 439), "mount_setattr": (442, 442),
    "landlock_create_ruleset": (444, 444), "landlock_add_rule": (445, 445), "landlock_restrict_self": (446, 446),
}  # fmt: skip

_MACHINES = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "aarch64", "arm64": "aarch64"}

Word = ctypes.c_long
"""The type of a number argument. ctypes would cut a plain int to 32 bits."""


class Unsupported(OSError):
    """A step of confinement does not work on this machine; the text says which."""


@functools.cache
def machine() -> str:
    """The architecture, `x86_64` or `aarch64`; raises Unsupported on any other."""
    name = _MACHINES.get(platform.machine().lower()) if os.name == "posix" else None
    if name is None or ctypes.sizeof(ctypes.c_void_p) != 8:
        raise Unsupported(f"no system call table for {platform.system()} on {platform.machine()}")
    return name


def number(name: str) -> int:
    """The call's number on this machine, -1 where it has none."""
    return NUMBERS[name][0 if machine() == "x86_64" else 1]


@functools.cache
def _libc() -> ctypes.CDLL:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    return libc


def _checked(result: int, what: str) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise Unsupported(code, f"{what}: {os.strerror(code)}")
    return result


class Call:
    """One system call with its arguments prepared, so that a process that was just forked has little to do."""

    def __init__(self, name: str, *arguments: object) -> None:
        self._name = name
        self._function = _libc().syscall
        self._arguments = [Word(number(name)), *(Word(a) if isinstance(a, int) else a for a in arguments)]

    def __call__(self) -> int:
        return _checked(int(self._function(*self._arguments)), self._name)


def syscall(name: str, *arguments: object) -> int:
    """Makes a system call; raises Unsupported where it fails."""
    return Call(name, *arguments)()


def prctl(option: int, *arguments: object) -> int:
    """Calls prctl with this option; raises Unsupported where it fails."""
    return syscall("prctl", option, *arguments, *[0] * (4 - len(arguments)))


def mount(source: str | None, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    """Calls mount; raises Unsupported where it fails."""

    def c(text: str | None) -> ctypes.c_char_p:
        return ctypes.c_char_p(None if text is None else os.fsencode(text))

    result = _libc().mount(c(source), c(target), c(kind), ctypes.c_ulong(flags), c(data))
    _checked(result, f"mount {kind or source or ''} on {target}")


def unmount(target: str, flags: int) -> None:
    """Calls umount2; raises Unsupported where it fails."""
    _checked(_libc().umount2(os.fsencode(target), ctypes.c_int(flags)), f"unmount {target}")
