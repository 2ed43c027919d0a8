"""The sections of the page, in their order. A new section is an entry here and its script in assets/."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from evalkit.reporting.html.behaviour import behaviour_entries
from evalkit.reporting.html.figures import board_entry, troubles
from evalkit.reporting.overview import Overview
from evalkit.types import JsonObject

__all__ = ["SECTIONS", "Section"]


@dataclass(frozen=True, slots=True)
class Section:
    id: str
    """Id of the page's element. Its script must set DRAW["<this id>"] to a function that draws the chosen view."""
    title: str | Callable[[JsonObject], str | None]
    """In the navigation, from the page's data where it depends on them; None where there is nothing to show."""
    scripts: tuple[str, ...]
    """The files in assets/ that draw it, without `.js`. A script may use those before it."""
    data: tuple[str, Callable[[Overview], Any]] | None = None
    """What its script finds in DATA: the name, and the function that makes it."""

    def title_for(self, data: JsonObject) -> str | None:
        return self.title if isinstance(self.title, str) else self.title(data)


def _first_title(data: JsonObject) -> str:
    return "What changed" if any(view["baseline"] is not None for view in data["views"]) else "Figures"


SECTIONS = (
    Section("differences", _first_title, ("differences",)),
    Section(
        "leaderboard", "Leaderboard", ("board",), ("board", lambda content: board_entry(content.board, content.runs))
    ),
    Section("parts", "Subjects", ("parts",)),
    Section("documents", "Documents", ("texts", "list", "detail", "documents")),
    Section(
        "behaviour",
        lambda data: "Behaviour" if data["behaviour"] else None,
        ("behaviour",),
        ("behaviour", lambda content: behaviour_entries(content.runs)),
    ),
    Section("troubles", "Troubles", ("troubles",), ("troubles", lambda content: troubles(content.views, content.runs))),
    Section("settings", "Settings", ("settings",)),
)
