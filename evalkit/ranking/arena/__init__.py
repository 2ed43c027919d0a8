"""Rates models from recorded games against each other: ratings and ranks with their uncertainty.

games     reads games and checks them line by line
ratings   computes ratings, intervals, ranks and win rates
"""

from evalkit.ranking.arena.games import Game, read_games
from evalkit.ranking.arena.ratings import Arena, Standing, rate_games

__all__ = ["Arena", "Game", "Standing", "rate_games", "read_games"]
