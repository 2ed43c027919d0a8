"""Several models against each other: recorded games become ratings and ranks that say how sure they are.

games     reads games, checks them line by line
ratings   ratings, intervals, ranks, win rates
"""

from evalkit.ranking.arena.games import Game, read_games
from evalkit.ranking.arena.ratings import Arena, Standing, rate_games

__all__ = ["Arena", "Game", "Standing", "rate_games", "read_games"]
