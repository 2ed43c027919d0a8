"""`evalkit report`: shows several runs on a terminal and as markdown; evalkit.reporting.html makes the page."""

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
    """Several runs with their comparisons and the leaderboard."""

    runs: tuple[Run, ...]
    """The runs, the baseline first."""
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
    """Compare each run with the first one. `chances`: the score of random guessing, by task."""
    views = look(runs, tasks=tasks, policy=policy, allow=allow)
    return Overview(tuple(runs), tuple(views), leaderboard(runs, every=True, also=STATUSES, chances=chances))


def as_markdown(content: Overview) -> str:
    """The leaderboard, the verdicts and the warnings as markdown."""
    text = [ranking.as_markdown(content.board)]
    text += [judging.as_markdown(view.gate) for view in content.views if view.gate is not None]
    if content.warnings:
        text.append("".join(f"- {safe.markdown(warning)}\n" for warning in content.warnings))
    return "\n".join(text)


def show(content: Overview) -> None:
    """Print to stdout: tables on a terminal, markdown in a pipe."""
    ranking.show(content.board)
    for view in content.views:
        if view.gate is not None:
            judging.show(view.gate)
