"""Files and folders that are there whole or not at all, also on a full disk and on a network file system."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import secrets
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from evalkit.errors import OutputError

__all__ = [
    "check_space",
    "check_writable",
    "could_not_write",
    "staging_folder",
    "swap_folder",
    "sweep",
    "sync_tree",
    "write_file",
]

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
_ABANDONED_AFTER = 7 * 24 * 3600.0


def check_writable(root: Path | str) -> Path:
    """The results folder, made where it is missing, or an OutputError before any work is done."""
    folder = Path(root)
    probe = folder / f".probe-{os.getpid()}-{secrets.token_hex(4)}"
    with could_not_write(folder):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            with probe.open("wb") as file:
                file.write(b"x" * 4096)
                file.flush()
                os.fsync(file.fileno())
        finally:
            probe.unlink(missing_ok=True)
    return folder


def check_space(root: Path | str, needed: int) -> int:
    """The free bytes there, or an OutputError where they are fewer than the run is expected to need."""
    with could_not_write(Path(root)):
        free = shutil.disk_usage(root).free
    if free < needed:
        raise OutputError(
            f"{root} has {_size(free)} free, and this run is expected to need {_size(needed)}:"
            " free some space, choose another --output-path, or see `evalkit cache prune`"
        )
    return free


@contextlib.contextmanager
def could_not_write(path: Path) -> Iterator[None]:
    """Turn the system's refusals into one line that says what to do."""
    try:
        yield
    except OSError as error:
        raise OutputError(f"can't write {path}: {_advice(error)}") from None


def write_file(path: Path, content: bytes) -> None:
    """Replace a file: readers see the old one or the new one."""
    beside = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}")
    with could_not_write(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with beside.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)
        _sync(path.parent)


def sync_tree(folder: Path) -> None:
    """Make sure that all files of a folder are on the disk before the folder gets its name."""
    for where, _, files in os.walk(folder):
        for name in files:
            _sync(Path(where) / name)
        _sync(Path(where))


def swap_folder(new: Path, target: Path) -> None:
    """Give `new` the name `target`. What stood there before is swapped out in one step and removed."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists():
        with contextlib.suppress(FileExistsError):
            _rename_new(new, target)
            _sync(target.parent)
            return
    if _exchange(new, target):
        old = new
    else:
        # Not every file system swaps. Between these two renames a reader finds nothing, never a half.
        old = new.with_name(new.name + ".old")
        target.rename(old)
        try:
            new.rename(target)
        except OSError:
            old.rename(target)
            raise
    _sync(target.parent)
    shutil.rmtree(old, ignore_errors=True)


def staging_folder(root: Path, run_id: str) -> Path:
    """A folder to write into, on the same file system, that no reader looks at."""
    folder = root / ".staging" / f"{run_id}@{socket.gethostname()}@{os.getpid()}@{secrets.token_hex(4)}"
    for _ in range(10):
        # Another process may sweep the empty parent away between its making and ours.
        with contextlib.suppress(FileNotFoundError):
            folder.mkdir(parents=True)
            return folder
    raise FileNotFoundError(errno.ENOENT, "the folder vanishes", str(folder))


def sweep(root: Path) -> None:
    """Remove what killed processes left in the staging folder."""
    with contextlib.suppress(OSError):
        for folder in (root / ".staging").iterdir():
            if _abandoned(folder):
                shutil.rmtree(folder, ignore_errors=True)
        (root / ".staging").rmdir()


def _abandoned(folder: Path) -> bool:
    parts = folder.name.split("@")
    if len(parts) >= 4 and parts[-3] == socket.gethostname() and parts[-2].isdigit():
        return not _alive(int(parts[-2]))
    return time.time() - folder.stat().st_mtime > _ABANDONED_AFTER


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _rename_new(new: Path, target: Path) -> None:
    try:
        new.rename(target)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            raise FileExistsError from None
        raise


def _exchange(one: Path, other: Path) -> bool:
    """Swap two names in one step, where kernel and file system can."""
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError):
        return False
    done: int = rename(
        ctypes.c_int(_AT_FDCWD),
        ctypes.c_char_p(os.fsencode(one)),
        ctypes.c_int(_AT_FDCWD),
        ctypes.c_char_p(os.fsencode(other)),
        ctypes.c_uint(_RENAME_EXCHANGE),
    )
    return done == 0


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        # Some network file systems have no fsync for folders.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF):
            raise
    finally:
        os.close(handle)


def _advice(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "the disk is full; free some space and type the same command again, which goes on where it stopped"
    if error.errno == errno.EFBIG:
        return "the file would be larger than this system allows"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{error.strerror}; choose a folder you may write to with --output-path"
    if error.errno in (errno.ENOTDIR, errno.EEXIST):
        return "a file stands where a folder is needed; choose another --output-path"
    return error.strerror or str(error)


def _size(count: float) -> str:
    for unit in ("bytes", "KB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"
