"""How much a program may use."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Limits"]


@dataclass(frozen=True)
class Limits:
    seconds: float = 3.0
    """Wall time, without the time spent waiting for a CPU. Tests included."""
    memory: int = 512 << 20
    """Bytes that the program may have in use."""
    threads: int = 64
    files: int = 128
    """Descriptors open at a time; there is no file that could be written."""
    answer_bytes: int = 32 << 20
    """The largest message between the program and its tests."""
    cpu_seconds: float | None = None
    """CPU time over all threads; twice `seconds` where not given."""
    wall_cap: float | None = None
    """Wall time, come what may; twenty times `seconds` where not given."""

    @property
    def cpu(self) -> float:
        return 2 * self.seconds if self.cpu_seconds is None else self.cpu_seconds

    @property
    def cap(self) -> float:
        return 20 * self.seconds if self.wall_cap is None else self.wall_cap
