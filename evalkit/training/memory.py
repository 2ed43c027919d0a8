"""What a watch has done, in one file that is written whole: a restart goes on from it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from evalkit.errors import RunFolderError
from evalkit.results import write_file

__all__ = ["Memory", "Seen"]

_SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Seen:
    """A checkpoint that was evaluated, or given up."""

    name: str
    step: float
    key: str
    """The signature of its weights: a folder that was written again is another checkpoint."""
    run: str | None = None
    """The run's folder; None: it could not be evaluated."""
    verdict: str | None = None
    problem: str | None = None


@dataclass(slots=True)
class Memory:
    path: Path
    seen: list[Seen] = field(default_factory=list)
    looks: int = 0
    """Verdicts so far: each spends a part of the error rate."""

    @classmethod
    def read(cls, path: Path) -> Memory:
        try:
            content = json.loads(path.read_bytes())
            if content["schema"] != _SCHEMA:
                raise ValueError(f"schema {content['schema']!r}")
            return cls(path, [Seen(**entry) for entry in content["seen"]], int(content["looks"]))
        except FileNotFoundError:
            return cls(path)
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise RunFolderError(f"{path} is no file of a watch ({error}): move it away to begin anew") from None

    def add(self, seen: Seen) -> None:
        self.seen.append(seen)
        content = {"schema": _SCHEMA, "looks": self.looks, "seen": [asdict(entry) for entry in self.seen]}
        write_file(self.path, (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode())

    def knows(self, key: str) -> bool:
        return any(entry.key == key for entry in self.seen)

    def runs(self) -> list[str]:
        """The newest run of each checkpoint, in the order of their steps."""
        newest = {entry.name: entry for entry in self.seen if entry.run is not None}
        return [str(entry.run) for entry in sorted(newest.values(), key=lambda entry: entry.step)]
