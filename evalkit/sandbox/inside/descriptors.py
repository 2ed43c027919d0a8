"""Sends open files to another process, and closes those that a process must not have."""

from __future__ import annotations

import _socket
import os
from array import array
from collections.abc import Sequence

__all__ = ["close_but", "receive", "send"]

_MESSAGE = 1 << 12
_STREAMS, _HIGHEST = 3, 4096


def send(link: _socket.socket, message: bytes, fds: Sequence[int]) -> None:
    """Sends a message with descriptors, which stay open here."""
    link.sendmsg([message], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, array("i", fds))])


def receive(link: _socket.socket, most: int) -> tuple[bytes, list[int]]:
    """Receives a message and its descriptors. The message is empty where the other side is gone."""
    fds = array("i")
    message, attached, _, _ = link.recvmsg(_MESSAGE, _socket.CMSG_SPACE(most * fds.itemsize))
    for level, kind, data in attached:
        if level == _socket.SOL_SOCKET and kind == _socket.SCM_RIGHTS:
            fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
    return message, list(fds)


def close_but(*kept: int) -> None:
    """Closes every descriptor but these and the three standard streams."""
    start = _STREAMS
    for fd in sorted(fd for fd in kept if fd >= start):
        os.closerange(start, fd)
        start = fd + 1
    os.closerange(start, _HIGHEST)
