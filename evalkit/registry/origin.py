"""Which files define a task: a user's file is checked more strictly than lm-eval's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from evalkit.types import TaskConfig

__all__ = ["Origin"]


@dataclass(frozen=True, slots=True)
class Origin:
    file: Path | None
    """The task's own file, or that of the group in which it is written out."""
    file_is_users: bool
    group: Path | None = None
    """The user's group file that lists the task; the innermost if there are several."""
    changed: frozenset[str] = frozenset()
    """Keys of the task that groups override."""

    @property
    def of_user(self) -> bool:
        """Whether a user's file defines any part of the task."""
        return self.file_is_users or bool(self.changed)

    @property
    def where(self) -> Path | None:
        """The file to name in an error."""
        return self.file if self.file_is_users or self.group is None else self.group

    def wrote(self, key: str, config: TaskConfig) -> Path | None:
        """The user's file that sets this key of the task; None if lm-eval or evalkit sets it, or nothing does."""
        if config.get(key) is None:
            return None
        if key in self.changed:
            return self.group
        return self.file if self.file_is_users else None
