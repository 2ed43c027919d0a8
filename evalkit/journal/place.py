"""The file system that holds a journal, and whether shared memory and locks work there."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["filesystem_of", "is_network"]

_NETWORK = {
    "9p", "afs", "beegfs", "ceph", "cifs", "coda", "dvs", "gfs2", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4",
    "ocfs2", "orangefs", "panfs", "prl_fs", "pvfs2", "smb2", "smb3", "smbfs", "vboxsf", "virtiofs", "vmhgfs", "weka",
    "wekafs",
}  # fmt: skip
_LOCAL_FUSE = {"fuseblk", "fuse.fuse-overlayfs"}


def filesystem_of(path: Path, mountinfo: str | None = None) -> str | None:
    """The type of the file system that holds a path; None if the system doesn't say."""
    if mountinfo is None:
        try:
            mountinfo = Path("/proc/self/mountinfo").read_text("utf-8", "replace")
        except OSError:
            return None
    where = path.resolve()
    best: tuple[int, str] | None = None
    for line in mountinfo.splitlines():
        before, dash, after = line.partition(" - ")
        fields = before.split(" ")
        if not dash or len(fields) < 5:
            continue
        mount = Path(_unescape(fields[4]))
        # If two file systems are mounted at one point, the later hides the earlier.
        if where.is_relative_to(mount) and (best is None or len(mount.parts) >= best[0]):
            best = (len(mount.parts), after.split(" ")[0])
    return best[1] if best else None


def is_network(kind: str | None) -> bool:
    """Whether the file system is shared by machines or served by another process: no write-ahead log works there."""
    if kind is None:
        return False
    return kind in _NETWORK or (kind.startswith("fuse") and kind not in _LOCAL_FUSE)


def _unescape(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match.group(1), 8)), text)
