"""All runs as one table: reads results only, no model and no lm-eval.

records    what a leaderboard is made of
choosing   which runs get a line
columns    the benchmarks
scores     the line of one run: what is known of it, its figures
means      means over benchmarks, and ranks
unlike     what was not measured alike
board      all of it
"""

from evalkit.ranking.board import leaderboard
from evalkit.ranking.choosing import newest_of_each
from evalkit.ranking.records import Benchmark, Leaderboard, Line, Score, listed

__all__ = ["Benchmark", "Leaderboard", "Line", "Score", "leaderboard", "listed", "newest_of_each"]
