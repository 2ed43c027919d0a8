"""Moves the server into namespaces: no network, a root with Python's library and allowed packages only, uid nobody."""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
from collections.abc import Sequence

from .kernel import PR_SET_DUMPABLE, Unsupported, Word, mount, number, prctl, syscall, unmount
from .landlock import library_folders
from .packages import PLACE

__all__ = ["NOBODY", "become_nobody", "enter", "fork_into_pid_namespace", "own_user_namespace"]

NOBODY = 65534
_SIGCHLD = 17

_NEWNS, _NEWUTS, _NEWIPC, _NEWUSER, _NEWPID, _NEWNET = (
    0x00020000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000,
)  # fmt: skip
_RDONLY, _NOSUID, _NODEV, _NOEXEC, _REMOUNT, _BIND, _REC, _PRIVATE = 1, 2, 4, 8, 32, 4096, 16384, 1 << 18
_DETACH = 2
_AT_RECURSIVE = 0x8000
_ATTR_RDONLY, _ATTR_NOSUID, _ATTR_NODEV = 1, 2, 4
_MOUNT_POINTS = ("/tmp", "/mnt", "/var", "/usr")


def enter(proc: int, packages: Sequence[str] = ()) -> None:
    """Moves the calling process into new namespaces with their own root folder. `proc` is a descriptor of /proc."""
    apart = _NEWNS | _NEWNET | _NEWIPC | _NEWUTS
    if os.geteuid() == 0:
        try:
            syscall("unshare", apart)
        except Unsupported:  # root without privileges, as in a container: do as an ordinary user does
            _unshare_user(proc, apart)
        else:
            _private_root(packages)
            become_nobody()
            return
    else:
        _unshare_user(proc, apart)
    _private_root(packages)


def own_user_namespace(proc: int) -> None:
    """Gives a worker a user namespace: its limit on threads then counts its own, and it may make PID namespaces."""
    _unshare_user(proc, 0)


def fork_into_pid_namespace() -> int:
    """Forks like os.fork(), but the child is process 1 of a new PID namespace, and what it starts ends with it.

    Calling unshare and then fork would leave the parent unable to start threads.
    """
    python = ctypes.pythonapi  # unlike ctypes.CDLL it keeps the interpreter lock across the call
    python.PyOS_BeforeFork()
    pid = int(python.syscall(*map(Word, (number("clone"), _NEWPID | _SIGCHLD, 0, 0, 0, 0))))
    if pid == 0:
        python.PyOS_AfterFork_Child()
        return 0
    python.PyOS_AfterFork_Parent()
    if pid < 0:
        raise Unsupported("no new PID namespace could be made")
    return pid


def become_nobody() -> None:
    """Changes the calling process from root to the user nobody."""
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    # Without this the process could not write its own uid map in /proc.
    prctl(PR_SET_DUMPABLE, 1)


def _unshare_user(proc: int, flags: int) -> None:
    """Makes a user namespace in which the caller is nobody, and the other namespaces of `flags`."""
    uid, gid = os.geteuid(), os.getegid()
    syscall("unshare", _NEWUSER | flags)
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{NOBODY} {uid} 1"),
        ("gid_map", f"{NOBODY} {gid} 1"),
    ):
        try:
            fd = os.open(f"{os.getpid()}/{name}", os.O_WRONLY | os.O_CLOEXEC, dir_fd=proc)
            try:
                os.write(fd, text.encode())
            finally:
                os.close(fd)
        except OSError as error:
            raise Unsupported(error.errno, f"{name} of a new user namespace: {error.strerror}") from None


def _private_root(packages: Sequence[str]) -> None:
    """Replaces the root folder by one that holds Python's library, the packages and /dev/null, all read-only."""
    mount(None, "/", None, _REC | _PRIVATE)
    places = {path: os.path.abspath(path) for path in (*library_folders(), os.devnull)}
    places |= {path: os.path.join(PLACE, os.path.basename(path)) for path in packages}
    sources = [(path, os.open(path, os.O_PATH | os.O_CLOEXEC)) for path in places]
    top = next((path for path in _MOUNT_POINTS if os.path.isdir(path)), None)
    if top is None:
        raise Unsupported(f"none of {', '.join(_MOUNT_POINTS)} exists to mount a private root on")
    mount("tmpfs", top, "tmpfs", _NOSUID | _NODEV | _NOEXEC, "size=1m,mode=755")
    bound: list[str] = []
    for path, fd in sources:
        place = places[path]
        if not any(place.startswith(other + "/") for other in bound):
            _attach(fd, path, top + place)
            bound.append(place)
        os.close(fd)
    mount(None, top, None, _REMOUNT | _BIND | _RDONLY | _NOSUID | _NODEV | _NOEXEC)
    os.chdir(top)
    # With both at the same place the old root lies under the new one, and is unmounted next.
    syscall("pivot_root", ctypes.c_char_p(b"."), ctypes.c_char_p(b"."))
    unmount(".", _DETACH)
    os.chdir("/")


def _attach(fd: int, path: str, target: str) -> None:
    """Makes the open file or folder appear at `target`, without the packages installed in it."""
    if os.path.isdir(path):
        os.makedirs(target, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o666))
    mount(f"/proc/self/fd/{fd}", target, None, _BIND | _REC)
    for name in ("site-packages", "dist-packages"):
        installed = os.path.join(target, name)
        if os.path.isdir(installed):
            mount("tmpfs", installed, "tmpfs", _RDONLY | _NOSUID | _NODEV | _NOEXEC, "size=4k,mode=555")
    if os.path.isdir(target):
        _make_read_only(target)


def _make_read_only(target: str) -> None:
    attributes = struct.pack("=4Q", _ATTR_RDONLY | _ATTR_NOSUID | _ATTR_NODEV, 0, 0, 0)
    with contextlib.suppress(Unsupported):
        path = ctypes.c_char_p(os.fsencode(target))
        syscall("mount_setattr", -100, path, _AT_RECURSIVE, ctypes.c_char_p(attributes), len(attributes))
        return
    # Before Linux 5.12. In a user namespace the flags that the mount has already must be named again.
    kept = os.statvfs(target).f_flag & (_NOSUID | _NODEV | _NOEXEC | 1024 | 2048)
    mount(None, target, None, _REMOUNT | _BIND | _RDONLY | _NOSUID | _NODEV | kept)
