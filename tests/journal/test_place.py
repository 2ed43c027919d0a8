"""Network file systems are told from local ones."""

from __future__ import annotations

import textwrap
from pathlib import Path

from evalkit.journal.place import filesystem_of, is_network


def test_network_file_systems_are_recognised() -> None:
    mounts = textwrap.dedent(
        r"""
        22 1 259:1 / / rw,relatime shared:1 - ext4 /dev/root rw
        40 22 0:35 / /data rw,relatime shared:20 - nfs4 server:/export rw
        41 40 0:36 / /data/my\040local rw - xfs /dev/sdb rw
        42 22 0:37 / /bucket rw - fuse.s3fs s3fs rw
        43 22 0:38 / /usb rw - fuseblk /dev/sdc rw
        """
    )
    kinds = {
        "/home/me/results": ("ext4", False),
        "/data/results": ("nfs4", True),
        "/database": ("ext4", False),
        "/data/my local/results": ("xfs", False),
        "/bucket/x": ("fuse.s3fs", True),
        "/usb": ("fuseblk", False),
    }
    for path, (kind, network) in kinds.items():
        found = filesystem_of(Path(path), mounts)
        assert (found, is_network(found)) == (kind, network)
    for kind in ("lustre", "cifs", "beegfs", "gpfs", "9p", "fuse.sshfs"):
        assert is_network(kind)
    assert not is_network(None)
