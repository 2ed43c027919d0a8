"""Landlock rules: a confined process may open only Python's own library and allowed packages, and only to read."""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from collections.abc import Sequence

from .kernel import Unsupported, syscall

__all__ = ["abi", "library_folders", "ruleset"]

_READ_FILE, _READ_DIR, _WRITE_FILE, _TRUNCATE = 1 << 2, 1 << 3, 1 << 1, 1 << 14
_FS_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
_PATH_BENEATH = 1
_INSTALLED = ("site-packages", "dist-packages")


def abi() -> int:
    """The version of Landlock in this kernel, 0 where it has none."""
    try:
        return syscall("landlock_create_ruleset", 0, 0, 1)
    except Unsupported:
        return 0


def library_folders() -> list[str]:
    """The folders that the running interpreter imports its standard library from."""
    return [entry for entry in sys.path if os.path.isdir(entry)]


def ruleset(version: int, packages: Sequence[str] = ()) -> int:
    """Returns a descriptor of the rules, which every process applies to itself."""
    rights = (1 << _FS_RIGHTS.get(version, 16)) - 1
    fields = [rights]
    if version >= 4:
        fields.append(0b11)  # TCP bind and connect, nowhere allowed
    if version >= 6:
        fields.append(0b11)  # abstract sockets and signals stay inside
    attributes = struct.pack(f"={len(fields)}Q", *fields)
    rules = syscall("landlock_create_ruleset", ctypes.c_char_p(attributes), len(attributes), 0)
    for folder in library_folders():
        _allow(rules, folder, _READ_DIR)
        for entry in os.scandir(folder):
            if entry.name in _INSTALLED or entry.is_symlink():
                continue
            _allow(rules, entry.path, _READ_FILE | (_READ_DIR if entry.is_dir() else 0))
    for path in packages:
        _allow(rules, path, _READ_FILE | (_READ_DIR if os.path.isdir(path) else 0))
    _allow(rules, os.devnull, _READ_FILE | _WRITE_FILE | (_TRUNCATE if version >= 3 else 0))
    return rules


def _allow(rules: int, path: str, rights: int) -> None:
    """Adds a rule: these rights on this file, or on everything in this folder."""
    try:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError as error:
        if isinstance(error, PermissionError):
            return  # it cannot be read from inside either
        raise
    try:
        beneath = struct.pack("=Qi", rights, fd)
        syscall("landlock_add_rule", rules, _PATH_BENEATH, ctypes.c_char_p(beneath), 0)
    finally:
        os.close(fd)
