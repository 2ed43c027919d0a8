"""evalkit arena"""

from __future__ import annotations

from evalkit.api.data_definitions import ArenaArguments
from evalkit.arguments import Given
from evalkit.cli.options import to_stdout, verb

__all__ = ["command"]


@verb("arena", ArenaArguments)
def command(given: Given) -> None:
    """Rate models from recorded games: Bradley–Terry ratings, intervals, and ranks that say how sure they are."""
    import evalkit as ek

    rated = ek.arena(**given)
    if not to_stdout(given):
        rated.show()
