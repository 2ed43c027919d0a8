"""Rates models from recorded games against each other: ratings and ranks with their uncertainty.

games     reads games and checks them line by line
choosing  chooses the next games, and says when the order is sure
corrected ratings corrected by people's labels
ratings   computes ratings, intervals, ranks and win rates
"""

from evalkit.ranking.arena.corrected import corrected
from evalkit.ranking.arena.games import Game, read_games
from evalkit.ranking.arena.ratings import TIES, Arena, Standing, rate_games

__all__ = ["TIES", "Arena", "Game", "Standing", "corrected", "rate_games", "read_games"]
