"""evalkit plan"""

from __future__ import annotations

from typing import Any

from evalkit.api.plan_definitions import PlanArguments
from evalkit.cli.options import to_stdout, verb

__all__ = ["command"]


@verb("plan", PlanArguments)
def command(given: dict[str, Any]) -> None:
    """How many documents and answers per document find a drop, from how much the baseline's own answers differ."""
    import evalkit as ek

    planned = ek.plan(**given)
    if not to_stdout(given):
        planned.show()
