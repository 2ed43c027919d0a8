"""The limits of one program."""

from __future__ import annotations

from dataclasses import dataclass, replace

__all__ = ["Limits"]


@dataclass(frozen=True)
class Limits:
    """How much one program, with its tests, may use."""

    seconds: float = 3.0
    """Wall time, without the time spent waiting for a CPU. Tests included."""
    memory: int = 512 << 20
    """Bytes that the program may have in use."""
    threads: int = 64
    """Threads that the program may start, beside the one that it runs in."""
    files: int = 128
    """Descriptors open at a time. No file can be written in any case."""
    answer_bytes: int = 32 << 20
    """The largest message between the program and its tests."""
    cpu_seconds: float | None = None
    """CPU time over all threads; twice `seconds` where not given."""
    wall_cap: float | None = None
    """Wall time with the time spent waiting for a CPU; twenty times `seconds` where not given."""

    def of_one(self, seconds: float | None) -> Limits:
        """The limits of a program whose tests have a time of their own; never less than these."""
        return self if seconds is None or seconds <= self.seconds else replace(self, seconds=seconds)

    @property
    def cpu(self) -> float:
        """Seconds of CPU time, over all threads."""
        return 2 * self.seconds if self.cpu_seconds is None else self.cpu_seconds

    @property
    def cap(self) -> float:
        """Seconds of wall time, with the time spent waiting for a CPU."""
        return 20 * self.seconds if self.wall_cap is None else self.wall_cap
