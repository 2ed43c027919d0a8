"""The state of a watch in a JSON file, from which a restarted watch continues."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from evalkit.errors import RunFolderError, UsageError
from evalkit.results import write_file
from evalkit.training.telling import as_json

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
    folder: str | None = None
    """The folder that is watched. None: an older evalkit wrote the file."""

    @classmethod
    def read(cls, path: Path) -> Memory:
        try:
            content = json.loads(path.read_bytes())
            if content["schema"] != _SCHEMA:
                raise ValueError(f"schema {content['schema']!r}")
            seen = [Seen(**entry) for entry in content["seen"]]
            return cls(path, seen, int(content["looks"]), content.get("folder"))
        except FileNotFoundError:
            return cls(path)
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise RunFolderError(f"{path} is no file of a watch ({error}): move it away to begin anew") from None

    def begin(self, folder: Path) -> None:
        """Refuse the file of another folder with the same name, whose checkpoints would be mixed with these."""
        if self.folder is not None:
            try:
                same = Path(self.folder).samefile(folder)
            except (OSError, ValueError):
                same = True  # it was moved, or is not there yet
            if not same:
                raise UsageError(
                    f"{self.path} is the watch of {self.folder}, and this is {folder.resolve()}, a folder of the same"
                    " name: give one of them another --output-path"
                )
        self.folder = str(folder.resolve())

    def add(self, seen: Seen) -> None:
        self.seen.append(seen)
        entries = [asdict(entry) for entry in self.seen]
        content = {"schema": _SCHEMA, "folder": self.folder, "looks": self.looks, "seen": entries}
        write_file(self.path, (as_json(content, indent=1) + "\n").encode())

    def knows(self, key: str) -> bool:
        return any(entry.key == key for entry in self.seen)

    def runs(self) -> list[str]:
        """The newest run of each checkpoint, in the order of their steps."""
        newest = {entry.name: entry for entry in self.seen if entry.run is not None}
        return [str(entry.run) for entry in sorted(newest.values(), key=lambda entry: entry.step)]
