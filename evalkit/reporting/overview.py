"""Some runs at once: on a terminal, as markdown. The page is in evalkit.reporting.html."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from evalkit import safe
from evalkit.policy import Policy
from evalkit.ranking import Leaderboard, leaderboard
from evalkit.reporting import gate_view as judging
from evalkit.reporting import leaderboard_view as ranking
from evalkit.reporting.views import View, look
from evalkit.results import STATUSES, Run

__all__ = ["Overview", "as_markdown", "overview", "show"]


@dataclass(frozen=True)
class Overview:
    runs: tuple[Run, ...]
    """The baseline first."""
    views: tuple[View, ...]
    board: Leaderboard

    @property
    def warnings(self) -> list[str]:
        return [warning for view in self.views for warning in view.warnings]


def overview(
    runs: Sequence[Run],
    *,
    tasks: Sequence[str] = (),
    policy: Policy | None = None,
    allow: Collection[str] = (),
    chances: Mapping[str, float] | None = None,
) -> Overview:
    """The first run is the one that the others are held against. `chances`: what guessing scores, by task."""
    views = look(runs, tasks=tasks, policy=policy, allow=allow)
    return Overview(tuple(runs), tuple(views), leaderboard(runs, every=True, also=STATUSES, chances=chances))


def as_markdown(found: Overview) -> str:
    text = [ranking.as_markdown(found.board)]
    text += [judging.as_markdown(view.gate) for view in found.views if view.gate is not None]
    if found.warnings:
        text.append("".join(f"- {safe.markdown(warning)}\n" for warning in found.warnings))
    return "\n".join(text)


def show(found: Overview) -> None:
    """To stdout: tables on a terminal, markdown in a pipe."""
    ranking.show(found.board)
    for view in found.views:
        if view.gate is not None:
            judging.show(view.gate)
