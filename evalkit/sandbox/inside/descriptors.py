"""Open files: sent with a message to another process, and closed before something is run that must not have them."""

from __future__ import annotations

import _socket
import os
from array import array
from collections.abc import Sequence

__all__ = ["close_but", "receive", "send"]

_MESSAGE = 1 << 12
_STREAMS, _HIGHEST = 3, 4096


def send(link: _socket.socket, message: bytes, fds: Sequence[int]) -> None:
    link.sendmsg([message], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, array("i", fds))])


def receive(link: _socket.socket, most: int) -> tuple[bytes, list[int]]:
    """The message, empty at the end, and its descriptors."""
    fds = array("i")
    message, attached, _, _ = link.recvmsg(_MESSAGE, _socket.CMSG_SPACE(most * fds.itemsize))
    for level, kind, data in attached:
        if level == _socket.SOL_SOCKET and kind == _socket.SCM_RIGHTS:
            fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
    return message, list(fds)


def close_but(*kept: int) -> None:
    """Of those beyond the three standard streams."""
    start = _STREAMS
    for fd in sorted(fd for fd in kept if fd >= start):
        os.closerange(start, fd)
        start = fd + 1
    os.closerange(start, _HIGHEST)
