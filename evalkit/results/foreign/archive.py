"""A zip file that someone else made: members are read by name, bounded and checked, and never unpacked to disk."""

from __future__ import annotations

import struct
import zipfile
import zlib
from pathlib import Path
from types import TracebackType

from evalkit.errors import RunFolderError
from evalkit.results.files import open_regular
from evalkit.results.foreign.reading import MOST, size

__all__ = ["Archive"]

_ZSTD = 93
_LOCAL_HEADER = struct.Struct("<4s22xHH")
_TOTAL = 16 << 30
"""Bytes that all members read from one archive may come to."""
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, OSError)


class Archive:
    """`with Archive(path) as archive: archive.read("header.json")`"""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._left = _TOTAL
        try:
            self._file = open_regular(path)
        except OSError as error:
            raise RunFolderError(f"{path} can't be read: {error.strerror or error}") from None
        try:
            self._zip = zipfile.ZipFile(self._file)
        except _BROKEN as error:
            self._file.close()
            raise RunFolderError(f"{path} is no zip file, or a broken one: {error}") from None
        # A member that stands twice was written again: the later one counts.
        self._members = {info.filename: info for info in self._zip.infolist()}

    def __enter__(self) -> Archive:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._zip.close()
        self._file.close()

    @property
    def names(self) -> list[str]:
        return list(self._members)

    def __contains__(self, name: str) -> bool:
        return name in self._members

    def read(self, name: str) -> bytes:
        info = self._members[name]
        place = f"{self.path}: {name[:80]}"
        if info.file_size > MOST:
            raise RunFolderError(f"{place} would unpack to {size(info.file_size)}; {size(MOST)} is the most it may")
        try:
            content = self._unzstd(info) if info.compress_type == _ZSTD else self._zip.read(info)
        except _BROKEN as error:
            raise RunFolderError(f"{place} is broken: {error}") from None
        if len(content) != info.file_size or zlib.crc32(content) != info.CRC:
            raise RunFolderError(f"{place} is broken: it is not what its checksum says")
        self._left -= len(content)
        if self._left < 0:
            raise RunFolderError(f"{self.path} unpacks to more than {size(_TOTAL)}")
        return content

    def _unzstd(self, info: zipfile.ZipInfo) -> bytes:
        """Python's zipfile learns this method in 3.14; pyarrow has it."""
        import pyarrow as pa

        if info.flag_bits & 1:
            raise RuntimeError("it is encrypted")
        self._file.seek(info.header_offset)
        magic, name_length, extra_length = _LOCAL_HEADER.unpack(self._file.read(_LOCAL_HEADER.size).ljust(30, b"\0"))
        if magic != b"PK\x03\x04":
            raise zipfile.BadZipFile("no member stands where its list says")
        self._file.seek(name_length + extra_length, 1)
        packed = self._file.read(min(info.compress_size, MOST))
        with pa.CompressedInputStream(pa.BufferReader(packed), "zstd") as stream:
            content: bytes = stream.read(info.file_size + 1)
        return content
