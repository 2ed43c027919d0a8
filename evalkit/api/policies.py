"""A gate's policy from a file, a mapping, or none."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

from evalkit.errors import UsageError
from evalkit.policy import Policy

__all__ = ["PolicyLike", "as_policy"]

PolicyLike: TypeAlias = "Policy | Mapping[str, Any] | str | Path"
"""What a gate tolerates: a Policy, the content of a policy file, or the path of one."""


def as_policy(given: Any) -> Policy:
    """The policy that was given; without one, the default for every shared task."""
    if given is None:
        return Policy()
    if isinstance(given, Policy):
        return given
    if isinstance(given, Mapping):
        return Policy.parse(given)
    if isinstance(given, str | Path):
        return Policy.load(given)
    raise UsageError(f"--policy: a file, a mapping or a Policy is wanted; this is {type(given).__name__}")
