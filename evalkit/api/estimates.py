"""What a run or a judgment would ask for, and what that would cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evalkit import safe
from evalkit.api.output import as_html_table

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Estimate"]


@dataclass(frozen=True, eq=False, repr=False)
class Estimate:
    """Requests, tokens and dollars, counted without asking any model."""

    content: Mapping[str, Any]
    """As `--json` writes it."""

    @property
    def requests(self) -> int:
        return int(self.content["requests"])

    @property
    def usd(self) -> float | None:
        """None where the price is not known."""
        return self.content.get("usd")

    def frame(self) -> pd.DataFrame:
        """One row for each task, where tasks are counted apart; else one row for all."""
        import pandas as pd

        tasks = self.content.get("tasks")
        if isinstance(tasks, Mapping):
            return pd.DataFrame([{"task": name, **counts} for name, counts in tasks.items()])
        return pd.DataFrame([{key: value for key, value in self.content.items() if isinstance(value, int | float)}])

    def json(self) -> str:
        from evalkit.reporting.judge_view import as_json

        return as_json(self.content)

    def show(self) -> None:
        """Print it as the command line does."""
        from evalkit.reporting.judge_view import show_estimate

        show_estimate(self.content)

    def _heading(self) -> str:
        cost = "at an unknown price" if self.usd is None else f"about ${self.usd:.2f}"
        return f"{self.requests:,} requests, {cost}"

    def __repr__(self) -> str:
        return safe.terminal(f"{self._heading()}\n{self.frame().to_string(index=False, na_rep='')}")

    def _repr_html_(self) -> str:
        return as_html_table(self._heading(), self.frame(), [str(note) for note in self.content.get("notes") or ()])
